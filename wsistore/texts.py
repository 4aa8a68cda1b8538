"""Numbers and names as people read them, the same on terminals, pages and pictures."""

from __future__ import annotations


def size_text(count: float) -> str:
    """Return bytes as ``"1.5 GB"``; 1 kB is 1000 bytes."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} TB" if count < 1000 else f"{count:,.0f} TB"


def label_text(label: str | None) -> str:
    """Return a class's name; None is what has no label."""
    return "(no label)" if label is None else label


def millimetres(width: int, height: int, mpp: float) -> str:
    """Return a size as ``"1.11 × 1.48 mm"``, from level-0 pixels and µm per such pixel."""
    return f"{width * mpp / 1000:.2f} × {height * mpp / 1000:.2f} mm"
