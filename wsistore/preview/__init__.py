"""A store as one looks at it: a contact sheet a slide, and one page for the cohort."""

from wsistore.preview.cohort import Drawn, preview

__all__ = ["Drawn", "preview"]
