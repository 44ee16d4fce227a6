"""Letters: what the sender wrote is one part, what is attached are others, bounded in depth."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path

import pytest

from assistant.errors import DocumentError
from assistant.parts.readers import READERS, ReadContext, Reading
from assistant.parts.readers.rtf_in_msg import decompressed
from assistant.settings import IngestLimits, Ocr
from tests.unit import office_files
from tests.unit.office_files import letter

NO_OCR = Ocr(enabled=False)


def read(folder: Path, raw: bytes | EmailMessage, **limits: int) -> Reading:
    file = folder / "a.eml"
    file.write_bytes(raw if isinstance(raw, bytes) else raw.as_bytes())
    return READERS.build("mail").read(file, ReadContext(limits=IngestLimits(**limits), ocr=NO_OCR))


def test_a_letter_with_its_head_and_properties(tmp_path: Path) -> None:
    reading = read(tmp_path, letter("График отпусков", "Прошу прислать до 15 декабря.\n# не заголовок"))
    (part,) = reading.parts
    assert part.text.startswith("# График отпусков\n\n**From:** Анна Петрова <anna@example.org>")
    assert part.text.endswith("Прошу прислать до 15 декабря.\n\\# не заголовок")
    assert (part.kind, part.label) == ("page", None)
    assert reading.properties == {"title": "График отпусков", "author": "Анна Петрова", "date": "2024-09-02"}


@pytest.mark.parametrize("charset", ["koi8-r", "windows-1251", "utf-8"])
@pytest.mark.parametrize("declared", [True, False])
def test_the_body_in_every_charset(tmp_path: Path, charset: str, declared: bool) -> None:
    head = f"Subject: x\nFrom: a@b.c\nContent-Type: text/plain{f'; charset={charset}' if declared else ''}\n\n"
    assert (
        "Прошу прислать график" in read(tmp_path, head.encode() + "Прошу прислать график".encode(charset)).parts[0].text
    )


def test_a_subject_in_raw_bytes(tmp_path: Path) -> None:
    raw = "Subject: Отпуска сотрудников\nFrom: a@b.c\n\ntext".encode("cp1251")
    assert read(tmp_path, raw).parts[0].text.startswith("# Отпуска сотрудников\n")


def test_the_formatted_text_wins_for_it_has_the_tables(tmp_path: Path) -> None:
    message = letter("x", "План: 1 2")
    message.add_alternative("<table><tr><th>План</th></tr><tr><td>12</td></tr></table>", subtype="html")
    assert "| План |" in read(tmp_path, message).parts[0].text


def test_attachments_are_parts_of_their_own(tmp_path: Path) -> None:
    sheets = office_files.xlsx({"Итог": [["Грейд"], ["G1"]], "План": [["a"], ["b"]]})
    attached = {"оклады.xlsx": sheets, "note.txt": "Тихая записка".encode("cp1251"), "empty.docx": b""}
    body, *parts = read(tmp_path, letter("Отчёт", "Во вложении.", attached=attached)).parts
    assert [(part.kind, part.label) for part in parts] == [
        ("attachment", "оклады.xlsx › Итог"),
        ("attachment", "оклады.xlsx › План"),
        ("attachment", "note.txt"),
    ]
    assert parts[2].text == "# note.txt\n\nТихая записка"
    assert "G1" not in body.text
    assert "записка" not in body.text
    assert "- empty.docx: the file is empty" in body.text


def test_letters_in_letters_as_deep_as_allowed(tmp_path: Path) -> None:
    deepest = letter("Третье", "на дне", attached={"c.txt": b"deep enough"})
    message = letter("Первое", "сверху", attached={"1": letter("Второе", "середина", attached={"2": deepest})})
    parts = read(tmp_path, message, nesting=3).parts
    assert [part.label for part in parts] == [None, "Второе", "Второе › Третье", "Второе › Третье › c.txt"]
    first, second = read(tmp_path, message, nesting=1).parts
    assert "на дне" not in second.text
    assert "Третье: it is attached too deep (ingest.limits.nesting)" in second.text
    (only,) = read(tmp_path, message, nesting=0).parts
    assert "Второе: it is attached too deep" in only.text


def test_a_bomb_and_an_unknown_kind_are_named_not_fatal(tmp_path: Path) -> None:
    bomb = office_files.archive({"word/document.xml": b" " * (12 << 20)})
    attached = {"bomb.docx": bomb, "setup.exe": b"MZ\x90\x00\x03" + bytes(range(256)) * 20}
    (body,) = read(tmp_path, letter("x", "y", attached=attached)).parts
    assert "- bomb.docx: it unpacks to hundreds of times its size" in body.text
    assert "- setup.exe: files of this kind are not read" in body.text


def test_what_is_no_letter(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="not a letter"):
        read(tmp_path, b"just some text\n\nwithout any head")


def test_outlooks_packed_text() -> None:
    packed = (  # the example of MS-OXRTFCP
        b"\x2d\x00\x00\x00\x2b\x00\x00\x00\x4c\x5a\x46\x75\xf1\xc5\xc7\xa7\x03\x00\x0a\x00\x72\x63\x70\x67\x31\x32\x35\x42"
        b"\x32\x0a\xf3\x20\x68\x65\x6c\x09\x00\x20\x62\x77\x05\xb0\x6c\x64\x7d\x0a\x80\x0f\xa0"
    )
    assert decompressed(packed) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
    with pytest.raises(DocumentError, match="unknown way"):
        decompressed(b"\0" * 30)


def test_what_other_settings_would_open_is_lacking(tmp_path: Path) -> None:
    """Else a letter would not be read again once there is a password."""
    locked = bytearray(office_files.archive({"word/document.xml": "x"}))
    locked[6] |= 1
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    inner = letter("Внутри", "текст", attached={"locked.docx": bytes(locked)})
    found = read(tmp_path, letter("x", "y", attached={"a": inner, "setup.exe": b"MZ\x90\x00\x03" * 20}))
    assert found.lacking == ("locked.docx: it needs a password (ingest.passwords)",)
    assert read(tmp_path, letter("x", "y", attached={"note.txt": b"note"})).lacking == ()
