"""The documents: digital in several layouts, and scanned from the same pages."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageChops, ImageFilter
from pypdfium2 import PdfDocument
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph, Table

from tests.truth.sentences import Writer

FONTS = Path("/usr/share/fonts/truetype/dejavu")
MARGIN = 60
WIDTH, HEIGHT = A4


@dataclass
class Truth:
    """A file and what stands in it: the words of each page, and the rows of its tables."""

    file: Path
    kind: str
    scanned: bool
    pages: list[str]
    rows: list[list[str]] = field(default_factory=list)


def fonts_are_here() -> bool:
    return (FONTS / "DejaVuSans.ttf").is_file() and (FONTS / "DejaVuSerif.ttf").is_file()


class Paper:
    """A canvas that notes what is written on it, page by page."""

    def __init__(self, target: Path | io.BytesIO, font: str) -> None:
        pdfmetrics.registerFont(TTFont(font, str(FONTS / f"{font}.ttf")))
        self.canvas = Canvas(str(target) if isinstance(target, Path) else target, pagesize=A4)
        self.pages: list[str] = []
        self.rows: list[list[str]] = []
        self._texts: list[str] = []
        self._style = ParagraphStyle("body", fontName=font, fontSize=10.5, leading=14.5)
        self._font = font
        self.y = HEIGHT - MARGIN

    def write(self, text: str, *, size: float = 0, left: float = MARGIN, width: float = WIDTH - 2 * MARGIN) -> None:
        style = ParagraphStyle("head", self._style, fontSize=size, leading=1.3 * size) if size else self._style
        paragraph = Paragraph(text, style)
        _, height = paragraph.wrap(width, HEIGHT)
        paragraph.drawOn(self.canvas, left, self.y - height)
        self.y -= height + 9
        self._texts.append(text)

    def table(self, rows: list[list[str]], *, ruled: bool) -> None:
        table = Table(rows, colWidths=[150, 170, 60, 80])
        style: list[tuple[object, ...]] = [("FONT", (0, 0), (-1, -1), self._font, 9.5)]
        if ruled:
            style.append(("GRID", (0, 0), (-1, -1), 0.6, colors.black))
        table.setStyle(style)
        _, height = table.wrap(WIDTH, HEIGHT)
        table.drawOn(self.canvas, MARGIN, self.y - height)
        self.y -= height + 14
        self._texts += [" ".join(row) for row in rows]
        self.rows += rows

    def sideways(self, text: str) -> None:
        """A line up the left margin."""
        self.canvas.saveState()
        self.canvas.setFont(self._font, 10)
        self.canvas.rotate(90)
        self.canvas.drawString(MARGIN, -30, text)
        self.canvas.restoreState()
        self._texts.append(text)

    def picture(self, picture: Image.Image, height: float) -> None:
        """A scan over the whole width, down to `height` points from the lower edge."""
        self.canvas.drawImage(ImageReader(picture), 0, height, WIDTH, self.y - height)

    def note(self, text: str) -> None:
        self._texts.append(text)

    def turn(self) -> None:
        self.pages.append("\n".join(self._texts))
        self._texts = []
        self.canvas.showPage()
        self.y = HEIGHT - MARGIN

    def truth(self, file: Path, kind: str, *, scanned: bool = False) -> Truth:
        self.canvas.save()
        return Truth(file, kind, scanned, self.pages, self.rows)


Fill = Callable[[Paper, Writer, int], None]


def one_column(paper: Paper, writer: Writer, number: int) -> None:
    paper.write(writer.heading(number), size=15)
    for _ in range(5):
        paper.write(writer.paragraph(3))
    paper.turn()


def two_columns(paper: Paper, writer: Writer, number: int) -> None:
    paper.write(writer.heading(number), size=15)
    top = paper.y
    for left in (MARGIN, WIDTH / 2 + 10):
        paper.y = top
        for _ in range(4):
            paper.write(writer.paragraph(2), left=left, width=WIDTH / 2 - MARGIN - 10)
    paper.turn()


def tables(paper: Paper, writer: Writer, number: int, *, ruled: bool) -> None:
    paper.write(writer.heading(number), size=15)
    paper.write(writer.paragraph(3))
    paper.table(writer.rows(7), ruled=ruled)
    paper.write(writer.paragraph(2))
    paper.turn()


def rotated(paper: Paper, writer: Writer, number: int) -> None:
    """A line up the margin; `turned` lays every second page on its side afterwards."""
    if number % 2:
        paper.sideways(writer.sentence())
    one_column(paper, writer, number)


def turned(truth: Truth) -> Truth:
    with PdfDocument(truth.file.read_bytes()) as document:
        for number in range(1, len(document), 2):
            document[number].set_rotation(90 if number % 4 == 1 else 270)
        document.save(truth.file)
    return truth


def mixed(paper: Paper, writer: Writer, number: int) -> None:
    """A typed header over a scan; the next page is digital."""
    if not number % 2:
        one_column(paper, writer, number)
        return
    paper.write(writer.heading(number), size=13)
    (scan,), (text,) = scans(1, writer.lang, f"mixed-{number}", dpi=200)
    paper.picture(scan.crop((0, 80, scan.width, scan.height - 250)), 20)
    paper.note(text)
    paper.turn()


def digital(folder: Path, kind: str, lang: str, fill: Fill, pages: int, *, font: str = "DejaVuSerif") -> Truth:
    file = folder / f"{kind}-{lang}.pdf"
    paper, writer = Paper(file, font), Writer(lang, kind)
    for number in range(1, pages + 1):
        fill(paper, writer, number)
    return paper.truth(file, kind)


def scans(
    count: int, lang: str, seed: str, *, dpi: int, font: str = "DejaVuSerif"
) -> tuple[list[Image.Image], list[str]]:
    """Pages as a scanner gives them: grey, a little askew, blurred, with noise; and their texts."""
    raw = io.BytesIO()
    paper, writer = Paper(raw, font), Writer(lang, seed)
    for number in range(1, count + 1):
        one_column(paper, writer, number)
    paper.canvas.save()
    pictures = []
    with PdfDocument(raw.getvalue()) as document:
        for number, page in enumerate(document):
            picture = page.render(scale=dpi / 72, grayscale=True).to_pil()
            skew = 0.6 if number % 2 else -0.4
            picture = picture.rotate(skew, resample=Image.Resampling.BICUBIC, fillcolor=255)
            noise = Image.effect_noise(picture.size, 24)
            picture = ImageChops.add(picture.filter(ImageFilter.GaussianBlur(0.5)), noise, offset=-128)
            pictures.append(picture.point(lambda value: min(250, value)))
    return pictures, paper.pages


def scanned(folder: Path, kind: str, lang: str, pages: int, *, dpi: int, angle: int = 0, suffix: str = "pdf") -> Truth:
    """A PDF or TIFF of scans, laid on their side by `angle` degrees."""
    pictures, texts = scans(pages, lang, kind, dpi=dpi)
    pictures = [picture.rotate(angle, expand=True) for picture in pictures]
    file = folder / f"{kind}-{lang}.{suffix}"
    pictures[0].save(file, save_all=True, append_images=pictures[1:], resolution=dpi, dpi=(dpi, dpi))
    return Truth(file, kind, scanned=True, pages=texts)


def digital_set(folder: Path, pages: int) -> list[Truth]:
    def ruled(paper: Paper, writer: Writer, number: int) -> None:
        tables(paper, writer, number, ruled=True)

    def unruled(paper: Paper, writer: Writer, number: int) -> None:
        tables(paper, writer, number, ruled=False)

    layouts: list[tuple[str, Fill]] = [
        ("one column", one_column),
        ("two columns", two_columns),
        ("ruled tables", ruled),
        ("unruled tables", unruled),
        ("rotated", rotated),
    ]
    sans = {"ru": "DejaVuSans", "en": "DejaVuSerif"}
    made = [
        digital(folder, kind, lang, fill, pages, font=sans[lang]) for kind, fill in layouts for lang in ("ru", "en")
    ]
    return [turned(truth) if truth.kind == "rotated" else truth for truth in made]


def scanned_set(folder: Path, pages: int, kinds: tuple[str, ...] = ()) -> list[Truth]:
    def mixed_pages() -> Truth:
        made = digital(folder, "mixed", "ru", mixed, 2 * pages)
        made.scanned = True
        return made

    makers: dict[str, Callable[[], Truth]] = {
        "scan 150 ru": lambda: scanned(folder, "scan 150", "ru", pages, dpi=150),
        "scan 150 en": lambda: scanned(folder, "scan 150", "en", pages, dpi=150),
        "scan 200 ru": lambda: scanned(folder, "scan 200", "ru", pages, dpi=200),
        "scan 200 en": lambda: scanned(folder, "scan 200", "en", pages, dpi=200),
        "scan 300 ru": lambda: scanned(folder, "scan 300", "ru", pages, dpi=300),
        "sideways ru": lambda: scanned(folder, "sideways", "ru", pages, dpi=200, angle=90),
        "upside down en": lambda: scanned(folder, "upside down", "en", pages, dpi=200, angle=180),
        "tiff ru": lambda: scanned(folder, "tiff", "ru", pages + 1, dpi=200, suffix="tiff"),
        "mixed ru": mixed_pages,
    }
    return [makers[kind]() for kind in kinds or makers]
