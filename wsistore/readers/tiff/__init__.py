"""Tiled TIFF slides through tiffslide, and what TIFF files say of themselves."""
