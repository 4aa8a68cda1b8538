from .classes import ALL_CLASSES, EXCLUDE_FLAG, MERGE_FLAG, ClassMap, parse_classes
from .discovery import find_slides
from .ids import BY_NAME, ID_RULES, another_file, distinct, stored_as
from .label_matching import LabelReport, Unmatched, label_report, slides_text
from .labels import Label, Labels, disagreement, match_labels, read_labels
from .slide import SlideFile, StoredSlide, slide_text
from .slide_files import (
    data_path,
    dicom_files,
    files_of_other_series,
    fingerprint,
    is_dicom,
    slide_bytes,
)

__all__ = [
    "ALL_CLASSES",
    "BY_NAME",
    "EXCLUDE_FLAG",
    "ID_RULES",
    "MERGE_FLAG",
    "ClassMap",
    "Label",
    "LabelReport",
    "Labels",
    "SlideFile",
    "StoredSlide",
    "Unmatched",
    "another_file",
    "data_path",
    "dicom_files",
    "disagreement",
    "distinct",
    "files_of_other_series",
    "find_slides",
    "fingerprint",
    "is_dicom",
    "label_report",
    "match_labels",
    "parse_classes",
    "read_labels",
    "slide_bytes",
    "slide_text",
    "slides_text",
    "stored_as",
]
