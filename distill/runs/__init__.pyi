from . import curves
from .checkpoint import AVERAGE, Modules, TrainingState, modules
from .choices import MEANS, PROBABILITIES, VIEWS
from .class_maps import class_map, disagreement
from .curves import curve_columns
from .ensemble import Ensemble, check_ensemble_folder, open_run, read_members, write_ensemble
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
    "MEANS",
    "PLACES",
    "PROBABILITIES",
    "VIEWS",
    "Ensemble",
    "Modules",
    "NonWritingRank",
    "Run",
    "RunWriter",
    "TrainingState",
    "Weights",
    "Writer",
    "check_ensemble_folder",
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
    "open_run",
    "read_members",
    "require_types",
    "resume_differences",
    "sha256",
    "slide_fingerprints",
    "start_from",
    "write_ensemble",
]
