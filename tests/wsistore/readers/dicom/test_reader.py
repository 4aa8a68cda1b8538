"""DICOM series written here, read by OpenSlide and by wsidicom; no real slide has been at hand."""

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from imagecodecs import jpeg2k_encode
from PIL import Image, ImageCms

from wsistore.errors import SlideError, SlideImageError, UsageError
from wsistore.readers import open_slide
from wsistore.readers.checks.level_pixels import level_fault
from wsistore.readers.checks.seams import seam_warning
from wsistore.slides.discovery import find_slides
from wsistore.slides.slide_files import fingerprint

pytest.importorskip("wsidicom", reason="the dicom extra is not installed")

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.sequence import Sequence

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
        assert found.pixel_sizes[0].mpp == pytest.approx(0.5)
        assert (found.objective_power, found.vendor, found.icc) == (20, "dicom", ICC)
        assert np.array_equal(slide.read(0, 0, 0, 500, 300), pixels)
        assert np.array_equal(slide.read(0, 33, 101, 257, 99), pixels[101:200, 33:290])


def test_frames_left_out(tmp_path: Path, pixels: np.ndarray) -> None:
    write_dicom(tmp_path / "a.dcm", pixels, without=((128, 256),))
    expected = pixels.copy()
    for reader, color in (("openslide", (241, 240, 239)), ("wsidicom", (255, 255, 255))):
        expected[128:256, 256:384] = color
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


JPEG, JPEG_2000 = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.90"


