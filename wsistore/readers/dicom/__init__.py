"""DICOM slides through wsidicom."""
