from . import (
    bootstrap,
    brier,
    calibration,
    classification,
    curves,
    operating_points,
    ranking,
    resampling,
)

__all__ = [
    "bootstrap",
    "brier",
    "calibration",
    "classification",
    "curves",
    "operating_points",
    "ranking",
    "resampling",
]
