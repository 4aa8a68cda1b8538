from .choices import BAGS, HEADS, LOGISTIC, VIEWS
from .embed import EmbedSettings, embed
from .embedded_run import HEAD, load_head, online, record, vectors_of
from .heads import AttentionHead, Head, LinearHead, Part, build_head
from .reader import EmbeddingsReader
from .tiles import WHOLE, TileRule
from .views import number_of, position

__all__ = [
    "BAGS",
    "HEAD",
    "HEADS",
    "LOGISTIC",
    "VIEWS",
    "WHOLE",
    "AttentionHead",
    "EmbedSettings",
    "EmbeddingsReader",
    "Head",
    "LinearHead",
    "Part",
    "TileRule",
    "build_head",
    "embed",
    "load_head",
    "number_of",
    "online",
    "position",
    "record",
    "vectors_of",
]
