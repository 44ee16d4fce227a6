"""Readers on real small files: the text comes whole, in any encoding, with headings, tables and page numbers."""

from __future__ import annotations

from pathlib import Path

import docx
import pytest
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from assistant.parts.readers import READERS
from tests.conftest import need

RUSSIAN = "Ежегодный отпуск — 28 календарных дней. Заявление подают за 14 дней до начала; ёлка и подъезд."
FONT = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")
DOCS = Path(__file__).parents[2] / "data/docs"


def read(reader: str, file: Path) -> list[tuple[str | None, str]]:
    documents = READERS.build(reader).load_data(file)
    return [(document.metadata.get("page_label"), document.text) for document in documents]


def write(folder: Path, name: str, raw: bytes) -> Path:
    file = folder / name
    file.write_bytes(raw)
    return file


@pytest.mark.parametrize("reader", ["markdown", "text"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1251", "koi8-r", "cp866", "utf-16"])
def test_russian_text_in_every_encoding_of_the_office(tmp_path: Path, reader: str, encoding: str) -> None:
    text = RUSSIAN if encoding.startswith("utf") else RUSSIAN.replace("—", "-")
    found = read(reader, write(tmp_path, "Отпуск.txt", text.encode(encoding)))
    assert found == [(None, text)]


@pytest.mark.parametrize("encoding", ["cp1251", "koi8-r"])
def test_a_short_note_is_enough_to_tell_the_encoding(tmp_path: Path, encoding: str) -> None:
    note = "Пропуск выдаёт охрана на первом этаже."
    assert read("text", write(tmp_path, "a.txt", note.encode(encoding))) == [(None, note)]


def test_english_with_typographic_signs(tmp_path: Path) -> None:
    text = "The company’s “remote work” policy – 3 days a week, café included."
    assert read("text", write(tmp_path, "a.txt", text.encode("cp1252"))) == [(None, text)]


def test_a_plain_texts_hash_is_no_heading_and_markdowns_is(tmp_path: Path) -> None:
    raw = b"# rm -rf is a comment\nline\n## two\n#tag"
    assert read("text", write(tmp_path, "a.txt", raw)) == [(None, "\\# rm -rf is a comment\nline\n\\## two\n#tag")]
    assert read("markdown", write(tmp_path, "a.md", raw)) == [(None, raw.decode())]


PAGE = "<html><head>{meta}<title>Почта</title></head><body><h1>Почта</h1><p>{text}</p>{more}</body></html>"


@pytest.mark.parametrize(
    ("encoding", "meta"),
    [
        ("cp1251", '<meta charset="windows-1251">'),
        ("cp1251", '<META http-equiv="Content-Type" content="text/html; charset=windows-1251">'),
        ("cp1251", ""),
        ("utf-8", '<meta charset="utf-8">'),
        ("utf-8", '<meta charset="windows-1251">'),
        ("koi8-r", '<meta charset="koi8-r">'),
    ],
)
def test_html_in_any_encoding(tmp_path: Path, encoding: str, meta: str) -> None:
    text = RUSSIAN.replace("—", "-")
    raw = PAGE.format(meta=meta, text=text, more="<h2>Ящик</h2><ul><li>5 ГБ</li></ul>").encode(encoding)
    ((label, found),) = read("html", write(tmp_path, "a.html", raw))
    assert label is None
    assert text in found
    assert "# Почта" in found.split("\n")
    assert "## Ящик" in found.split("\n")
    assert "- 5 ГБ" in found


def test_html_brings_no_scripts_and_fetches_nothing(tmp_path: Path) -> None:
    more = '<script>var secret = "пароль"</script><style>p {color: red}</style><img src="http://192.0.2.1/x.png">'
    raw = PAGE.format(meta="", text="Видимый текст", more=more).encode()
    ((_, found),) = read("html", write(tmp_path, "a.html", raw))
    assert "Видимый текст" in found
    assert "secret" not in found
    assert "color" not in found


def test_html_tables_keep_their_rows(tmp_path: Path) -> None:
    more = "<table><tr><th>Грейд</th><th>Оклад</th></tr><tr><td>G1</td><td>90 000</td></tr></table>"
    ((_, found),) = read("html", write(tmp_path, "a.html", PAGE.format(meta="", text="x", more=more).encode()))
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in found.split("\n") if "|" in line]
    assert ["Грейд", "Оклад"] in rows
    assert ["G1", "90 000"] in rows


def test_docx_with_headings_lists_and_a_table(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_heading("Положение об отпусках", 1)
    document.add_paragraph(RUSSIAN)
    document.add_heading("Перенос [2] и *звёзды*", 2)
    document.add_paragraph("первый пункт", style="List Bullet")
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip(table._cells, ["Стаж", "Дней", "5 лет", "30"], strict=True):
        cell.text = text
    file = tmp_path / "Положение.docx"
    document.save(str(file))
    ((label, found),) = read("office", file)
    lines = found.split("\n")
    assert label is None
    assert "# Положение об отпусках" in lines
    assert RUSSIAN in found
    assert "Перенос [2] и *звёзды*" in found
    assert "- первый пункт" in lines
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines if line.startswith("|")]
    assert ["Стаж", "Дней"] in rows
    assert ["5 лет", "30"] in rows


def write_pdf(file: Path, pages: list[list[str]], **options: object) -> Path:
    need(FONT.is_file(), "the font DejaVu Sans (apt-get install fonts-dejavu-core)")
    pdfmetrics.registerFont(TTFont("DejaVu", str(FONT)))
    canvas = Canvas(str(file), **options)
    for lines in pages:
        for number, line in enumerate(lines):
            canvas.setFont("DejaVu", 18 if number == 0 else 11)
            canvas.drawString(72, 760 - 28 * number, line)
        canvas.showPage()
    canvas.save()
    return file


def test_pdf_pages_are_numbered_from_one(tmp_path: Path) -> None:
    first = ["Инструкция по VPN", "Откройте клиент и введите учётную запись.", "Код придёт в приложение."]
    second = ["Remote access", "Call 1234 if the client does not start.", "Ёмкость подъезда: 25 литров."]
    found = read("pdf", write_pdf(tmp_path / "VPN.pdf", [first, [], second]))
    assert [label for label, _ in found] == ["1", "3"]
    for (_, text), lines in zip(found, [first, second], strict=True):
        assert all(line in text for line in lines)


def test_rotated_text_of_a_pdf_is_not_lost(tmp_path: Path) -> None:
    need(FONT.is_file(), "the font DejaVu Sans (apt-get install fonts-dejavu-core)")
    pdfmetrics.registerFont(TTFont("DejaVu", str(FONT)))
    canvas = Canvas(str(tmp_path / "a.pdf"))
    canvas.setFont("DejaVu", 12)
    canvas.drawString(72, 700, "Обычная строка отчёта")
    canvas.rotate(90)
    canvas.drawString(100, -300, "Перевёрнутая таблица складских остатков")
    canvas.save()
    ((_, text),) = read("pdf", tmp_path / "a.pdf")
    assert {"Обычная", "строка", "Перевёрнутая", "таблица", "складских", "остатков"} <= set(text.split())


@pytest.mark.parametrize(
    ("reader", "path", "words"),
    [
        ("pdf", "company/hr/Положение об отпусках.pdf", "отпуск"),
        ("pdf", "company/it/Remote access for the Tallinn office.pdf", "Tallinn"),
        ("office", "company/hr/Remote work policy.docx", "remote"),
        ("html", "company/hr/Памятка новому сотруднику.html", "сотрудник"),
    ],
)
def test_the_sample_documents_are_read(reader: str, path: str, words: str) -> None:
    found = read(reader, DOCS / path)
    assert words.lower() in " ".join(text for _, text in found).lower()
    assert any(line.startswith("#") for line in found[0][1].split("\n"))
    labels = [label for label, _ in found]
    assert labels == ([str(number) for number in range(1, len(found) + 1)] if reader == "pdf" else [None])
