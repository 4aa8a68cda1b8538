from . import bootstrap, brier, calibration, classification, curves, ranking, resampling

__all__ = ["bootstrap", "brier", "calibration", "classification", "curves", "ranking", "resampling"]
