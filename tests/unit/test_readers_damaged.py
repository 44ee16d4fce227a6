"""Files that can't be read: each is a `DocumentError` with words for a person, whichever library stumbled."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import docx
import pytest
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from assistant.errors import DocumentError
from assistant.parts.readers import READERS
from assistant.parts.readers.text import decode

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x10" + bytes(range(256)) * 8


def refusal(reader: str, file: Path) -> str:
    with pytest.raises(DocumentError) as refused:
        READERS.build(reader).load_data(file)
    message = str(refused.value)
    assert len(message) < 300
    assert "Traceback" not in message
    return message


def a_docx() -> bytes:
    document, raw = docx.Document(), io.BytesIO()
    document.add_paragraph("текст")
    document.save(raw)
    return raw.getvalue()


def a_pdf(**options: object) -> bytes:
    raw = io.BytesIO()
    canvas = Canvas(raw, **options)
    canvas.drawString(72, 700, "Salaries of the managers")
    canvas.save()
    return raw.getvalue()


@pytest.mark.parametrize("reader", ["markdown", "text", "html"])
@pytest.mark.parametrize("raw", [b"", b" \r\n\t ", b"\xef\xbb\xbf", " \n".encode("utf-16")])
def test_an_empty_text_file(tmp_path: Path, reader: str, raw: bytes) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(raw)
    message = refusal(reader, file)
    assert "empty" in message or "no text" in message


@pytest.mark.parametrize(("reader", "name"), [("office", "a.docx"), ("pdf", "a.pdf")])
def test_an_empty_office_file(tmp_path: Path, reader: str, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    message = refusal(reader, tmp_path / name)
    assert "empty" in message or "damaged" in message


@pytest.mark.parametrize("raw", [PNG, bytes(4000), b"MZ\x90\x00\x03" + bytes(range(256)) * 20])
@pytest.mark.parametrize("reader", ["text", "markdown", "html"])
def test_a_binary_file_with_a_texts_name(tmp_path: Path, reader: str, raw: bytes) -> None:
    (tmp_path / "a.txt").write_bytes(raw)
    assert "it is not text" in refusal(reader, tmp_path / "a.txt")


@pytest.mark.parametrize(
    "raw", [b"%PDF-1.7\n garbage", b"no pdf at all", a_pdf()[:200], PNG], ids=["header", "text", "cut", "png"]
)
def test_a_damaged_pdf(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "a.pdf").write_bytes(raw)
    assert refusal("pdf", tmp_path / "a.pdf").startswith("it is damaged or not a PDF")


def test_a_pdf_with_a_password(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(a_pdf(encrypt=StandardEncryption("secret", ownerPassword="owner", strength=128)))
    assert refusal("pdf", tmp_path / "a.pdf").startswith("it needs a password")


def test_a_pdf_without_words(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "scan.pdf"))
    canvas.rect(100, 100, 200, 200, fill=1)
    canvas.save()
    assert "no text was found in it" in refusal("pdf", tmp_path / "scan.pdf")


def without(name: str) -> bytes:
    """A docx that lacks one of its parts."""
    raw = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(a_docx())) as whole, zipfile.ZipFile(raw, "w") as part:
        for entry in whole.infolist():
            if entry.filename != name:
                part.writestr(entry, whole.read(entry))
    return raw.getvalue()


@pytest.mark.parametrize(
    "raw",
    [a_docx()[:-500], a_docx()[:300], without("word/document.xml"), b"plain text", b"\xd0\xcf\x11\xe0" + bytes(900)],
    ids=["tail cut", "head only", "no document.xml", "text", "old .doc"],
)
def test_a_damaged_docx(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "a.docx").write_bytes(raw)
    assert refusal("office", tmp_path / "a.docx").startswith("it is damaged or not what its name says")


def test_a_docx_without_words(tmp_path: Path) -> None:
    docx.Document().save(str(tmp_path / "a.docx"))
    assert "no text was found" in refusal("office", tmp_path / "a.docx")


def test_nul_and_lone_surrogates_do_not_reach_the_database(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_bytes("<p>до&#0;после &#xD800; конец</p>".encode())
    (document,) = READERS.build("html").load_data(tmp_path / "a.html")
    assert "\0" not in document.text
    document.text.encode("utf-8")
    assert document.text.endswith("конец")


def test_decode_says_why_not() -> None:
    with pytest.raises(DocumentError, match="the file is empty"):
        decode(b"  ")
    with pytest.raises(DocumentError, match="it is not text"):
        decode(PNG)
