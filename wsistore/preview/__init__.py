"""A store as one looks at it: a contact sheet a slide, and one page for the cohort."""

from wsistore.preview.cohort import preview
from wsistore.preview.slide_view import RenderedSlide

__all__ = ["RenderedSlide", "preview"]
