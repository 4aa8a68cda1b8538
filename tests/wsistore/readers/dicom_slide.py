"""A small DICOM VL whole-slide image, written with pydicom, to read back."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

SLIDE_IMAGE = "1.2.840.10008.5.1.4.1.1.77.1.6"


def _of(**values: object) -> Dataset:
    made = Dataset()
    for name, value in values.items():
        setattr(made, name, value)
    return made


def write_dicom(
    path: Path,
    image: np.ndarray,
    tile: int = 128,
    mpp: float = 0.5,
    without: tuple[tuple[int, int], ...] = (),
    icc: bytes | None = None,
    photometric: str = "RGB",
    encode: Callable[[np.ndarray], bytes] | None = None,
    syntax: str = ExplicitVRLittleEndian,
    order: str = "rows",
    change: Callable[[Dataset], None] | None = None,
) -> None:
    """Write (h, w, 3) uint8 as tiles; those at (y, x) in ``without`` are left out.

    Args:
        photometric: the tag, whatever the frames are.
        encode: a tile to its compressed bytes; uncompressed by default.
        syntax: the transfer syntax that fits.
        order: of frames: ``"rows"``, or ``"columns"``, against what the tags say.
        change: what to do to the data set before it is written.
    """
    height, width = image.shape[:2]
    ds = _of(
        SOPClassUID=SLIDE_IMAGE, SOPInstanceUID=generate_uid(),
        StudyInstanceUID=generate_uid(), SeriesInstanceUID=generate_uid(),
        FrameOfReferenceUID=generate_uid(), PositionReferenceIndicator="SLIDE_CORNER",
        Modality="SM", ImageType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"],
        PatientName="X", PatientID="1", PatientBirthDate="", PatientSex="", StudyDate="",
        StudyTime="", StudyID="", AccessionNumber="", ReferringPhysicianName="",
        SeriesNumber=1, InstanceNumber=1, Manufacturer="m", ManufacturerModelName="m",
        DeviceSerialNumber="1", SoftwareVersions="1", ContentDate="20200101",
        ContentTime="000000", AcquisitionDateTime="20200101000000",
        DimensionOrganizationType="TILED_SPARSE" if without else "TILED_FULL",
        DimensionOrganizationSequence=Sequence([_of(DimensionOrganizationUID=generate_uid())]),
        ImagedVolumeWidth=width * mpp / 1000, ImagedVolumeHeight=height * mpp / 1000,
        ImagedVolumeDepth=0.001, TotalPixelMatrixColumns=width, TotalPixelMatrixRows=height,
        TotalPixelMatrixFocalPlanes=1, NumberOfOpticalPaths=1,
        TotalPixelMatrixOriginSequence=Sequence(
            [_of(XOffsetInSlideCoordinateSystem=0.0, YOffsetInSlideCoordinateSystem=0.0)]
        ),
        ImageOrientationSlide=[0, 1, 0, 1, 0, 0], SamplesPerPixel=3,
        PhotometricInterpretation=photometric, PlanarConfiguration=0, Rows=tile, Columns=tile,
        BitsAllocated=8, BitsStored=8, HighBit=7, PixelRepresentation=0,
        LossyImageCompression="00", BurnedInAnnotation="NO", SpecimenLabelInImage="NO",
        FocusMethod="AUTO", ExtendedDepthOfField="NO", VolumetricProperties="VOLUME",
        ContainerIdentifier="c", IssuerOfTheContainerIdentifierSequence=Sequence([]),
        ContainerTypeCodeSequence=Sequence([]), AcquisitionContextSequence=Sequence([]),
        SpecimenDescriptionSequence=Sequence([_of(
            SpecimenIdentifier="s", SpecimenUID=generate_uid(),
            IssuerOfTheSpecimenIdentifierSequence=Sequence([]),
            SpecimenPreparationSequence=Sequence([]),
        )]),
    )  # fmt: skip
    path_of_light = _of(
        OpticalPathIdentifier="1", ObjectiveLensPower=20,
        IlluminationTypeCodeSequence=Sequence([_of(
            CodeValue="111744", CodingSchemeDesignator="DCM", CodeMeaning="Brightfield",
        )]),
        IlluminationColorCodeSequence=Sequence([_of(
            CodeValue="11744", CodingSchemeDesignator="DCM", CodeMeaning="Full Spectrum",
        )]),
    )  # fmt: skip
    if icc is not None:
        path_of_light.ICCProfile = icc
    ds.OpticalPathSequence = Sequence([path_of_light])
    measures = _of(PixelSpacing=[mpp / 1000, mpp / 1000], SliceThickness=0.001)
    ds.SharedFunctionalGroupsSequence = Sequence([_of(
        PixelMeasuresSequence=Sequence([measures]),
        WholeSlideMicroscopyImageFrameTypeSequence=Sequence([_of(FrameType=ds.ImageType)]),
        OpticalPathIdentificationSequence=Sequence([_of(OpticalPathIdentifier="1")]),
    )])  # fmt: skip
    frames, places = [], []
    for y in range(0, height, tile):
        for x in range(0, width, tile):
            if (y, x) in without:
                continue
            part = image[y : y + tile, x : x + tile]
            frame = np.full((tile, tile, 3), 255, np.uint8)
            frame[: part.shape[0], : part.shape[1]] = part
            frames.append(frame.tobytes() if encode is None else encode(frame))
            place = _of(
                ColumnPositionInTotalImagePixelMatrix=x + 1,
                RowPositionInTotalImagePixelMatrix=y + 1,
                XOffsetInSlideCoordinateSystem=0.0, YOffsetInSlideCoordinateSystem=0.0,
                ZOffsetInSlideCoordinateSystem=0.0,
            )  # fmt: skip
            places.append(_of(PlanePositionSlideSequence=Sequence([place])))
    ds.NumberOfFrames = len(frames)
    if without:
        ds.PerFrameFunctionalGroupsSequence = Sequence(places)
    if order == "columns":
        down, across = -(-height // tile), -(-width // tile)
        frames = [frames[n % down * across + n // down] for n in range(len(frames))]
    ds.PixelData = b"".join(frames) if encode is None else encapsulate(frames)
    ds["PixelData"].VR = "OB"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    if change is not None:
        change(ds)
    dcmwrite(path, ds, enforce_file_format=True)
