from pathlib import Path

import pytest

from wsistore.annotations.source import AnnotationSource, read_annotations
from wsistore.errors import SlideError


@pytest.mark.parametrize(
    "name", ["s.1.geojson", "s.1.json", "s.1.xml", "s.1.svs.geojson", "s.1.svs.json", "s.1.svs.xml"]
)
def test_a_file_beside_the_slide_or_in_a_folder(tmp_path: Path, name: str) -> None:
    slide = tmp_path / "s.1.svs"
    (tmp_path / "drawn").mkdir()
    (tmp_path / "drawn" / name).touch()
    with pytest.raises(SlideError, match=r"beside it; looked for s\.1\.geojson, s\.1\.json"):
        AnnotationSource().find(slide)
    assert AnnotationSource(tmp_path / "drawn").find(slide) == tmp_path / "drawn" / name
    (tmp_path / name).touch()
    assert AnnotationSource().find(slide) == tmp_path / name


def test_several_files_are_named(tmp_path: Path) -> None:
    for name in ("s.json", "s.svs.xml"):
        (tmp_path / name).touch()
    with pytest.raises(SlideError, match=r"several.*s\.json and s\.svs\.xml.*--annotations") as e:
        AnnotationSource().find(tmp_path / "s.svs")
    assert str(tmp_path) not in str(e.value)


def test_another_xml_is_refused() -> None:
    with pytest.raises(SlideError, match=r"a\.xml: holds <svg>, neither ASAP's"):
        read_annotations(b"<svg/>", "a.xml")


def test_the_fingerprint_is_of_all_bytes(tmp_path: Path) -> None:
    slide, file = tmp_path / "s.svs", tmp_path / "s.json"
    file.write_bytes(b"[" + b" " * 5_000_000 + b"]")
    before = AnnotationSource().fingerprint(slide)
    data = bytearray(file.read_bytes())
    data[1_500_000:1_500_001] = b"\n"
    file.write_bytes(data)
    assert AnnotationSource().fingerprint(slide) != before
    assert AnnotationSource().read(slide)[1] == AnnotationSource().fingerprint(slide)
