"""DICOM series written here, read by OpenSlide and by wsidicom; no real slide has been at hand."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from wsistore.errors import SlideError, UsageError
from wsistore.files import fingerprint
from wsistore.find import find_slides
from wsistore.readers import open_slide

pytest.importorskip("wsidicom", reason="the dicom extra is not installed")

from tests.wsistore.readers.dicom_slide import write_dicom

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    coarse = np.random.default_rng(0).integers(60, 256, (30, 50, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((500, 300)))


@pytest.mark.parametrize("reader", ["openslide", "wsidicom"])
@pytest.mark.parametrize("named", ["folder", "file"])
def test_a_series_reads_back(tmp_path: Path, pixels: np.ndarray, reader: str, named: str) -> None:
    write_dicom(tmp_path / "a.dcm", pixels, icc=ICC)
    with open_slide(tmp_path if named == "folder" else tmp_path / "a.dcm", reader) as slide:
        assert slide.level_sizes == ((500, 300),)
        assert slide.tile_rows == 128
        found = slide.properties
        assert (found.mpp_x, found.mpp_y) == (pytest.approx(0.5), pytest.approx(0.5))
        assert (found.objective_power, found.vendor, found.icc) == (20, "dicom", ICC)
        assert np.array_equal(slide.read(0, 0, 0, 500, 300), pixels)
        assert np.array_equal(slide.read(0, 33, 101, 257, 99), pixels[101:200, 33:290])


def test_frames_left_out(tmp_path: Path, pixels: np.ndarray) -> None:
    write_dicom(tmp_path / "a.dcm", pixels, without=((128, 256),))
    expected = pixels.copy()
    for reader, colour in (("openslide", (241, 240, 239)), ("wsidicom", (255, 255, 255))):
        expected[128:256, 256:384] = colour
        with open_slide(tmp_path, reader) as slide:
            slide.fill = (241, 240, 239)
            assert np.array_equal(slide.read(0, 0, 0, 500, 300), expected)


def test_two_series_in_a_folder_are_refused_and_a_named_file_is_not(
    tmp_path: Path, pixels: np.ndarray
) -> None:
    write_dicom(tmp_path / "a.dcm", pixels)
    write_dicom(tmp_path / "b.dcm", pixels[::-1])
    for reader, reason in (("openslide", "more than one DICOM series"), ("wsidicom", "2 DICOM")):
        with pytest.raises(SlideError, match=reason):
            open_slide(tmp_path, reader)
        with open_slide(tmp_path / "b.dcm", reader) as slide:
            assert np.array_equal(slide.read(0, 0, 0, 500, 300), pixels[::-1])
    with pytest.raises(UsageError, match="may be one slide; name their folder"):
        find_slides([tmp_path / "a.dcm", tmp_path / "b.dcm"])


def test_other_files_are_not_dicom(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(b"x" * 200)
    for path in (tmp_path, tmp_path / "a.dcm"):
        with pytest.raises(SlideError, match="wsidicom: not DICOM"):
            open_slide(path)


def test_a_folder_is_a_slide_with_an_identity(tmp_path: Path, pixels: np.ndarray) -> None:
    series = tmp_path / "1.2.840.7"
    series.mkdir()
    write_dicom(series / "1.2.840.7.1", pixels)
    assert [slide.path for slide in find_slides([tmp_path])] == [series]
    assert [slide.path for slide in find_slides([series])] == [series]
    before = fingerprint(series)
    write_dicom(series / "1.2.840.7.2", pixels)
    assert fingerprint(series) != before
