"""What `distill cost` says of a network: one block for each level, or given size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch

from distill.cost import timing
from distill.cost.flops import Watch, agree, each, summary
from distill.cost.memory import Memory, inference, peak_memory
from distill.cost.sizes import Sizes
from distill.networks import Classifier, available_gib
from distill.types import Floats

FORMAT = "distill-cost/1"
UNITS = {
    "gmac": "1e9 multiply-adds (MAC); see counter",
    "gflop": "1e9 floating-point operations (FLOP); see counter",
    "memory": "bytes at the peak, estimated, float32, one crop; without network and process",
    "seconds": "of a pass from uint8 pixels in memory to logits, measured, float32, crop by crop; "
    "reading is not in it",
    "mpp": "µm per pixel, median over the crops",
    "median_crop": "median height and median width of the crops, px",
    "largest_crop": "height and width of the crop that has most pixels, px",
}


def block(network: Classifier, crops: Sizes, watch: Watch = iter) -> dict[str, Any]:
    """Count a network on some crops and estimate its memory; nothing is run but fvcore's check.

    Args:
        network: in evaluation mode.
        crops: what it would see.
        watch: shows progress over the distinct sizes.

    Returns:
        What docs/reference/cost.md says of an entry of "levels", but for the seconds.
    """
    counts = each(network, crops.sizes, watch)
    median, largest = crops.median(), crops.largest()
    agreed = agree(network, *median)
    return {
        "level": crops.name,
        "mpp": crops.mpp,
        "crops": len(crops.sizes),
        "left_out": crops.left_out,
        "median_crop": list(median),
        "largest_crop": list(largest),
        "gmac_per_crop": summary(counts[:, 0]),
        "gflop_per_crop": summary(counts[:, 1]),
        **_per_slide(counts, crops),
        "memory": {
            "median_crop": _bytes(peak_memory(network, *median)),
            "largest_crop": _bytes(peak_memory(network, *largest)),
        },
        "agreement": {**agreed._asdict(), "difference": agreed.difference},
    }


def measured(
    network: Classifier, crops: Sizes, counts: Mapping[str, Any], device: torch.device, repeats: int
) -> dict[str, Any]:
    """Time the median crop, and all crops of the slide whose GMAC are the (lower) median.

    Args:
        network: in evaluation mode, on `device`.
        crops: what it would see.
        counts: `block` of them.
        device: where it runs.
        repeats: passes that are timed.

    Returns:
        "seconds_per_crop" and "seconds_per_slide", as `timing.seconds` returns them, None where
        there is no slide; "not_measured", the reason where memory is too small, else None.
    """
    median, slide = crops.median(), counts["median_slide"]
    whole = [size for size, of in zip(crops.sizes, crops.slides or (), strict=False) if of == slide]
    needed = max(inference(network, *size) for size in {median, *whole})
    if needed > (free := available_gib(device) * 2**30):
        reason = f"a crop needs {needed / 2**30:.1f} GiB, and {free / 2**30:.1f} are free"
        return {"seconds_per_crop": None, "seconds_per_slide": None, "not_measured": reason}
    return {
        "seconds_per_crop": timing.seconds(network, [median], device, repeats),
        "seconds_per_slide": timing.seconds(network, whole, device, repeats) if whole else None,
        "not_measured": None,
    }


def _per_slide(counts: Floats, crops: Sizes) -> dict[str, Any]:
    """Sum GMAC and GFLOP over the crops of each slide; null where there is no slide."""
    names = ("slides", "gmac_per_slide", "gflop_per_slide", "median_slide")
    if crops.slides is None:
        return dict.fromkeys(names)
    number, slides = pd.factorize(np.array(crops.slides, dtype=object))
    gmac, gflop = (np.bincount(number, column).astype(np.float64) for column in counts.T)
    middle = np.argsort(gmac, kind="stable")[(len(slides) - 1) // 2]
    values = (len(slides), summary(gmac), summary(gflop), str(slides[middle]))
    return dict(zip(names, values, strict=True))


def _bytes(found: Memory) -> dict[str, int]:
    return {f"{name}_bytes": size for name, size in found._asdict().items()}
