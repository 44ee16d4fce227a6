"""PDF reader: limits, passwords, damage, which pages need OCR, and text that lies on its side."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from PIL import Image
from pypdfium2 import PdfDocument
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from assistant.errors import DocumentError
from assistant.parts.readers import READERS, Part, ReadContext
from assistant.parts.readers.pdf_properties import _meant
from assistant.settings import IngestLimits
from tests.conftest import need
from tests.integration.test_ocr import picture
from tests.truth.documents import FONTS, Truth, digital, fonts_are_here, mixed, one_column, rotated, turned
from tests.truth.measure import plain, words_of
from tests.truth.sentences import Writer

LINES = [f"Line {number} of the manual says what the operator of the pump has to do." for number in range(1, 9)]


@pytest.fixture(autouse=True)
def _fonts() -> None:
    need(fonts_are_here(), "the DejaVu fonts (apt-get install fonts-dejavu-core)")
    pdfmetrics.registerFont(TTFont("DejaVuSerif", str(FONTS / "DejaVuSerif.ttf")))


def write(file: Path, draw: Callable[[Canvas], None], **options: object) -> Path:
    canvas = Canvas(str(file), **options)
    draw(canvas)
    canvas.save()
    return file


def lines(texts: Sequence[str], font: str = "DejaVuSerif", step: int = 20) -> Callable[[Canvas], None]:
    def draw(canvas: Canvas) -> None:
        canvas.setFont(font, 11)
        for number, text in enumerate(texts):
            canvas.drawString(60, 760 - step * number, text)

    return draw


def parts(file: Path, **context: object) -> list[Part]:
    return READERS.build("pdf").read(file, ReadContext(**context)).parts  # type: ignore[arg-type]


def endless_pdf(pages: int) -> bytes:
    """Many pages in few bytes: the tree of pages holds the same one again and again."""
    kids = " ".join(["3 0 R"] * pages)
    return (
        "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        f"2 0 obj<</Type/Pages/Count {pages}/Kids[{kids}]>>endobj\n"
        "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"
    ).encode()


def test_too_many_pages_are_refused_before_any_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(endless_pdf(20_000))
    start = time.perf_counter()
    with pytest.raises(DocumentError, match=r"it has 20000 pages, more than 3000 \(ingest.limits.pages\)"):
        parts(tmp_path / "a.pdf")
    assert time.perf_counter() - start < 2
    few = write(tmp_path / "b.pdf", lines(LINES))
    assert len(parts(few, limits=IngestLimits(pages=1))) == 1


def test_passwords_are_tried_in_turn(tmp_path: Path) -> None:
    secret = StandardEncryption("Тайна-1", ownerPassword="owner", strength=128)
    secret.userPassword = "taina"
    file = write(tmp_path / "a.pdf", lines(LINES), encrypt=secret)
    assert LINES[3] in parts(file, passwords=["no", "taina"])[0].text
    for passwords in ([], ["no"], [""]):
        with pytest.raises(DocumentError, match=r"it needs a password \(ingest.passwords\)"):
            parts(file, passwords=passwords)
    no_printing = StandardEncryption("", ownerPassword="owner", canPrint=0, canCopy=0)
    assert LINES[3] in parts(write(tmp_path / "b.pdf", lines(LINES), encrypt=no_printing))[0].text


def test_a_pdf_that_pdfium_refuses_is_saved_by_the_other_parser(tmp_path: Path) -> None:
    truth = digital(tmp_path, "one column", "ru", one_column, 4)
    whole = truth.file.read_bytes()
    truth.file.write_bytes(whole.replace(b"/Root", b"/Rxxt"))
    assert found_words(truth) == [1.0] * 4
    truth.file.write_bytes(whole[: len(whole) * 9 // 10])
    cut = parts(truth.file)
    assert [part.label for part in cut][:2] == ["1", "2"]
    assert plain(truth.pages[0])[:200] in plain(cut[0].text)
    truth.file.write_bytes(whole[: len(whole) // 4])
    with pytest.raises(DocumentError, match="it is damaged or not a PDF"):
        parts(truth.file)


def scan(canvas: Canvas) -> None:
    canvas.drawImage(ImageReader(picture(LINES[:2])), 0, 300, 595, 300)


@pytest.mark.parametrize(
    ("draw", "needs_ocr"),
    [
        (lines(LINES), False),
        (lines(["7"]), False),
        (lambda canvas: canvas.showPage(), False),
        (scan, True),
        (lambda canvas: (scan(canvas), lines(["Вх. № 17 от 12.05.2024"])(canvas)), True),
        (lambda canvas: canvas.drawImage(ImageReader(picture([])), 60, 60, 100, 60), True),
        (lambda canvas: (lines(LINES)(canvas), canvas.drawImage(ImageReader(picture([])), 60, 60, 100, 60)), False),
        (lambda canvas: canvas.rect(100, 100, 200, 200), True),
        (lines(["".join(chr(33 + (7 * n + k) % 90) for n in range(60)) for k in range(9)], "Symbol"), False),
    ],
    ids=["text", "a number", "blank", "scan", "stamped scan", "picture", "logo", "drawing", "signs"],
)
def test_which_pages_need_ocr(tmp_path: Path, draw: Callable[[Canvas], None], needs_ocr: bool) -> None:
    (part,) = parts(write(tmp_path / "a.pdf", draw))
    assert (part.picture == 0) == needs_ocr
    assert part.label == "1"


def test_a_wrong_encoding_is_put_right_without_ocr(tmp_path: Path) -> None:
    text = "Приказ о приеме на работу сотрудников отдела кадров"
    file = write(tmp_path / "a.pdf", lines([text.encode("cp1251").decode("cp1252")] * 3, "Helvetica"))
    (part,) = parts(file)
    assert text in part.text
    assert part.picture is None
    assert part.repaired >= 6


def test_a_nonsense_text_layer_is_recognised_anew(tmp_path: Path) -> None:
    """Letters drawn as they should be, whose codes stand for others: what a bad converter leaves."""

    def draw(canvas: Canvas) -> None:
        canvas.drawImage(ImageReader(picture(LINES)), 0, 100, 595, 500)
        hidden = canvas.beginText(60, 700)
        hidden.setFont("Helvetica", 11)
        hidden.setTextRenderMode(3)
        for line in LINES:
            hidden.textLine("".join(chr(97 + (ord(c) * 7) % 26) if c.isalpha() else c for c in line))
        canvas.drawText(hidden)

    file = write(tmp_path / "a.pdf", draw)
    (part,) = parts(file)
    assert part.picture == 0
    (found,) = READERS.build("pdf").recognise(file, [0], ReadContext())
    assert "operator of the pump" in found.text
    assert found.confidence is not None
    assert found.confidence > 80


def test_typed_text_beside_a_scan_is_kept_and_stands_once(tmp_path: Path) -> None:
    truth = digital(tmp_path, "mixed", "ru", mixed, 1)
    (part,) = parts(truth.file)
    assert part.picture == 0
    (found,) = READERS.build("pdf").recognise(truth.file, [0], ReadContext())
    wanted, read = words_of(plain(truth.pages[0])), words_of(plain(found.text))
    assert read[:4] == wanted[:4]
    assert abs(len(wanted) - len(read)) < 0.03 * len(wanted)


def found_words(truth: Truth) -> list[float]:
    shares = []
    for part, text in zip(parts(truth.file), truth.pages, strict=True):
        wanted, read = words_of(plain(text)), set(words_of(plain(part.text)))
        shares.append(sum(word in read for word in wanted) / len(wanted))
    return shares


@pytest.mark.parametrize("lang", ["ru", "en"])
def test_text_on_its_side_is_read_in_order(tmp_path: Path, lang: str) -> None:
    truth = turned(digital(tmp_path, "rotated", lang, rotated, 4))
    assert found_words(truth) == [1.0] * 4
    for number in (1, 3):  # the pages that lie on their side
        body = plain(truth.pages[number])
        assert body[200:400] in plain(parts(truth.file)[number].text)


def test_a_body_line_that_also_begins_pages_stays(tmp_path: Path) -> None:
    writer = Writer("en", "running")
    texts = [writer.sentence()[:70] for _ in range(24)]

    def draw(canvas: Canvas) -> None:
        for number in range(1, 5):
            body = ["Company rules", *texts[4 * number : 4 * number + 2], "Company rules", *texts[4 * number + 2 :][:2]]
            lines([*body, f"page {number} of 4"], step=60)(canvas)
            canvas.showPage()

    for number, part in enumerate(parts(write(tmp_path / "a.pdf", draw)), start=1):
        assert part.text.count("Company rules") == 1
        assert f"page {number} of 4" not in part.text
        assert texts[4 * number + 3] in part.text


def test_pages_that_differ_in_numbers_only_keep_them(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        for number in range(1, 5):
            lines([f"Receipt {number}", f"Paid {number * 117} roubles"], step=60)(canvas)
            canvas.showPage()

    for number, part in enumerate(parts(write(tmp_path / "a.pdf", draw)), start=1):
        assert f"Paid {number * 117} roubles" in part.text


def test_forms_and_comments_are_read(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        lines(LINES)(canvas)
        canvas.acroForm.textfield(name="f1", tooltip="Заявитель", value="Petrov", x=60, y=300, width=200, height=20)
        canvas.acroForm.checkbox(name="f2", tooltip="Agreed", checked=True, x=60, y=260)
        canvas.acroForm.checkbox(name="f3", tooltip="Refused", checked=False, x=60, y=230)
        canvas.textAnnotation("Check the pressure again", Rect=[300, 300, 320, 320])

    (part,) = parts(write(tmp_path / "a.pdf", draw))
    assert "Petrov" in part.text
    assert "Agreed" in part.text
    assert "Refused" not in part.text
    assert "Check the pressure again" in part.text


def test_a_picture_leaves_nothing_in_the_text(tmp_path: Path) -> None:
    """A line that names its file would become a passage, and be found and cited."""

    def draw(canvas: Canvas) -> None:
        lines(LINES)(canvas)
        canvas.drawImage(ImageReader(Image.effect_noise((400, 300), 80).convert("RGB")), 60, 200, 300, 220)

    (part,) = parts(write(tmp_path / "a.pdf", draw))
    assert LINES[-1] in part.text
    assert "img_" not in part.text
    assert "![" not in part.text


def test_what_a_pdf_says_of_itself(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setTitle("Положение об отпусках")
        canvas.setAuthor("Мария Петрова")
        lines(LINES)(canvas)

    found = READERS.build("pdf").read(write(tmp_path / "a.pdf", draw), ReadContext()).properties
    assert found["file_title"] == "Положение об отпусках"
    assert found["author"] == "Мария Петрова"
    assert len(found["created"]) == 10


@pytest.mark.parametrize(
    "title",
    ["", " ", "Microsoft Word - отпуск.doc", "untitled", "Документ1", "report_2024.xlsx", "VPN guide", "vpn-guide.pdf"]
    + ["12", "(anonymous)", "C:\\Users\\a\\x", "Без названия", "scan 0001", "user"],
)
def test_titles_that_programs_make_up_are_left_out(title: str) -> None:
    assert _meant(title, Path("VPN_guide.pdf")) == ""


def test_real_titles_stay() -> None:
    for title in ("Инструкция по VPN", "Annual report 2024", "Book of rules", "Ðàñïîðÿæåíèå î ðåæèìå"):
        assert _meant(title, Path("a.pdf"))
    assert _meant("Ðàñïîðÿæåíèå î ðåæèìå", Path("a.pdf")) == "Распоряжение о режиме"


def test_a_huge_page_is_drawn_small(tmp_path: Path) -> None:
    from assistant.parts.readers.pdf_pages import draw as drawn

    file = write(tmp_path / "a.pdf", lambda canvas: canvas.rect(0, 0, 9000, 9000), pagesize=(14_000, 9000))
    with PdfDocument(file) as document:
        page, _, _ = drawn(document, 0, 200, keep_text=False)
    assert max(page.size) <= 5001


def test_digital_pages_are_quick(tmp_path: Path) -> None:
    """The guard costs about as much as liteparse itself: far from what a page of OCR costs."""
    truth = digital(tmp_path, "many", "ru", one_column, 60)
    start = time.perf_counter()
    assert len(parts(truth.file)) == 60
    assert time.perf_counter() - start < 6
