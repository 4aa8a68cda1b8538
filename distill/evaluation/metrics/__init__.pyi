from . import auroc, bootstrap, calibration, classification, resampling

__all__ = ["auroc", "bootstrap", "calibration", "classification", "resampling"]
