from . import curves
from .checkpoint import AVERAGE, Modules, TrainingState, modules
from .class_maps import class_map, disagreement
from .curves import curve_columns
from .init_from import start_from
from .provenance import (
    crops_sha256,
    environment,
    location,
    sha256,
    slide_fingerprints,
)
from .record_types import require_types
from .resume import PLACES, resume_differences
from .run import (
    BAG,
    CHECKPOINT,
    CLASS_MAP,
    CROP,
    EMBEDDINGS,
    Run,
    check_out,
    check_resume,
    class_map_of,
)
from .weights import LOWEST, Weights
from .writer import NonWritingRank, RunWriter, Writer

__all__ = [
    "AVERAGE",
    "BAG",
    "CHECKPOINT",
    "CLASS_MAP",
    "CROP",
    "EMBEDDINGS",
    "LOWEST",
    "PLACES",
    "Modules",
    "NonWritingRank",
    "Run",
    "RunWriter",
    "TrainingState",
    "Weights",
    "Writer",
    "check_out",
    "check_resume",
    "class_map",
    "class_map_of",
    "crops_sha256",
    "curve_columns",
    "curves",
    "disagreement",
    "environment",
    "location",
    "modules",
    "require_types",
    "resume_differences",
    "sha256",
    "slide_fingerprints",
    "start_from",
]
