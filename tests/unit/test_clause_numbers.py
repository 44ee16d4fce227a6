"""The automatic numbers of a regulation, as its readers cite them."""

from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path

import docx
import pytest

from assistant.parts.readers import READERS, ReadContext
from assistant.parts.readers.clause_numbers import with_numbers
from tests.unit.office_files import archive

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
# Word's own kinds: an outline whose first level is a heading's, a list with letters, one with Russian letters, bullets.
LISTS = {
    "1": [("decimal", "Статья %1.", "Heading1"), ("decimal", "%1.%2.", ""), ("decimal", "%1.%2.%3.", "")],
    "2": [("lowerLetter", "%1)", ""), ("lowerRoman", "(%2)", "")],
    "3": [("russianLower", "%1)", "")],
    "4": [("bullet", "•", "")],
    "5": [("upperRoman", "%1", ""), ("decimal", "%1-%2", "")],
}


def numbering() -> str:
    lists = "".join(
        f'<w:abstractNum w:abstractNumId="{key}">'
        + "".join(
            f'<w:lvl w:ilvl="{at}"><w:start w:val="1"/><w:numFmt w:val="{kind}"/>'
            + (f'<w:pStyle w:val="{style}"/>' if style else "")
            + f'<w:lvlText w:val="{text}"/></w:lvl>'
            for at, (kind, text, style) in enumerate(levels)
        )
        + "</w:abstractNum>"
        for key, levels in LISTS.items()
    )
    numbers = "".join(f'<w:num w:numId="{key}"><w:abstractNumId w:val="{key}"/></w:num>' for key in LISTS)
    again = '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/></w:lvlOverride>'
    return (
        f'<w:numbering {W}>{lists}{numbers}<w:num w:numId="9"><w:abstractNumId w:val="2"/>{again}</w:num></w:numbering>'
    )


STYLES = (
    f'<w:styles {W}><w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/><w:pPr><w:numPr>'
    '<w:numId w:val="1"/></w:numPr><w:outlineLvl w:val="0"/></w:pPr></w:style><w:style w:type="paragraph" '
    'w:styleId="Child"><w:name w:val="Child"/><w:basedOn w:val="Heading1"/></w:style></w:styles>'
)


def paragraph(text: str, number: str = "", level: int = 0, style: str = "") -> str:
    named = f'<w:pStyle w:val="{style}"/>' if style else ""
    numbered = f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>' if number else ""
    return f"<w:p><w:pPr>{named}{numbered}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def lines(folder: Path, *paragraphs: str) -> list[str]:
    body = f"<w:document {W}><w:body>{''.join(paragraphs)}</w:body></w:document>"
    types = "application/vnd.openxmlformats-officedocument.wordprocessingml"
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"

    def linked(kind: str, target: str) -> str:
        return f'<Relationship Id="{kind}" Type="{relations}/{kind}" Target="{target}"/>'

    overrides = "".join(
        f'<Override PartName="/word/{name}.xml" ContentType="{types}.{kind}+xml"/>'
        for name, kind in [("document", "document.main"), ("numbering", "numbering"), ("styles", "styles")]
    )
    default = '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    raw = archive(
        {
            "[Content_Types].xml": f'<Types xmlns="{package}/content-types">{default}{overrides}</Types>',
            "_rels/.rels": f'<Relationships xmlns="{package}/relationships">'
            f"{linked('officeDocument', 'word/document.xml')}</Relationships>",
            "word/_rels/document.xml.rels": f'<Relationships xmlns="{package}/relationships">'
            f"{linked('numbering', 'numbering.xml')}{linked('styles', 'styles.xml')}</Relationships>",
            "word/document.xml": body,
            "word/numbering.xml": numbering(),
            "word/styles.xml": STYLES,
        }
    )
    (folder / "a.docx").write_bytes(raw)
    (part,) = READERS.build("office").read(folder / "a.docx", ReadContext()).parts
    return [line for line in part.text.split("\n") if line]


