"""Plain text, tables of text and front matter: encodings and separators are found out."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.errors import DocumentError
from assistant.parts.readers import READERS, ReadContext, Reading
from assistant.parts.readers.decoding import decode
from assistant.parts.readers.text import front_matter
from assistant.settings import IngestLimits

RUSSIAN = 'Ежегодный отпуск - 28 календарных дней. "Ёлка" и подъезд; Федеральный закон № 5.'


def read(folder: Path, reader: str, name: str, raw: bytes, **limits: int) -> Reading:
    (folder / name).write_bytes(raw)
    return READERS.build(reader).read(folder / name, ReadContext(limits=IngestLimits(**limits)))


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "cp1251", "koi8-r", "cp866", "mac-cyrillic"],
)
@pytest.mark.parametrize("text", [RUSSIAN, "Пропуск", "Цель проекта:\n\tщит Б-12\n" * 300])
def test_russian_in_every_encoding(encoding: str, text: str) -> None:
    raw = text.encode(encoding, "ignore")
    assert decode(raw) == raw.decode(encoding)


def test_a_file_cut_off_inside_a_letter_is_still_utf8() -> None:
    assert decode(RUSSIAN.encode() + "ё".encode()[:1]).startswith(RUSSIAN)


def test_other_languages_in_latin_letters() -> None:
    text = "Größe und Maße; naïve façade in Århus – “quoted”"
    assert decode(text.encode("cp1252")) == text


@pytest.mark.parametrize(
    "raw", [bytes(range(256)) * 16, bytes(4096), b"\x7fELF\x02\x01\x01" + bytes(60), b"\x01\x02\x03" * 99]
)
def test_binary_data_is_refused(raw: bytes) -> None:
    with pytest.raises(DocumentError, match="it is not text"):
        decode(raw)


@pytest.mark.parametrize("separator", [";", ",", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1251"])
def test_csv_with_any_separator(tmp_path: Path, separator: str, encoding: str) -> None:
    lines = ["Дата\tСумма\tТовар", '01.02.2024\t"1,5"\t"две\nстроки"', "02.02.2024\t7\tконец"]
    raw = "\n".join(lines).replace("\t", separator).encode(encoding)
    (part,) = read(tmp_path, "csv", "a.csv", raw).parts
    assert part.text.split("\n") == [
        "| Дата | Сумма | Товар |",
        "| --- | --- | --- |",
        "| 01.02.2024 | 1,5 | две строки |",
        "| 02.02.2024 | 7 | конец |",
    ]


def test_csv_of_uneven_rows_and_with_excels_note_of_the_separator(tmp_path: Path) -> None:
    (part,) = read(tmp_path, "csv", "a.csv", b"sep=;\na;b,c\n1;2;3|4\n").parts
    assert part.text.split("\n") == ["| a | b,c |  |", "| --- | --- | --- |", "| 1 | 2 | 3\\|4 |"]


def test_a_huge_line_is_refused_before_it_is_cut(tmp_path: Path) -> None:
    raw = b"word," * 400_000
    with pytest.raises(DocumentError, match="more than 1000000 characters"):
        read(tmp_path, "csv", "a.csv", raw, text_chars=1_000_000)
    with pytest.raises(DocumentError, match="it is not a table"):
        read(tmp_path, "csv", "a.csv", b'"' + b"x" * 2_000_000)


def test_front_matter_becomes_properties(tmp_path: Path) -> None:
    raw = "---\ntitle: Положение\ndate: 2024-03-01\nvalid_from: 2024-04-01 10:00:00\ntags: [а, 2024-01-02]\n---\n# Текст\n"
    reading = read(tmp_path, "markdown", "a.md", raw.encode())
    assert reading.parts[0].text == "# Текст"
    assert reading.properties == {
        "title": "Положение",
        "date": "2024-03-01",
        "valid_from": "2024-04-01T10:00:00",
        "tags": ["а", "2024-01-02"],
    }


@pytest.mark.parametrize(
    "head", ["---\nне: [закрыто\n---\n", "---\nпросто строка\n---\n", "---\na: 1\n", "текст\n---\na: 1\n---\n"]
)
def test_what_is_no_front_matter_stays(tmp_path: Path, head: str) -> None:
    reading = read(tmp_path, "markdown", "a.md", f"{head}конец".encode())
    assert (reading.parts[0].text, reading.properties) == (f"{head}конец", {})


def test_a_page_of_an_archive_is_read_as_the_page(tmp_path: Path) -> None:
    raw = (
        "From: <saved>\nSubject: Page\nMIME-Version: 1.0\nContent-Type: multipart/related; boundary=x\n\n--x\n"
        "Content-Type: text/html; charset=windows-1251\n\n<h1>Оклады</h1>\n--x\nContent-Type: image/png\n"
        "Content-ID: <a>\n\nxx\n--x--\n"
    ).encode("cp1251")
    (part,) = read(tmp_path, "html", "a.mht", raw).parts
    assert "# Оклады" in part.text


def test_the_title_of_a_page_and_what_templates_call_theirs(tmp_path: Path) -> None:
    page = "<html><head><title>{}</title></head><body><p>текст</p></body></html>"
    assert read(tmp_path, "html", "a.html", page.format("О &laquo;нас&raquo;").encode()).properties == {
        "file_title": "О «нас»"
    }
    for junk in ("Microsoft Word - x.doc", "Документ1", "untitled", "", "Лист 2", "приказ.docx"):
        assert read(tmp_path, "html", "a.html", page.format(junk).encode()).properties == {}


def test_front_matter_that_is_an_attack_or_a_curiosity() -> None:
    """Numbers that no database has room for, values that JSON does not have, references that multiply or run in circles."""
    said = "x: !!binary aGVsbG8=\ny: !!set {a, b}\nz: .nan\nw: 0x" + "f" * 6000 + "\nv: .inf\nlevel: 2\nok: yes\n"
    properties, text = front_matter(f"---\n{said}---\ntext")
    assert ({key: value for key, value in properties.items() if value is not None}, text) == (
        {"level": 2, "ok": True},
        "text",
    )
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n"
    bomb += "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(20))
    for hostile in (bomb, "a: &a [*a]\n"):
        whole = f"---\n{hostile}---\ntext"
        assert front_matter(whole) == ({}, whole)
