from . import bootstrap, brier, calibration, classification, ranking, resampling

__all__ = ["bootstrap", "brier", "calibration", "classification", "ranking", "resampling"]
