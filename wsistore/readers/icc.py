"""Colour management: from a scanner's ICC profile to sRGB."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from wsistore.errors import SlideError


def srgb_conversion(icc: bytes) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    """Return the conversion from a profile to sRGB, one pixel at a time.

    The intent is relative colorimetric, without black point compensation: white stays white,
    colours that sRGB can show keep their measured value, and the profile needs no perceptual
    table. As each pixel is converted by itself, an image converts in strips as it does whole.

    Args:
        icc: the profile's bytes.

    Returns:
        A function from and to (h, w, 3) uint8 RGB.

    Raises:
        SlideError: the profile is damaged, or not one for RGB.
    """
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        space = profile.profile.xcolor_space.strip()
        if space != "RGB":
            raise SlideError(f"its colour profile is for {space}, not RGB; leave out --apply-icc")
        transform = ImageCms.buildTransform(
            profile,
            ImageCms.createProfile("sRGB"),
            "RGB",
            "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        )
    # Pillow raises OSError for bytes that are no profile and PyCMSError for one it cannot use
    except (OSError, ImageCms.PyCMSError) as error:
        raise SlideError(
            f"its colour profile cannot be used ({error}); leave out --apply-icc"
        ) from error

    def convert(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.asarray(transform.apply(Image.fromarray(rgb)))

    return convert