def test_clauses_are_numbered_through_their_levels(tmp_path: Path) -> None:
    assert lines(
        tmp_path,
        paragraph("Общие положения", style="Heading1"),
        paragraph("Первый", "1", 1),
        paragraph("Глубже", "1", 2),
        paragraph("Ещё", "1", 2),
        paragraph("без номера"),
        paragraph("Второй", "1", 1),
        paragraph("Снова глубже", "1", 2),
        paragraph("Отпуск", style="Heading1"),
        paragraph("Третий", "1", 1),
    ) == [
        "# Статья 1. Общие положения",
        "1.1. Первый",
        "1.1.1. Глубже",
        "1.1.2. Ещё",
        "без номера",
        "1.2. Второй",
        "1.2.1. Снова глубже",
        "# Статья 2. Отпуск",
        "2.1. Третий",
    ]


def test_letters_roman_figures_and_a_list_that_starts_anew(tmp_path: Path) -> None:
    assert lines(
        tmp_path,
        paragraph("раз", "2"),
        paragraph("внутри", "2", 1),
        paragraph("два", "2"),
        paragraph("с пятого", "9"),
        paragraph("шестой", "9"),
        *[paragraph("буква", "3")] * 8,
        paragraph("четвёртый", "5"),
        paragraph("пункт", "5", 1),
    ) == [
        "a) раз",
        "(i) внутри",
        "b) два",
        "e) с пятого",
        "f) шестой",
        *[f"{letter}) буква" for letter in "абвгдежз"],
        "I четвёртый",
        "I-1 пункт",
    ]


def test_bullets_stay_a_list_and_a_style_passes_its_number_on(tmp_path: Path) -> None:
    found = lines(tmp_path, paragraph("точка", "4"), paragraph("наследник", style="Child"), paragraph("нет", "0"))
    assert found[0] == "- точка"
    assert found[1].endswith("Статья 1. наследник")
    assert found[2].endswith("нет")
    assert "Статья" not in found[2]


def test_word_counts_also_inside_tables(tmp_path: Path) -> None:
    table = f"<w:tbl><w:tr><w:tc>{paragraph('ячейка', '1', 1)}</w:tc></w:tr></w:tbl>"
    found = lines(tmp_path, paragraph("до", "1", 1), table, paragraph("после", "1", 1))
    assert (found[0], found[-1]) == ("1.1. до", "1.3. после")
    assert "1.2. ячейка" in "\n".join(found)


def test_lists_by_words_own_style(tmp_path: Path) -> None:
    document = docx.Document()
    for text in ("первый", "второй"):
        document.add_paragraph(text, style="List Number")
    document.add_paragraph("точка", style="List Bullet")
    document.save(str(tmp_path / "a.docx"))
    (part,) = READERS.build("office").read(tmp_path / "a.docx", ReadContext()).parts
    assert part.text.split() == ["1.", "первый", "2.", "второй", "-", "точка"]


@pytest.mark.parametrize("document", ["<w:p><w:pPr>", "no xml", f"<x {W}><w:p/></x>"])
def test_what_is_built_otherwise_stays_as_it_is(document: str) -> None:
    raw = archive({"word/document.xml": document, "word/numbering.xml": numbering(), "word/styles.xml": STYLES})
    assert with_numbers(raw) == raw


def test_a_long_regulation_takes_no_time() -> None:
    body = "".join(paragraph(f"пункт {number}", "1", number % 3) for number in range(20_000))
    raw = archive(
        {
            "word/document.xml": f"<w:document {W}><w:body>{body}</w:body></w:document>",
            "word/numbering.xml": numbering(),
        }
    )
    begun = time.process_time()
    with zipfile.ZipFile(io.BytesIO(with_numbers(raw))) as made:
        assert made.read("word/document.xml").count("Статья ".encode()) == 6667
    assert time.process_time() - begun < 5
