from pathlib import Path

import pytest

from wsistore.errors import SlideError
from wsistore.files.xml import parse_xml


def test_a_plain_document_in_any_encoding() -> None:
    text = '<?xml version="1.0" encoding="UTF-16"?><a b="é &amp; &lt;"/>'
    assert parse_xml(text.encode("utf-16"), "a.xml").attrib == {"b": "é & <"}


def test_no_document_type_is_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    laughs = "".join(
        f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 30)
    )  # fmt: skip
    for declared in (
        f'<!DOCTYPE a [<!ENTITY l0 "lol">{laughs}]><a b="&l29;"/>',
        f'<!DOCTYPE a [<!ENTITY x SYSTEM "{secret.as_uri()}">]><a>&x;</a>',
        f'<!DOCTYPE a SYSTEM "{secret.as_uri()}"><a/>',
        "<!DOCTYPE a><a/>",
    ):
        for data in (declared.encode(), declared.encode("utf-16")):
            with pytest.raises(SlideError, match=r"a\.xml: .*declares a document type") as caught:
                parse_xml(data, "a.xml")
            assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "data", [b"", b"<a>", b"<a/><b/>", b"\0\1", b'<?xml version="1.0" encoding="klingon"?><a/>']
)
def test_damage_is_one_sentence(data: bytes) -> None:
    with pytest.raises(SlideError, match=r"^a\.xml: cannot be read as XML: "):
        parse_xml(data, "a.xml")
