"""Stored targets: what a teacher says of each crop, as Zarr arrays; docs/targets-format.md."""
