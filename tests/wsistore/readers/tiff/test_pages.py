"""TIFFs of several images: which is the slide, whatever their order, and which never are."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import ImageCms

from wsistore.errors import DamagedSlideError, SlideError, SlideImageError
from wsistore.readers import open_slide
from wsistore.readers.tiff.pages import slide_pages

SIZE = (512, 384)
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
TILED = {"tile": (64, 64), "photometric": "rgb", "metadata": None}
FLAT = {"rowsperstrip": 16, "photometric": "rgb", "metadata": None}


def picture(width: int, height: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(60, 250, (height, width, 3), dtype=np.uint8)


def per_cm(mpp: float) -> dict[str, object]:
    return {"resolution": (1e4 / mpp, 1e4 / mpp), "resolutionunit": "CENTIMETER"}


Images = Iterable[tuple[np.ndarray, dict[str, object]]]


def write(path: Path, images: Images) -> Path:
    with tifffile.TiffWriter(path) as file:
        for pixels, options in images:
            file.write(pixels, **options)
    return path


SLIDE = picture(*SIZE)
OVERVIEW = picture(160, 60, seed=1)
BASE = (SLIDE, {**TILED, **per_cm(0.5), "iccprofile": ICC})
HALF = (SLIDE[::2, ::2].copy(), {**TILED, **per_cm(1), "subfiletype": 1})
QUARTER = (SLIDE[::4, ::4].copy(), {**TILED, **per_cm(2), "subfiletype": 1})
FIRST = (OVERVIEW, {**TILED, **per_cm(40)})


def plain(image: tuple[np.ndarray, dict[str, object]]) -> tuple[np.ndarray, dict[str, object]]:
    """Return an image that is not marked as a reduced one."""
    return image[0], {**image[1], "subfiletype": 0}


@pytest.mark.parametrize(
    "images",
    [
        (BASE, HALF, QUARTER),
        (QUARTER, HALF, BASE),
        (HALF, BASE, QUARTER),
        (plain(QUARTER), plain(HALF), BASE),
        (FIRST, BASE, HALF, QUARTER),
        (HALF, FIRST, QUARTER, BASE),
    ],
)
def test_the_slide_is_the_largest_image_in_any_order(tmp_path: Path, images: Images) -> None:
    with open_slide(write(tmp_path / "a.tif", images)) as slide:
        assert slide.name == "tiffslide"
        assert slide.level_sizes == ((512, 384), (256, 192), (128, 96))
        for level, (pixels, _) in enumerate((BASE, HALF, QUARTER)):
            assert np.array_equal(slide.read(level, 0, 0, *slide.level_sizes[level]), pixels)
        # the scale and the profile are the slide's own, not the first image's
        found = slide.properties
        assert found.icc == ICC
        assert (found.mpp_x, found.mpp_y) == (pytest.approx(0.5), pytest.approx(0.5))
        said = ("it also holds what is no level of the slide and is not read (160 × 60 pixels)",)
        assert found.notes == (said if any(image is FIRST for image in images) else ())


def test_levels_may_be_subifds_behind_an_overview(tmp_path: Path) -> None:
    images = (FIRST, (SLIDE, {**BASE[1], "subifds": 2}), HALF, QUARTER)
    with open_slide(write(tmp_path / "a.tif", images)) as slide:
        assert slide.level_sizes == ((512, 384), (256, 192), (128, 96))
        assert np.array_equal(slide.read(1, 0, 0, 256, 192), HALF[0])


def test_what_is_no_reduced_copy_is_no_level(tmp_path: Path) -> None:
    twice = (HALF[0][::-1].copy(), HALF[1])
    odd = (picture(200, 192), {**TILED, "subfiletype": 1})
    with open_slide(write(tmp_path / "a.tif", (BASE, HALF, odd, twice, QUARTER))) as slide:
        # two images of one size cannot both be the level
        assert slide.level_sizes == ((512, 384), (128, 96))
        assert "(200 × 192 pixels)" in slide.properties.notes[0]


@pytest.mark.parametrize("reader", ["auto", "tiffslide", "openslide", "vips"])
@pytest.mark.parametrize("options", [TILED, {"tile": (64, 64), "photometric": "rgb"}, FLAT])
def test_images_of_one_size_leave_it_open(
    tmp_path: Path, reader: str, options: dict[str, object]
) -> None:
    path = write(tmp_path / "a.tif", [(picture(*SIZE, seed), options) for seed in range(3)])
    with pytest.raises(SlideError, match=r"3 images of 512 × 384 pixels|cannot be opened"):
        open_slide(path, reader)
    with pytest.raises(SlideImageError) as caught:
        open_slide(path)
    assert str(caught.value) == (
        "more than one of its images could be the slide (3 images of 512 × 384 pixels); "
        "export the one that is meant to a file of its own"
    )


def test_two_scans_of_one_glass_leave_it_open(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", (BASE, HALF, (picture(320, 300), TILED)))
    with pytest.raises(SlideImageError, match=r"\(512 × 384 pixels, 320 × 300 pixels\)"):
        open_slide(path)


def test_a_large_picture_beside_a_tiled_slide_leaves_it_open(tmp_path: Path) -> None:
    # the picture could be an unmarked macro
    path = write(tmp_path / "a.tif", ((picture(2000, 700), FLAT), (picture(256, 256), TILED)))
    with pytest.raises(SlideImageError, match=r"\(2000 × 700 pixels, 256 × 256 pixels\)"):
        open_slide(path)


APERIO = "Aperio Image Library v12.0.15\r\n"
OTHERS = [
    {**FLAT, "description": f"{APERIO}label 387x463"},
    {**TILED, "description": f"{APERIO}macro 1280x431"},
    {**FLAT, "subfiletype": 9},
    {**TILED, "subfiletype": 9},
    {**FLAT, "description": "Macro"},
    {**TILED, "description": "Label"},
    {**TILED, "description": "Label_Image"},
    {**FLAT, "extratags": [(285, 2, 0, "Thumbnail", True)]},
    {**FLAT, "description": "<PerkinElmer-QPI-ImageDescription><ImageType>Overview</ImageType>"},
]


@pytest.mark.parametrize("options", OTHERS)
def test_label_and_macro_are_no_slide_even_alone(
    tmp_path: Path, options: dict[str, object]
) -> None:
    path = write(tmp_path / "a.tif", ((picture(*SIZE), options),))
    for reader in ("auto", "tiffslide", "openslide", "vips"):
        with pytest.raises(SlideError, match=r"cannot be opened|holds no image of a slide"):
            open_slide(path, reader)
    with pytest.raises(SlideImageError, match=r"only label, macro or the like \(512 × 384 pixels"):
        open_slide(path)


@pytest.mark.parametrize("options", OTHERS)
def test_label_and_macro_are_passed_over_without_a_word(
    tmp_path: Path, options: dict[str, object]
) -> None:
    # larger than the slide, and first
    path = write(tmp_path / "a.tif", ((picture(1000, 600), options), BASE, HALF))
    with open_slide(path) as slide:
        assert slide.level_sizes == ((512, 384), (256, 192))
        assert np.array_equal(slide.read(0, 0, 0, *SIZE), SLIDE)
        assert slide.properties.notes == ()


def test_words_like_label_in_a_description_say_nothing(tmp_path: Path) -> None:
    for number, text in enumerate(("label-free imaging", "Macrophages, case 7", "Mapped 20x")):
        path = tmp_path / f"{number}.tif"
        write(path, ((SLIDE, {**TILED, "description": text}),))
        with open_slide(path) as slide:
            assert slide.level_sizes == (SIZE,)


def test_a_reduced_copy_alone_is_not_the_slide(tmp_path: Path) -> None:
    for options in (TILED, FLAT):
        path = write(tmp_path / "a.tif", ((picture(*SIZE), {**options, "subfiletype": 1}),))
        with pytest.raises(SlideImageError, match="marked as a reduced copy of one that the file"):
            open_slide(path)


def test_images_of_ome_are_told_by_their_names(tmp_path: Path) -> None:
    def write_ome(path: Path, images: list[tuple[str, np.ndarray]]) -> Path:
        with tifffile.TiffWriter(path, ome=True) as file:
            for name, pixels in images:
                metadata = {"Name": name, "axes": "YXS"}
                file.write(pixels, tile=(64, 64), photometric="rgb", metadata=metadata)
        return path

    macro = picture(600, 500)
    path = write_ome(tmp_path / "a.ome.tif", [("macro image", macro), ("scan", SLIDE)])
    with open_slide(path) as slide:
        assert np.array_equal(slide.read(0, 0, 0, *SIZE), SLIDE)
    with pytest.raises(SlideImageError, match="holds no image of a slide"):
        open_slide(write_ome(tmp_path / "b.ome.tif", [("b.svs [label image]", macro)]))
    path = write_ome(tmp_path / "c.ome.tif", [("scan 1", macro), ("scan 2", SLIDE)])
    with pytest.raises(SlideImageError, match="more than one of its images"):
        open_slide(path)


def test_openslide_is_not_let_take_the_first_image(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", (QUARTER, HALF, BASE))
    with pytest.raises(SlideError, match=r"takes an image of 256 × 192 pixels .* has 512 × 384"):
        open_slide(path, "openslide")
    svs = [
        (pixels, {**options, "description": f"{APERIO}x|AppMag = 20|MPP = 0.5"})
        for pixels, options in (plain(QUARTER), plain(HALF), BASE)
    ]
    with open_slide(write(tmp_path / "a.svs", svs)) as slide:
        assert slide.level_sizes == ((512, 384), (256, 192), (128, 96))


def test_an_untiled_slide_may_come_after_its_overview(tmp_path: Path) -> None:
    images = ((OVERVIEW, {**FLAT, **per_cm(40)}), (SLIDE, {**FLAT, **per_cm(0.5)}))
    with open_slide(write(tmp_path / "a.tif", images)) as slide:
        assert slide.name == "vips"
        assert np.array_equal(slide.read(0, 0, 0, *SIZE), SLIDE)
        assert np.array_equal(slide.read(0, 0, 0, *SIZE), SLIDE)  # a second pass opens it again
        assert slide.properties.mpp_x == pytest.approx(0.5)
        assert "160 × 60" in slide.properties.notes[0]


def test_a_volume_in_one_page_is_a_stack(tmp_path: Path) -> None:
    volume = np.stack([SLIDE, SLIDE[::-1]])
    path = write(
        tmp_path / "a.tif",
        ((volume, {"tile": (2, 64, 64), "photometric": "rgb", "volumetric": True}),),
    )
    with tifffile.TiffFile(path) as file, pytest.raises(SlideImageError, match="stack of 2 images"):
        slide_pages(file)


def test_a_tiff_without_a_page_is_said_to_have_none(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", (BASE,))
    data = bytearray(path.read_bytes())
    data[4:8] = (2**31).to_bytes(4, "little")
    path.write_bytes(data)
    for reader in ("tiffslide", "vips"):
        with pytest.raises(SlideError, match="cannot be opened") as caught:
            open_slide(path, reader)
        assert "macro" not in str(caught.value)


def test_images_of_perkinelmer_are_told_by_their_type(tmp_path: Path) -> None:
    def of(kind: str, image: tuple[np.ndarray, dict[str, object]]) -> tuple[np.ndarray, dict]:
        xml = (
            '<?xml version="1.0"?><PerkinElmer-QPI-ImageDescription>'
            f"<ImageType>{kind}</ImageType></PerkinElmer-QPI-ImageDescription>"
        )
        options = {**image[1], "description": xml, "software": "PerkinElmer-QPI"}
        options.pop("subfiletype", None)
        return image[0], options

    base, level = of("FullResolution", BASE), of("ReducedResolution", HALF)
    # the label is larger than the slide, so that its size would win
    label = of("Label", (picture(1000, 600), TILED))
    macro = of("Overview", (picture(800, 300), FLAT))
    thumbnail = of("Thumbnail", (SLIDE[::8, ::8].copy(), FLAT))
    for number, images in enumerate(
        ((base, thumbnail, level, macro, label), (label, macro, level, base))
    ):
        with open_slide(write(tmp_path / f"{number}.qptiff", images)) as slide:
            assert slide.level_sizes == ((512, 384), (256, 192))
            assert np.array_equal(slide.read(0, 0, 0, *SIZE), SLIDE)
            assert slide.properties.notes == ()
    with pytest.raises(SlideImageError, match="holds no image of a slide"):
        open_slide(write(tmp_path / "a.qptiff", (label, macro)))


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("how", ["cut", "astray"])
def test_a_list_of_images_that_breaks_off_is_damage(
    tmp_path: Path, bigtiff: bool, how: str
) -> None:
    # what is left would be taken for the slide
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path, bigtiff=bigtiff) as file:
        for pixels, options in (plain(QUARTER), plain(HALF), BASE):
            file.write(pixels, **options)
    with tifffile.TiffFile(path) as file:
        pages = file.pages
        last = pages[2].offset
    data = path.read_bytes()
    size = 8 if bigtiff else 4
    pointer = last.to_bytes(size, "little")
    assert data.count(pointer) == 1
    if how == "cut":
        data = data[:last]
    else:
        data = data.replace(pointer, (10**9).to_bytes(size, "little"))
    path.write_bytes(data)
    with pytest.raises(DamagedSlideError, match="images breaks off after 2"):
        open_slide(path)
