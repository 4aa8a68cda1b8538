import pytest

from wsistore.files.text_encoding import EncodingError, decode


@pytest.mark.parametrize(
    "text",
    [
        "Größe, Füße, Öl, ÖDEM, Äste",
        "dysplasie sévère; à revoir; cœur".replace("œ", "oe"),
        "niño, ¿tumor?, año",
        "hyvänlaatuinen, pääasiallinen, Ångström, blåbær, øre",
        "l’hépatite – 5 µm², 3 °C, «cas», 20 €",
    ],
)
def test_western_words_in_windows_1252(text: str) -> None:
    assert decode(text.encode("cp1252")) == (text, "Windows-1252")
    assert decode(text.encode()) == (text, "")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("злокачественная", "cp1251"), ("φλεγμονή", "cp1253"), ("żołądek, łagodny", "cp1250"),
        ("größer", "mac-roman"), ("sévère", "mac-roman"), ("größer", "cp437"), ("암", "euc-kr"),
    ],
)  # fmt: skip
def test_other_code_pages_are_not_taken_for_it(text: str, encoding: str) -> None:
    with pytest.raises(EncodingError, match="neither UTF-8 nor plainly Windows-1252"):
        decode(f"slide,{text},x".encode(encoding))
