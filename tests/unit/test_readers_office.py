"""Office files by their content: sheets and slides as parts, whole words, and the names that lie."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import docx
import pytest

from assistant.errors import DocumentError
from assistant.parts.readers import READERS, ReadContext, Reading
from tests.conftest import SHARED
from tests.unit import office_files

PAGE = "<html><body><h1>Оклады</h1><table><tr><th>Грейд</th></tr><tr><td>G1</td></tr></table></body></html>"


def read(folder: Path, name: str, raw: bytes, reader: str = "office", **context: object) -> Reading:
    (folder / name).write_bytes(raw)
    return READERS.build(reader).read(folder / name, ReadContext(**context))  # type: ignore[arg-type]


def rows(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("| ").split("|")] for line in text.split("\n") if line.startswith("|")]


def a_docx(*runs: str) -> bytes:
    document, raw = docx.Document(), io.BytesIO()
    paragraph = document.add_paragraph()
    for number, run in enumerate(runs):
        paragraph.add_run(run).bold = number % 2 == 1
    document.save(raw)
    return raw.getvalue()


def test_a_workbook_has_a_part_for_each_sheet_with_something_in_it(tmp_path: Path) -> None:
    sheets = {
        "Оклады 2024": [["Грейд", "Оклад"], ["G1", "90 000"], ["G2|G3", "ё"]],
        "Пусто": [],
        "Лист3": [["a"], ["b"]],
    }
    reading = read(tmp_path, "a.xlsx", office_files.xlsx(sheets))
    assert [(part.kind, part.label) for part in reading.parts] == [("sheet", "Оклады 2024"), ("sheet", "Лист3")]
    first, last = (part.text for part in reading.parts)
    assert first.startswith("## Оклады 2024\n")
    assert rows(first)[2] == ["G1", "90 000"]
    assert "G2\\|G3" in first
    assert not last.startswith("#")  # the program's own name says nothing


def test_slides_come_with_their_notes_and_whole_words(tmp_path: Path) -> None:
    slides = [("Отпуск", ["Нало", "гооблагаемая", " база"], "Сказать о переносе"), ("Итоги", ["Всё"], "")]
    reading = read(tmp_path, "a.pptx", office_files.pptx(slides))
    assert [(part.kind, part.label) for part in reading.parts] == [("slide", "1"), ("slide", "2")]
    assert reading.parts[0].text.split("\n\n") == ["## Отпуск", "Налогооблагаемая база", "Сказать о переносе"]


def test_slides_and_notes_are_numbered_as_they_are_shown(tmp_path: Path) -> None:
    """A deck whose slides were moved: its files keep their numbers, and notes have numbers of their own."""
    raw = office_files.pptx([("Первый файл", ["а"], "заметка а"), ("Второй файл", ["б"], "заметка б")])
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    first, second = '<p:sldId id="256" r:id="rId1"/>', '<p:sldId id="257" r:id="rId2"/>'
    shown = parts["ppt/presentation.xml"].decode()
    assert f"{first}{second}" in shown
    parts["ppt/presentation.xml"] = shown.replace(f"{first}{second}", f"{second}{first}").encode()
    notes = [f"ppt/notesSlides/notesSlide{number}.xml" for number in (1, 2)]
    parts[notes[0]], parts[notes[1]] = parts[notes[1]], parts[notes[0]]
    for slide, other in ((1, 2), (2, 1)):
        name = f"ppt/slides/_rels/slide{slide}.xml.rels"
        parts[name] = parts[name].replace(f"notesSlide{slide}.xml".encode(), f"notesSlide{other}.xml".encode())
    reading = read(tmp_path, "a.pptx", office_files.archive(dict(parts)))
    assert [(part.label, part.text.split("\n\n")) for part in reading.parts] == [
        ("1", ["## Второй файл", "б", "заметка б"]),
        ("2", ["## Первый файл", "а", "заметка а"]),
    ]


def test_open_document_slides(tmp_path: Path) -> None:
    frame = '<draw:frame presentation:class="title"><draw:text-box><text:p>План</text:p></draw:text-box></draw:frame>'
    shape = "<draw:custom-shape><text:p>В фи<text:span>гуре</text:span></text:p></draw:custom-shape>"
    listed = "<text:list><text:list-item><text:p>раз</text:p></text:list-item></text:list>"
    cell = "<table:table-cell><text:p>ячейка</text:p></table:table-cell>"
    table = f"<table:table><table:table-row>{cell}</table:table-row></table:table>"
    notes = "<presentation:notes><draw:frame><text:p>Заметка</text:p></draw:frame></presentation:notes>"
    body = f'<draw:page draw:name="page1">{frame}{shape}{listed}{table}{notes}</draw:page><draw:page/>'
    (slide,) = read(tmp_path, "a.odp", office_files.open_document("presentation", body)).parts
    assert (slide.kind, slide.label) == ("slide", "1")
    assert slide.text.split("\n\n") == ["## План", "В фигуре", "- раз", "| ячейка |\n| --- |", "Заметка"]


def test_open_document_text_and_sheets(tmp_path: Path) -> None:
    body = '<text:h text:outline-level="1">Отпуск</text:h><text:p>28 дней</text:p>'
    (whole,) = read(tmp_path, "a.odt", office_files.open_document("text", body)).parts
    assert whole.text.split("\n\n") == ["# Отпуск", "28 дней"]
    cell = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'
    cells = cell.format("Склад") + cell.format("12")
    body = f'<table:table table:name="Остатки"><table:table-row>{cells}</table:table-row></table:table>'
    (sheet,) = read(tmp_path, "a.ods", office_files.open_document("spreadsheet", body)).parts
    assert (sheet.kind, sheet.label) == ("sheet", "Остатки")
    assert rows(sheet.text)[0] == ["Склад", "12"]


def test_rtf_in_russian(tmp_path: Path) -> None:
    text = "".join(f"\\'{byte:02x}" for byte in "Отпуск".encode("cp1251"))
    raw = b"{\\rtf1\\ansi\\ansicpg1251 {\\b %s}: 28\\par}" % text.encode()
    assert "Отпуск" in read(tmp_path, "a.rtf", raw).parts[0].text


def test_a_book_with_its_title(tmp_path: Path) -> None:
    reading = read(tmp_path, "a.epub", office_files.epub(["<h1>Глава 1</h1><p>Начало</p>", "<p>Конец</p>"]), "epub")
    assert reading.properties["file_title"] == "Книга правил"
    assert [word in reading.parts[0].text for word in ("# Глава 1", "Начало", "Конец")] == [True] * 3


def test_emphasis_inside_a_word_does_not_cut_it(tmp_path: Path) -> None:
    assert read(tmp_path, "a.docx", a_docx("Нало", "гооб", "лагаемая ", "база")).parts[0].text == (
        "Налогооблагаемая **база**"
    )


@pytest.mark.parametrize(
    ("name", "raw", "found"),
    [
        ("a.doc", a_docx("настоящий docx"), "настоящий docx"),
        ("a.doc", b"{\\rtf1\\ansi hello\\par}", "hello"),
        ("a.doc", PAGE.encode("cp1251"), "# Оклады"),
        ("a.xls", PAGE.encode(), "| G1 |"),
        ("a.xls", "Грейд;Оклад\nG1;90,5\n".encode("cp1251"), "| G1 | 90,5 |"),
        ("a.doc", "Просто текст приказа".encode("cp1251"), "Просто текст приказа"),
        ("a.xlsx", office_files.pptx([("Слайд", ["текст"], "")]), "## Слайд"),
        ("a.docx", b"From: a@b.c\nTo: d@e.f\nSubject: Hi\n\nbody", "# Hi"),
    ],
)
def test_a_name_that_lies(tmp_path: Path, name: str, raw: bytes, found: str) -> None:
    assert found in "\n".join(part.text for part in read(tmp_path, name, raw).parts)


def test_text_files_that_are_something_else(tmp_path: Path) -> None:
    assert "настоящий" in read(tmp_path, "a.txt", a_docx("настоящий docx"), "text").parts[0].text
    assert "# Hi" in read(tmp_path, "a.html", b"From: a@b.c\nSubject: Hi\n\nbody", "html").parts[0].text
    assert "<html>" in read(tmp_path, "b.txt", PAGE.encode(), "text").parts[0].text


def test_properties_without_what_templates_leave(tmp_path: Path) -> None:
    document, raw = docx.Document(), io.BytesIO()
    document.add_paragraph("текст")
    document.core_properties.title, document.core_properties.author = "Документ1", "Анна Петрова"
    document.save(raw)
    said = read(tmp_path, "a.docx", raw.getvalue()).properties
    assert said == {"author": "Анна Петрова", "created": "2013-12-23"}


@pytest.mark.shared
@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("derived-ru/ru02.doc", "Положение о молодом специалисте"),
        ("xls/tika__testEXCEL_WORKBOOK_in_capitals.xls", "|"),
        ("ppt/tika__testPPT.ppt", "Sample Powerpoint Slide"),
        ("doc/tika__simple_upper_case.doc", "sample Word document"),  # its table of sectors is damaged
        ("docx/tika__testWORD_charts.docx", "| January | 5 |"),  # text in a chart only
        ("xls/tika__testEXCEL_textbox.xls", "this is some autoshape text"),
        ("ppt/tika__testPPT_masterText2.ppt", "Text that I added to the master slide"),
        ("derived-ru/ru05.html", "ПРИКАЗ"),  # breaks html-to-markdown
        ("msg/tika__testMSG.msg", "MIME registry use cases"),
    ],
)
def test_real_files_of_older_programs(file: str, words: str) -> None:
    reader = {".html": "html", ".msg": "mail"}.get(Path(file).suffix, "office")
    parts = READERS.build(reader).read((SHARED / file), ReadContext()).parts
    assert words.lower() in "\n".join(part.text for part in parts).lower()


@pytest.mark.shared
@pytest.mark.parametrize("kind", ["xlsx/tika__testEXCEL", "xls/tika__testEXCEL", "pptx/tika__testPPT"])
def test_a_password_from_the_list_opens_it(kind: str) -> None:
    file = SHARED / f"{kind}_protected_passtika.{kind.partition('/')[0]}"
    reader = READERS.build("office")
    assert reader.read(file, ReadContext(passwords=["wrong", "tika"])).parts[0].text
    with pytest.raises(DocumentError, match=r"it needs a password \(ingest\.passwords\)"):
        reader.read(file, ReadContext(passwords=["wrong"]))
