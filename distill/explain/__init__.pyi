from . import similarity
from .choices import PREDICTED
from .crops import explain_crops
from .plan import REPORT, Case, ExplainRequest, plan_explanation

__all__ = [
    "PREDICTED",
    "REPORT",
    "Case",
    "ExplainRequest",
    "explain_crops",
    "plan_explanation",
    "similarity",
]
