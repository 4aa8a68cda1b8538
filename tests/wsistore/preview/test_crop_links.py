"""Every stored crop has a place in the preview's page, and only there."""

from pathlib import Path
from urllib.parse import unquote

import pytest

import wsistore
from tests.wsistore.preview.test_page import Page, preview
from wsistore.errors import UsageError


def test_links_lead_to_each_crop(built: Path, tmp_path: Path) -> None:
    out = tmp_path / "look"
    assert preview(built, "--out", out, "--size", 256).exit_code == 0
    crops = wsistore.open(built).crops["crop"].tolist()
    links = wsistore.crop_links(out, [*crops, "none/0"])
    assert list(links) == crops
    text = (out / "index.html").read_text(encoding="utf-8")
    ids = [str(a["id"]) for a in Page(text).all("li") if "id" in a]
    assert [f"index.html#{name}" for name in ids] == list(links.values())
    assert [unquote(name) for name in ids] == [f"crop-{crop}" for crop in crops]
    with pytest.raises(UsageError, match="is of other crops"):
        wsistore.crop_links(out, ["none/0"])


def test_another_page_is_no_preview(tmp_path: Path) -> None:
    for text in (None, "<title>A page</title>"):
        if text is not None:
            (tmp_path / "index.html").write_text(text)
        with pytest.raises(UsageError, match="is no preview"):
            wsistore.crop_links(tmp_path, [])
