"""Text layers: wrong encodings are put right, nonsense is told from text, and real text is never taken for nonsense."""

from __future__ import annotations

import json
import random

import pytest

from assistant.parts.text_layer import garbled, unscrambled
from tests.conftest import SHARED
from tests.truth.sentences import Writer

RUSSIAN = (
    "Приказ о приёме на работу. Настоящий порядок устанавливает правила учёта договоров — «срочно» и в полном объёме."
)


@pytest.mark.parametrize("wrong", ["latin-1", "cp1252"])
def test_windows_1251_read_as_western(wrong: str) -> None:
    text = RUSSIAN.replace("—", "-") + " № 5"
    scrambled = text.encode("cp1251").decode(wrong)
    assert "Ïðèêàç" in scrambled
    assert garbled(scrambled)
    assert unscrambled(scrambled) == (text, pytest.approx(14, abs=3))


def test_utf8_read_as_western() -> None:
    fixed, words = unscrambled(RUSSIAN.encode().decode("latin-1"))
    assert fixed == RUSSIAN
    assert words > 10
    western = "".join(bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in RUSSIAN.encode())
    assert "â€”" in western
    assert unscrambled(western)[0] == RUSSIAN


@pytest.mark.parametrize(("really", "read_as"), [("cp1251", "koi8-r"), ("koi8-r", "cp1251")])
def test_one_cyrillic_encoding_read_as_another(really: str, read_as: str) -> None:
    text = RUSSIAN.replace("—", "-").replace("«", '"').replace("»", '"').replace("ё", "е")
    scrambled = text.encode(really).decode(read_as)
    assert garbled(scrambled)
    assert unscrambled(scrambled)[0] == text


@pytest.mark.parametrize(
    "text",
    [
        RUSSIAN,
        "L'été dernier, où êtes-vous allés ? Une pièce à côté de la forêt.",
        "Größe, Übung, süß: Änderungen ändern nichts.",
        "Työntekijä käyttää äänestystä yöllä, Ääni.",
        "Ünïted Çà et là À É",
        "VPN, ISO-27001, 12.05.2024, a@b.ru",
    ],
)
def test_real_text_stays(text: str) -> None:
    assert unscrambled(text) == (text, 0)
    assert not garbled(text)


@pytest.mark.parametrize("lang", ["ru", "en"])
def test_a_substituted_alphabet_is_nonsense(lang: str) -> None:
    alphabet = "абвгдежзийклмнопрстуфхцчшщъыьэюя" if lang == "ru" else "abcdefghijklmnopqrstuvwxyz"
    others = list(alphabet)
    random.Random(5).shuffle(others)
    text = Writer(lang, "nonsense").paragraph(4)
    assert not garbled(text)
    assert garbled(text.lower().translate(str.maketrans(alphabet, "".join(others))))


def test_glyphs_that_are_no_letters() -> None:
    text = Writer("ru", "glyphs").paragraph(3)
    assert garbled("".join(chr(0xF000 + ord(letter) % 256) if letter != " " else " " for letter in text))
    assert garbled(text.replace("о", "\ufffd").replace("а", "\ufffd"))
    assert not garbled("\n".join(f"\uf0b7 {line}" for line in text.split(". ")))  # bullets of a symbol font


@pytest.mark.shared
def test_good_pages_of_real_documents_are_not_taken_for_nonsense() -> None:
    manifest = SHARED / "manifest.jsonl"
    from assistant.parts.pdf_files import opened
    from assistant.parts.readers.pdf_pages import page_of

    rows = [json.loads(line) for line in manifest.read_text("utf-8").splitlines()]
    chosen = [row for row in rows if row["kind"] == "pdf" and row["lang"] == "ru" and "digital" in row["tags"]]
    pages = taken = 0
    for row in chosen:
        if "complex_ttf_font" in row["file"]:  # a font made to break readers: it is nonsense
            continue
        with opened(SHARED / row["file"], ()) as (document, _):
            whys = [page_of(document, number).why for number in range(min(12, len(document)))]
        pages += len(whys)
        taken += whys.count("garbled")
    assert pages > 150
    assert taken == 0
