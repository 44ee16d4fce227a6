"""What stands in office files beside the running text: notes on cells, text boxes, charts, diagrams, comments."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from secrets import token_hex
from xml.sax.saxutils import escape

import docx
import pytest
from docx.shared import Pt

from assistant.parts.readers import READERS, ReadContext
from assistant.parts.readers.workbooks import beside_cells
from tests.unit.office_files import _REL, archive, xlsx

_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
_CHART = "http://schemas.openxmlformats.org/drawingml/2006/chart"
_EXPLAINED = (
    "[Цепочка примечаний] Ваша версия Excel позволяет читать её. "
    "Подробнее: https://go.microsoft.com/fwlink/?linkid=870924 Комментарий: "
)
NOTES = f"""<comments xmlns="{_SHEET}"><commentList>
<comment ref="B2"><text><r><t>Иванов:</t></r><r><t> сверено с актом</t></r></text></comment>
<comment ref="C3"><text><t>{_EXPLAINED}Цена без НДС</t></text></comment>
<comment ref="D4"><text><t> </t></text></comment></commentList></comments>"""
BOXES = f"""<d:wsDr xmlns:d="urn:d" xmlns:a="{_DRAWING}"><d:sp><d:txBody>
<a:p><a:r><a:t>Согласо</a:t></a:r><a:r><a:t>вано</a:t></a:r></a:p><a:p><a:r><a:t>Петров П. П.</a:t></a:r></a:p>
</d:txBody></d:sp><d:sp><d:txBody><a:p/></d:txBody></d:sp></d:wsDr>"""
CHART = f"""<c:chart xmlns:c="{_CHART}" xmlns:a="{_DRAWING}"><c:title><a:t>Выручка по кварталам</a:t></c:title>
<c:ser><c:tx><c:v>План</c:v></c:tx></c:ser><c:ser><c:tx><c:v>Факт</c:v></c:tx></c:ser></c:chart>"""
DIAGRAM = f"""<d:dataModel xmlns:d="urn:d" xmlns:a="{_DRAWING}">
<d:pt><a:p><a:r><a:t>Дирек</a:t></a:r><a:r><a:t>тор</a:t></a:r></a:p></d:pt>
<d:pt><a:p><a:r><a:t>Отдел кадров</a:t></a:r></a:p></d:pt><d:pt><a:p/></d:pt></d:dataModel>"""


def relations(*targets: str) -> str:
    links = "".join(f'<Relationship Id="rId{n}" Type="x" Target="{target}"/>' for n, target in enumerate(targets, 1))
    return f'<Relationships xmlns="{_REL}">{links}</Relationships>'


def with_entries(raw: bytes, **changed: str | bytes) -> bytes:
    """An archive with more entries, or others."""
    old = zipfile.ZipFile(io.BytesIO(raw))
    return archive({name: old.read(name) for name in old.namelist()} | changed)


def workbook(**changed: str) -> bytes:
    entries = {
        "xl/worksheets/_rels/sheet2.xml.rels": relations("../drawings/drawing1.xml", "../comments1.xml"),
        "xl/drawings/drawing1.xml": BOXES,
        "xl/drawings/_rels/drawing1.xml.rels": relations("/xl/charts/chart1.xml"),
        "xl/charts/chart1.xml": CHART,
        "xl/comments1.xml": NOTES,
    }
    return with_entries(xlsx({"Смета": [["Статья", "Сумма"]], "Итоги": [["Итого", "12 450"]]}), **(entries | changed))


def read(file: Path, raw: bytes) -> list[tuple[str | None, str]]:
    file.write_bytes(raw)
    return [(part.label, part.text) for part in READERS.build("office").read(file, ReadContext()).parts]


def test_notes_text_boxes_and_charts_stand_under_the_cells_of_their_sheet(tmp_path: Path) -> None:
    (_, first), (name, second) = read(tmp_path / "a.xlsx", workbook())
    assert name == "Итоги"
    assert "| Итого | 12 450 |" in second
    for text in (
        "Согласовано\nПетров П. П.",
        "Выручка по кварталам, План, Факт",
        "B2: Иванов: сверено с актом",
        "C3: Цена без НДС",
    ):
        assert f"\n\n{text}" in second
        assert text not in first
    assert "D4" not in second
    assert "fwlink" not in second


def test_headers_and_footers_of_a_sheet_are_said_once(tmp_path: Path) -> None:
    heads = {
        "oddHeader": '&L&1#&"Arial,Bold"&12СТО 045-2022&CЛист &P из &N&R&D',
        "oddFooter": "&C&K00-020Для служебного пользования",
        "evenHeader": "&LСТО 045-2022",
    }
    said = "".join(f"<{kind}>{escape(text)}</{kind}>" for kind, text in heads.items())
    cells = '<sheetData><row><c t="inlineStr"><is><t>Нормы</t></is></c></row></sheetData>'
    sheet = f'<worksheet xmlns="{_SHEET}">{cells}<headerFooter>{said}</headerFooter></worksheet>'
    text = read(tmp_path / "a.xlsx", workbook(**{"xl/worksheets/sheet1.xml": sheet}))[0][1]
    assert text.endswith("\n\nСТО 045-2022, Для служебного пользования")


def test_headers_and_footers_of_a_document_are_said_once(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph("Порядок выдачи. Для служебного пользования")
    document.settings.odd_and_even_pages_header_footer = True
    section = document.sections[0]
    for head in (section.header, section.even_page_header):
        head.paragraphs[0].text = "СТО 045-2022"
        head.add_table(1, 2, Pt(300)).cell(0, 1).text = "Редакция 3"
    section.footer.paragraphs[0].text = "Страница 1 из 12"
    section.footer.add_paragraph("Для служебного пользования")
    document.save(str(tmp_path / "made.docx"))
    ((_, text),) = read(tmp_path / "a.docx", (tmp_path / "made.docx").read_bytes())
    assert text.endswith("Для служебного пользования\n\nСТО 045-2022\nРедакция 3")
    assert text.count("служебного") == 1


def test_a_sheet_of_pictures_is_a_part_of_its_own(tmp_path: Path) -> None:
    empty = f'<worksheet xmlns="{_SHEET}"><sheetData/></worksheet>'
    parts = dict(read(tmp_path / "a.xlsx", workbook(**{"xl/worksheets/sheet2.xml": empty})))
    assert "Согласовано" in parts["Итоги"]


@pytest.mark.parametrize(
    "part",
    ["xl/comments1.xml", "xl/charts/chart1.xml", "xl/drawings/drawing1.xml", "xl/worksheets/_rels/sheet2.xml.rels"],
)
@pytest.mark.parametrize("content", ["", "<a", "<a/>", f"<!--{token_hex(3 << 20)}--><a/>"], ids=range(4))
def test_a_damaged_part_costs_only_itself(tmp_path: Path, part: str, content: str) -> None:
    raw = workbook(**{part: content})
    assert "| Итого | 12 450 |" in read(tmp_path / "a.xlsx", raw)[1][1]
    if part == "xl/comments1.xml":
        assert "Выручка" in beside_cells(raw)["Итоги"]
    if part == "xl/charts/chart1.xml":
        assert "Согласовано" in beside_cells(raw)["Итоги"]


def test_a_relation_out_of_the_file_is_not_followed() -> None:
    raw = workbook(**{"xl/worksheets/_rels/sheet2.xml.rels": relations("../../../../etc/comments.xml")})
    assert beside_cells(raw) == {}


def test_a_diagram_and_comments_of_a_document(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_comment(document.add_paragraph("Структура компании").runs, text="Уточнить у кадров", author="И")
    written = io.BytesIO()
    document.save(written)
    ((_, text),) = read(tmp_path / "a.docx", with_entries(written.getvalue(), **{"word/diagrams/data1.xml": DIAGRAM}))
    assert "- Директор\n- Отдел кадров" in text
    assert "Структура компании\n" in text
    assert "\nУточнить у кадров" in text
    assert "cmt" not in text
