from . import (
    bootstrap,
    brier,
    calibration,
    classification,
    curves,
    net_benefit,
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
    "net_benefit",
    "operating_points",
    "ranking",
    "resampling",
]