def jpeg(tile: np.ndarray, **options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(tile).save(stream, "JPEG", quality=95, **options)
    return stream.getvalue()


def by_pillow(pixels: np.ndarray, encode: Callable[[np.ndarray], bytes]) -> np.ndarray:
    """The pixels as Pillow decodes each frame by itself, whatever tags say."""
    height, width = pixels.shape[:2]
    padded = np.full((384, 512, 3), 255, np.uint8)
    padded[:height, :width] = pixels
    for y in range(0, 384, 128):
        for x in range(0, 512, 128):
            part = np.s_[y : y + 128, x : x + 128]
            padded[part] = np.asarray(Image.open(io.BytesIO(encode(padded[part]))).convert("RGB"))
    return padded[:height, :width]


@pytest.mark.parametrize(
    ("kind", "options"),
    [("YCbCr", {}), ("YCbCr", {"subsampling": 0}), ("RGB", {"keep_rgb": True})],
)
@pytest.mark.parametrize("tag", ["RGB", "YBR_FULL_422", "YBR_FULL", "YBR_ICT"])
@pytest.mark.parametrize("reader", ["openslide", "wsidicom"])
def test_a_jpeg_streams_own_colors_win_over_the_tag(
    tmp_path: Path, pixels: np.ndarray, reader: str, tag: str, kind: str, options: dict[str, object]
) -> None:
    encode = partial(jpeg, **options)
    write_dicom(tmp_path / "a.dcm", pixels, photometric=tag, encode=encode, syntax=JPEG)
    refused = reader == "openslide" and (tag in ("YBR_FULL", "YBR_ICT") or tag[0] != kind[0])
    if refused and (tag, kind) != ("RGB", "YCbCr"):
        with pytest.raises(SlideError, match=r"Unsupported photometric|believe the tag"):
            open_slide(tmp_path, reader)
        return
    with open_slide(tmp_path, reader) as slide:
        assert np.array_equal(slide.read(0, 0, 0, 500, 300), by_pillow(pixels, encode))
        said = f"its photometric tag says {tag}, its JPEG frames say {kind} themselves; "
        agree = tag[0] == kind[0]
        assert slide.properties.notes == (() if agree else (f"{said}the frames' word was taken",))


def test_openslides_frames_left_out_stay_left_out(tmp_path: Path, pixels: np.ndarray) -> None:
    write_dicom(
        tmp_path / "a.dcm", pixels, photometric="RGB", encode=jpeg, syntax=JPEG,
        without=((128, 256),),
    )  # fmt: skip
    expected = by_pillow(pixels, jpeg)
    expected[128:256, 256:384] = (241, 240, 239)
    with open_slide(tmp_path) as slide:
        slide.fill = (241, 240, 239)
        assert np.array_equal(slide.read(0, 0, 0, 500, 300), expected)
    with pytest.raises(SlideError, match="of a sparse series it does not tell"):
        open_slide(tmp_path, "wsidicom")


def jpeg2000(tile: np.ndarray, transform: bool = False) -> bytes:
    return bytes(jpeg2k_encode(tile, level=0, codecformat="j2k", mct=transform, reversible=True))


def test_jpeg_2000_by_its_tag_where_its_stream_says_nothing(
    tmp_path: Path, pixels: np.ndarray
) -> None:
    """Frames that hold YCbCr without a transform of their own, as Aperio's kind 33003 does."""

    def as_ycbcr(tile: np.ndarray) -> bytes:
        return jpeg2000(np.asarray(Image.fromarray(tile).convert("YCbCr")))

    write_dicom(
        tmp_path / "a.dcm", pixels, photometric="YBR_FULL", encode=as_ycbcr, syntax=JPEG_2000
    )
    with open_slide(tmp_path) as slide:
        assert slide.name == "wsidicom"
        expected = Image.fromarray(pixels).convert("YCbCr").convert("RGB")
        off = np.abs(slide.read(0, 0, 0, 500, 300).astype(int) - np.asarray(expected))
        assert off.max() <= 1  # Pillow's own matrix is rounded otherwise than libjpeg's


@pytest.mark.parametrize("tag", ["RGB", "YBR_RCT"])
@pytest.mark.parametrize("reader", ["openslide", "wsidicom"])
def test_jpeg_2000_with_its_own_transform(
    tmp_path: Path, pixels: np.ndarray, tag: str, reader: str
) -> None:
    encode = partial(jpeg2000, transform=True)
    write_dicom(tmp_path / "a.dcm", pixels, photometric=tag, encode=encode, syntax=JPEG_2000)
    with open_slide(tmp_path, reader) as slide:
        assert np.array_equal(slide.read(0, 0, 0, 500, 300), pixels)
        assert slide.properties.notes == ()


def test_a_tag_that_the_frames_know_nothing_of_is_refused(
    tmp_path: Path, pixels: np.ndarray
) -> None:
    write_dicom(tmp_path / "a.dcm", pixels, photometric="YBR_RCT", encode=jpeg2000,
                syntax=JPEG_2000)  # fmt: skip
    for reader in ("openslide", "wsidicom"):
        with pytest.raises(SlideError, match="tag says YBR_RCT, of which its frames show nothing"):
            open_slide(tmp_path, reader)


def drop_ratio(dataset: Dataset) -> None:
    dataset.LossyImageCompression = "01"
    dataset.LossyImageCompressionMethod = "ISO_10918_1"
    dataset.OpticalPathSequence[0].ObjectiveLensPower = None


def empty_illumination(dataset: Dataset) -> None:
    dataset.OpticalPathSequence[0].IlluminationTypeCodeSequence = Sequence([Dataset()])


def empty_preparation(dataset: Dataset) -> None:
    specimen = dataset.SpecimenDescriptionSequence[0]
    specimen.SpecimenPreparationSequence = Sequence([Dataset()])


@pytest.mark.parametrize("change", [drop_ratio, empty_illumination, empty_preparation])
def test_metadata_that_pixels_do_not_need_decides_nothing(
    tmp_path: Path, pixels: np.ndarray, change: Callable[[Dataset], None]
) -> None:
    write_dicom(tmp_path / "a.dcm", pixels, icc=ICC, change=change)
    with open_slide(tmp_path, "wsidicom") as slide:
        assert np.array_equal(slide.read(0, 0, 0, 500, 300), pixels)
        found = slide.properties
        # what is there is read all the same
        assert (found.icc, found.mpp_x) == (ICC, pytest.approx(0.5))
        assert found.objective_power == (None if change is drop_ratio else 20)
        (note,) = found.notes
        assert note.startswith("parts of its metadata cannot be read (")
        assert note.endswith("it gives no objective power") == (change is drop_ratio)


def test_a_warning_quotes_nothing_of_the_patient(
    tmp_path: Path, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def name(dataset: Dataset) -> None:
        dataset.PatientName = "Doe^Jane"

    write_dicom(tmp_path / "a.dcm", pixels, change=name)
    for said, noted in (("'Doe^Jane' is no name", "ValueError"), ("ratios 0", "ratios 0")):

        def fail(slide: object, said: str = said) -> None:
            raise ValueError(said)

        monkeypatch.setattr("wsidicom.WsiDicom.metadata", property(fail))
        with open_slide(tmp_path, "wsidicom") as slide:
            assert slide.properties.notes[0].startswith(
                f"parts of its metadata cannot be read ({noted})"
            )


def test_an_element_that_cannot_be_read_decides_nothing_and_quotes_nothing(
    tmp_path: Path, pixels: np.ndarray
) -> None:
    def number(dataset: Dataset) -> None:
        dataset.AccessionNumber = "A1234567"

    write_dicom(tmp_path / "a.dcm", pixels, change=number)
    data = (tmp_path / "a.dcm").read_bytes()
    known, unknown = (bytes((8, 0, 0x50, 0)) + kind for kind in (b"SH", b"SJ"))
    assert data.count(known) == 1
    (tmp_path / "a.dcm").write_bytes(data.replace(known, unknown))
    with open_slide(tmp_path, "wsidicom") as slide:
        assert np.array_equal(slide.read(0, 0, 0, 500, 300), pixels)
        (note,) = slide.properties.notes
        assert note.startswith("parts of its metadata cannot be read (NotImplementedError)")


@pytest.mark.parametrize("step", ["frame_colors", "_base", "WsiDicomReader._stated"])
def test_whatever_a_step_of_opening_raises_is_the_slides(
    step: str, tmp_path: Path, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise NotImplementedError("of no kind that anybody knows")

    write_dicom(tmp_path / "a.dcm", pixels)
    monkeypatch.setattr(f"wsistore.readers.dicom.reader.{step}", fail)
    with pytest.raises(SlideError, match="wsidicom: of no kind that anybody knows"):
        open_slide(tmp_path, "wsidicom")


@pytest.mark.filterwarnings("ignore:The value length")
def test_the_real_slide_with_broken_metadata_equals_its_svs(cases: Path, cmu: Path) -> None:
    folder = cases / "dicom-optional-metadata" / "wsic-dicom"
    with open_slide(folder) as slide, open_slide(cmu) as svs:
        assert slide.level_sizes == svs.level_sizes
        size = slide.level_sizes[0]
        assert np.array_equal(slide.read(0, 0, 0, *size), svs.read(0, 0, 0, *size))
        assert slide.properties.notes[0].startswith("its photometric tag says YBR_FULL, its JPEG")
        assert "number of ratios 0" in slide.properties.notes[1]
        assert "no objective power and no color profile" in slide.properties.notes[1]


def test_the_real_slide_whose_tags_lie_has_its_streams_colors(cases: Path) -> None:
    path = cases / "dicom-tags-lie" / "small_dicom_imagetype_added.dcm"
    frame = next(generate_frames(dcmread(path).PixelData, number_of_frames=42))
    expected = np.asarray(Image.open(io.BytesIO(frame)).convert("RGB"))
    with open_slide(path) as slide:
        assert np.array_equal(slide.read(0, 0, 0, 500, 500), expected)
        assert "tag says RGB, its JPEG frames say YCbCr" in slide.properties.notes[0]
        assert "borders of frames" in seam_warning(slide)


@pytest.mark.parametrize("reader", ["openslide", "wsidicom"])
def test_frames_in_another_order_than_the_tags_say_leave_seams(
    tmp_path: Path, pixels: np.ndarray, reader: str
) -> None:
    for order in ("rows", "columns"):
        (tmp_path / order).mkdir()
        write_dicom(tmp_path / order / "a.dcm", pixels, tile=64, order=order)
        with open_slide(tmp_path / order, reader) as slide:
            assert slide.frame_size == (64, 64)
            said = seam_warning(slide)
            assert ("another order than its tags say" in said) == (order == "columns")


def _typed(kind: str, series: str) -> Callable[[Dataset], None]:
    """Return what makes an image of a series out of a data set, ``kind`` in its ImageType."""

    def change(ds: Dataset) -> None:
        ds.ImageType = ["ORIGINAL", "PRIMARY", kind, "NONE"]
        groups = ds.SharedFunctionalGroupsSequence[0]
        groups.WholeSlideMicroscopyImageFrameTypeSequence[0].FrameType = ds.ImageType
        for uid in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
            setattr(ds, uid, series)

    return change


@pytest.mark.parametrize("reader", ["openslide", "wsidicom"])
@pytest.mark.parametrize("kind", ["LABEL", "OVERVIEW", "THUMBNAIL"])
def test_label_and_overview_are_never_the_slide(
    tmp_path: Path, pixels: np.ndarray, reader: str, kind: str
) -> None:
    macro = np.full((600, 900, 3), 90, np.uint8)
    write_dicom(tmp_path / "a.dcm", macro, change=_typed(kind, "1.2.3"))
    with pytest.raises(SlideError, match="cannot be opened"):
        open_slide(tmp_path, reader)
    write_dicom(tmp_path / "b.dcm", pixels, change=_typed("VOLUME", "1.2.3"))
    with open_slide(tmp_path, reader) as slide:
        assert slide.level_sizes == ((500, 300),)
        assert np.array_equal(slide.read(0, 0, 0, 500, 300), pixels)


@pytest.mark.parametrize("reader", ["auto", "openslide", "wsidicom"])
@pytest.mark.parametrize("size", [(200, 700), (300, 500)])
def test_two_slides_in_a_series_leave_it_open(
    tmp_path: Path, pixels: np.ndarray, reader: str, size: tuple[int, int]
) -> None:
    # wsidicom takes the first file's and leaves out the other, OpenSlide the wider one
    write_dicom(tmp_path / "a.dcm", pixels, change=_typed("VOLUME", "1.2.3"))
    other = np.zeros((*size, 3), np.uint8)
    write_dicom(tmp_path / "b.dcm", other, change=_typed("VOLUME", "1.2.3"))
    with pytest.raises(SlideError, match=r"could be the slide \(|openslide: Reading"):
        open_slide(tmp_path, reader)
    if reader == "auto":
        with pytest.raises(SlideImageError, match=r"500 × 300 pixels.*into a folder of their own"):
            open_slide(tmp_path)


@pytest.mark.parametrize("reader", ["openslide", "wsidicom"])
def test_a_white_level_is_noticed(tmp_path: Path, pixels: np.ndarray, reader: str) -> None:
    half = pixels[::2, ::2].copy()
    write_dicom(tmp_path / "a.dcm", pixels, change=_typed("VOLUME", "1.2.3"))
    for level, fault in ((half, ""), (np.full_like(half, 255), "does not show what level 0")):
        write_dicom(tmp_path / "b.dcm", level, mpp=1.0, change=_typed("VOLUME", "1.2.3"))
        with open_slide(tmp_path, reader) as slide:
            assert slide.level_sizes == ((500, 300), (250, 150))
            found = level_fault(slide, 1)
            assert fault in found
            assert bool(found) == bool(fault)


def test_a_linked_file_is_its_series_and_named_by_the_link(
    tmp_path: Path, pixels: np.ndarray
) -> None:
    for name, image in (("DOE", pixels), ("ROE", pixels[::-1])):
        folder = tmp_path / "archive" / name
        folder.mkdir(parents=True)
        write_dicom(folder / "1.dcm", image)
        write_dicom(folder / "2.dcm", image[:, ::-1])  # of another series
    (tmp_path / "in").mkdir()
    for number, name in enumerate(("DOE", "ROE"), start=1):
        (tmp_path / "in" / f"P{number}.dcm").symlink_to(tmp_path / "archive" / name / "1.dcm")
    for reader in ("openslide", "wsidicom"):
        with open_slide(tmp_path / "in" / "P2.dcm", reader) as slide:
            assert np.array_equal(slide.read(0, 0, 0, 500, 300), pixels[::-1])
    (tmp_path / "in" / "P3").symlink_to(tmp_path / "archive" / "DOE")
    with pytest.raises(SlideError, match="more than one DICOM series") as refused:
        open_slide(tmp_path / "in" / "P3")
    assert "DOE" not in str(refused.value)
