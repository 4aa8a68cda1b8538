from pathlib import Path

import pytest
import torch

from distill.files import load, publish, save


def test_equal_content_makes_equal_bytes(tmp_path: Path) -> None:
    path, found = tmp_path / "file.safetensors", set()
    tensors = {"é": torch.arange(3.0), "half": torch.ones(2, 2, dtype=torch.bfloat16)}
    metadata = {name: "µ" + name for name in "gdbafce"}
    for _ in range(20):
        save(path, tensors, metadata)
        found.add(path.read_bytes())
    assert len(found) == 1
    back, said = load(path)
    assert said == metadata
    assert all(torch.equal(back[name], value) for name, value in tensors.items())


def test_a_failed_write_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    publish(path, b"old")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        publish(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
