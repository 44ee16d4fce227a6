"""Where a passage is on its page: boxes over its text, on real PDFs, whatever the readers made of the text."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from pypdfium2 import PdfDocument
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from assistant.errors import DocumentError, NotFound
from assistant.parts.pdf_marks import letters_of, marks, wanted_letters
from assistant.parts.pdf_view import PageView, look, picture_of
from assistant.parts.readers import READERS, ReadContext
from tests.conftest import need
from tests.truth.documents import FONTS, digital, digital_set, fonts_are_here, one_column, scanned
from tests.truth.documents import turned as on_its_side

WIDTH, HEIGHT = A4
RULES = [
    "Командировку согласует руководитель отдела не позднее чем за пять дней.",
    "Билеты покупает секретарь, гостиницу выбирает сам сотрудник.",
    "Аванс выдаёт бухгалтерия в день обращения.",
    "Отчёт сдают в течение трёх рабочих дней после возвращения.",
    "Суточные за границей установлены приказом на каждый год.",
]


def made(*pages: Callable[[Canvas], None]) -> bytes:
    need(fonts_are_here(), "the DejaVu fonts (apt-get install fonts-dejavu-core)")
    pdfmetrics.registerFont(TTFont("DejaVuSerif", str(FONTS / "DejaVuSerif.ttf")))
    target = io.BytesIO()
    canvas = Canvas(target, pagesize=A4)
    for draw in pages:
        canvas.setFont("DejaVuSerif", 11)
        draw(canvas)
        canvas.showPage()
    canvas.save()
    return target.getvalue()


def lines(*texts: str, top: float = 760, left: float = 60) -> Callable[[Canvas], None]:
    def draw(canvas: Canvas) -> None:
        for number, text in enumerate(texts):
            canvas.drawString(left, top - 20 * number, text)

    return draw


def points(view: PageView) -> list[tuple[int, int, int, int]]:
    """Left, lower, right and upper edge of each box in points."""
    return [
        (round(WIDTH * left), round(HEIGHT * (1 - bottom)), round(WIDTH * right), round(HEIGHT * (1 - top)))
        for left, top, right, bottom in view.boxes
    ]


def test_a_sentence_has_a_box_over_its_line_and_no_other_has() -> None:
    view = look(made(lines(*RULES)), (), 1, 1, RULES[2])
    assert (view.number, view.pages, view.marked, view.share, view.has_text) == (1, 1, (1,), 1.0, True)
    ((left, lower, right, upper),) = points(view)
    width = pdfmetrics.stringWidth(RULES[2].rstrip("."), "DejaVuSerif", 11)
    assert abs(left - 60) <= 2
    assert abs(right - 60 - width) <= 3
    assert 720 - 5 <= lower < 720 < upper <= 720 + 14, "the third line stands on 720"


def test_markdown_hyphens_ligatures_and_the_other_alphabet_are_no_obstacle() -> None:
    page = lines("Коман-", "дировку одобряет", "A8C: the ﬁrst oﬃce", "ОТЧЕТ сдают в срок")
    passage = (
        "## Командировку **одобряет**\n\n| A8C | the first |\n|---|---|\n\n[office](http://x/a) — Отчёт сдают в срок"
    )
    view = look(made(page), (), 1, 1, passage)
    assert view.share == 1.0
    assert len({lower // 20 for _, lower, _, _ in points(view)}) == 4, "all four lines"
    assert marks(wanted_letters("НОВЫЙ АКТ"), letters_of("HOBЫЙ AKT")).share == 1.0, "Latin look-alikes on the page"


def test_the_same_words_elsewhere_are_not_marked() -> None:
    """The long piece is the passage; "в течение трёх рабочих дней" above it is not."""
    other = "Ответ дают в течение трёх рабочих дней после вопроса."
    view = look(made(lines(other, "", *RULES)), (), 1, 1, RULES[3])
    assert len(points(view)) == 1
    assert points(view)[0][1] < 760 - 20 * 4, "not in the first line"


def test_what_the_reader_left_out_or_put_elsewhere_leaves_gaps_only() -> None:
    page = lines(RULES[0], "Страница 3 из 7 · СТО-12", RULES[1], RULES[2])
    passage = "\n\n".join([RULES[2], RULES[0], RULES[1], "слово, которого на странице нет вовсе"])
    view = look(made(page), (), 1, 1, passage)
    assert 0.7 < view.share < 0.9
    assert len(view.boxes) == 3
    assert not [box for box in points(view) if 735 < box[1] < 745], "the running line is not marked"


def test_a_passage_over_two_pages_is_marked_on_both() -> None:
    raw = made(lines("Заголовок первой страницы", *RULES[:3]), lines(*RULES[3:], "Приложение"))
    passage = "\n\n".join(RULES)
    first, second = (look(raw, (), shown, 1, passage) for shown in (1, 2))
    assert first.marked == second.marked == (1, 2)
    assert (first.share, second.share) == (1.0, 1.0)
    assert (len(first.boxes), len(second.boxes)) == (3, 2)
    assert look(raw, (), 1, 1, "\n".join(RULES[:3])).marked == (1,)


def test_pages_beside_the_passage_are_shown_without_boxes() -> None:
    raw = made(lines(*RULES), lines("Приложение"))
    view = look(raw, (), 2, 1, RULES[0])
    assert (view.number, view.boxes, view.marked) == (2, (), (1,))
    assert look(raw, (), 2, 0, "").boxes == ()


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_on_a_turned_page_the_boxes_lie_on_what_is_seen(rotation: int) -> None:
    """The picture itself is the judge: the only ink on the page is under the box."""

    def draw(canvas: Canvas) -> None:
        canvas.setPageRotation(rotation)
        lines(RULES[0], top=500)(canvas)

    raw = made(draw)
    view = look(raw, (), 1, 1, RULES[0])
    assert (view.share, len(view.boxes)) == (1.0, 1)
    picture = Image.open(io.BytesIO(picture_of(raw, (), 1))).convert("L")
    assert picture.size == (view.width, view.height)
    ink = picture.point(lambda value: 255 if value < 128 else 0).getbbox()
    assert ink is not None
    (box,) = view.boxes
    edges = (box[0] * view.width, box[1] * view.height, box[2] * view.width, box[3] * view.height)
    assert all(abs(edge - seen) < 18 for edge, seen in zip(edges, ink, strict=True)), (edges, ink)


def test_every_layout_that_readers_know_is_found(tmp_path: Path) -> None:
    """Columns, tables with and without rules, turned pages, Russian and English: what the reader makes of each page."""
    need(fonts_are_here(), "the DejaVu fonts (apt-get install fonts-dejavu-core)")
    for truth in digital_set(tmp_path, 2):
        for part in READERS.build("pdf").read(truth.file, ReadContext()).parts:
            number = int(part.label or "")
            view = look(truth.file.read_bytes(), (), number, number, part.text)
            assert view.share >= 0.95, (truth.file.name, number)
            assert all(0 <= left < right <= 1 and 0 <= top < bottom <= 1 for left, top, right, bottom in view.boxes)


def test_a_cut_page_shows_its_part_and_boxes_move_along() -> None:
    with PdfDocument(made(lines(*RULES))) as document:
        document[0].set_cropbox(40, 600, WIDTH, HEIGHT)
        target = io.BytesIO()
        document.save(target)
    view = look(target.getvalue(), (), 1, 1, RULES[0])
    ((left, top, _, _),) = view.boxes
    assert abs(left - 20 / (WIDTH - 40)) < 0.01
    assert abs(top - (HEIGHT - 771) / (HEIGHT - 600)) < 0.02


def test_a_scan_has_no_text_to_be_found(tmp_path: Path) -> None:
    need(fonts_are_here(), "the DejaVu fonts (apt-get install fonts-dejavu-core)")
    truth = scanned(tmp_path, "scan", "ru", 1, dpi=100)
    view = look(truth.file.read_bytes(), (), 1, 1, truth.pages[0])
    assert (view.boxes, view.marked, view.share, view.has_text) == ((), (), 0.0, False)


def test_what_is_not_on_the_page_is_not_marked() -> None:
    view = look(made(lines(*RULES)), (), 1, 1, "Парковка для гостей открыта круглосуточно, пропуск заказывают заранее.")
    assert (view.boxes, view.has_text) == ((), True)
    assert view.share < 0.1


def test_pictures_are_bounded() -> None:
    target = io.BytesIO()
    canvas = Canvas(target, pagesize=(14_000, 200))
    canvas.drawString(10, 10, "wide")
    canvas.showPage()
    canvas.setPageSize((10, 14_000))
    canvas.showPage()
    canvas.setPageSize((40, 30))
    canvas.showPage()
    canvas.save()
    for number in (1, 2, 3):
        view = look(target.getvalue(), (), number, 0, "")
        picture = Image.open(io.BytesIO(picture_of(target.getvalue(), (), number)))
        assert picture.format == "WEBP"
        assert picture.size == (view.width, view.height)
        assert picture.width <= 1501
        assert picture.height <= 3001


def test_pages_that_are_not_there_and_files_that_are_no_pdf(tmp_path: Path) -> None:
    raw = made(lines(*RULES))
    for number in (-1, 0, 2, 10**9):
        with pytest.raises(NotFound):
            picture_of(raw, (), number)
        with pytest.raises(NotFound):
            look(raw, (), number, 1, RULES[0])
    for wrong in (b"", b"%PDF-1.7\n", b"<html>", raw[: len(raw) // 3]):
        with pytest.raises(DocumentError):
            picture_of(wrong, (), 1)


def test_a_long_page_and_a_long_passage_take_no_time(tmp_path: Path) -> None:
    """Repetitions are where finding could run away: a page of one word, a passage of the same."""
    page = lines(*["слово " * 14] * 38)
    view = look(made(page), (), 1, 1, "слово " * 3000)
    assert view.boxes
    truth = on_its_side(digital(tmp_path, "one column", "ru", one_column, 2))
    assert look(truth.file.read_bytes(), (), 2, 2, "\n".join(truth.pages) * 3).marked


def test_a_heading_that_the_reader_took_along_is_found_on_the_page_before() -> None:
    raw = made(lines(*RULES, "3. Приложение с образцами"), lines("Образец первый, для поездок по России."))
    passage = "## 3. Приложение с образцами\n\nОбразец первый, для поездок по России."
    view = look(raw, (), 2, 2, passage)
    assert (view.marked, view.share) == ((1, 2), 1.0)


def test_a_word_that_is_missing_is_not_marked_somewhere_on_the_next_page() -> None:
    raw = made(lines(*RULES), lines("Итого 12 на странице 12", "за пять дней"))
    view = look(raw, (), 1, 1, f"{RULES[0]} 12")
    assert view.marked == (1,)
