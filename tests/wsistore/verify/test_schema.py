"""The schemas: they fit what is written, and what the records hold."""

from dataclasses import fields

import pytest

from wsistore.tables.records import LATER_COLUMNS, CropRow, LevelRow, SlideRow
from wsistore.verify.schema import KINDS, MetadataError, parse, validator, violations


@pytest.mark.parametrize("kind", KINDS)
def test_schemas_are_schemas(kind: str) -> None:
    assert validator(kind).schema["title"].startswith("zarr.json of a")
    assert violations(kind, {}) != []


@pytest.mark.parametrize(
    ("name", "row"), [("slide", SlideRow), ("crop", CropRow), ("level", LevelRow)]
)
def test_records_have_the_columns_of_the_schema(name: str, row: type) -> None:
    part = validator("slide").schema["$defs"][name]
    names = [field.name for field in fields(row)]
    assert list(part["properties"]) == names
    # early stores lack what was recorded later
    assert part["required"] == [name for name in names if name not in LATER_COLUMNS[row]]
    assert part["additionalProperties"] is False


def test_json_is_read_strictly() -> None:
    for data, message in (
        (b'{"a": NaN}', "NaN, which is no JSON number"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1', "no whole JSON"),
        (b"", "no whole JSON"),
        (b"[1]", "a list, not a JSON object"),
        (b'{"a": "\xff"}', "no whole JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "no whole JSON"),
        (b"[" * 100_000, "nested deeper than 100"),
    ):
        with pytest.raises(MetadataError, match=message):
            parse(data)
