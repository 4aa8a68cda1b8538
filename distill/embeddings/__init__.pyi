from .choices import HEADS, LOGISTIC, VIEWS
from .embed import EmbedSettings, embed
from .embedded_run import HEAD, load_head, online, record, vectors_of
from .heads import Head, build_head
from .reader import EmbeddingsReader
from .tiles import TileRule
from .views import number_of, position

__all__ = [
    "HEAD",
    "HEADS",
    "LOGISTIC",
    "VIEWS",
    "EmbedSettings",
    "EmbeddingsReader",
    "Head",
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
