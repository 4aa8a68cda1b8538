"""Pictures of a folder, in natural order; what is no picture is refused."""

import base64
from pathlib import Path

import pytest
from PIL import Image

from distill.errors import UsageError
from distill.report.page import folder
from distill.report.page.folder import overlays


def test_pictures_come_by_name_with_their_sizes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, name in enumerate(["a10.png", "a9.png", "sub/b.png"], start=1):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (10 * number, 7)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not a picture")
    found, count = overlays(tmp_path)
    assert [(one.caption, one.name, one.size) for one in found] == [
        ("a9", "001.png", (20, 7)), ("a10", "002.png", (10, 7)), ("sub/b", "003.png", (30, 7)),
    ]  # fmt: skip
    assert count == 3
    kind, data = found[0].data.split(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(data) == (tmp_path / "a9.png").read_bytes()
    monkeypatch.setattr(folder, "MOST", 2)
    assert [len(overlays(tmp_path)[0]), overlays(tmp_path)[1]] == [2, 3]


def test_a_folder_without_pictures_and_a_false_picture_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no PNG file"):
        overlays(tmp_path)
    (tmp_path / "x.png").write_text("<script>alert(1)</script>")
    with pytest.raises(UsageError, match=r"x\.png is no PNG file"):
        overlays(tmp_path)
