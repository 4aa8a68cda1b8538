from .cohort import PAGE_NAME, preview
from .slide_view import RenderedSlide

__all__ = [
    "PAGE_NAME",
    "RenderedSlide",
    "preview",
]
