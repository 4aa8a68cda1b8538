from .cohort import preview
from .crop_links import PAGE_NAME, crop_links
from .slide_view import RenderedSlide

__all__ = [
    "PAGE_NAME",
    "RenderedSlide",
    "crop_links",
    "preview",
]
