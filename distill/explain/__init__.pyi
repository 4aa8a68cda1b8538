from . import similarity
from .crops import explain_crops
from .plan import PREDICTED, REPORT, Case, ExplainRequest, plan_explanation

__all__ = [
    "PREDICTED",
    "REPORT",
    "Case",
    "ExplainRequest",
    "explain_crops",
    "plan_explanation",
    "similarity",
]
