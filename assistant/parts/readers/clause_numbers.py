"""The automatic numbers of a DOCX ("1.2.1.", "Статья 5.", "б)") written out as text.

Regulations are cited by them, and xberg makes nested lists of them that all begin with 1. They are put into the XML
before it is read, so that whatever else the paragraph is (a heading, a cell's text) stays.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree import ElementTree
from xml.sax.saxutils import escape

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"  # says the same once more
_DOCUMENT = "word/document.xml"
_PARAGRAPH = re.compile(rb"<w:p(?=[\s>/])[^>]*>")
_PARAGRAPH_PROPERTIES = re.compile(rb"\s*<w:pPr\b[^>]*?(?:/>|>(.*?)</w:pPr>)", re.DOTALL)
_OWN_NUMBER = re.compile(rb"<w:numPr\b[^>]*?(?:/>|>.*?</w:numPr>)|<w:pPrChange\b.*", re.DOTALL)
_STYLE = re.compile(rb'<w:style\b[^>]*w:styleId="([^"]*)"[^>]*>(.*?)</w:style>', re.DOTALL)
_BASED_ON = re.compile(rb'<w:basedOn w:val="([^"]*)"')
_STYLE_OF_PARAGRAPH = re.compile(rb'<w:pStyle w:val="([^"]*)"')
_ROMAN = (
    *((1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL")),
    *((10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")),
)
_RUSSIAN = "абвгдежзиклмнопрстуфхцчшщэюя"
_LATIN = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class _Level:
    start: int
    kind: str
    text: str
    style: str | None
    legal: bool  # all numbers in Arabic figures
    restarts: bool


@dataclass
class _Numbering:
    """What numbering.xml and styles.xml say."""

    lists: dict[str, dict[int, _Level]] = field(default_factory=dict)  # by abstract id
    numbers: dict[str, str] = field(default_factory=dict)  # abstract id by number id
    overrides: dict[tuple[str, int], int] = field(default_factory=dict)  # first number, by number id and level
    styles: dict[str, tuple[str | None, int | None]] = field(default_factory=dict)  # number id and level by style


def with_numbers(raw: bytes) -> bytes:
    """The DOCX with its automatic numbers as text; as it is where it has none, or is built in an unknown way."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            names = set(archive.namelist())
            if not {_DOCUMENT, "word/numbering.xml"} <= names:
                return raw
            styles = archive.read("word/styles.xml") if "word/styles.xml" in names else b""
            document = archive.read(_DOCUMENT)
            if not _may_be_numbered(document, styles):
                return raw
            numbering = _numbering(archive.read("word/numbering.xml"), styles)
            labels = dict(_labels(document, numbering))
            written = _written(document, labels) if labels else None
            return _replaced(archive, written) if written else raw
    except (zipfile.BadZipFile, ElementTree.ParseError, ValueError, KeyError, RuntimeError, OSError, EOFError):
        return raw  # damaged: xberg says how


def _may_be_numbered(document: bytes, styles: bytes) -> bool:
    """Whether a paragraph names a list, or a style that does: a look at the bytes, for most documents do not."""
    if b"<w:numPr" in document:
        return True
    numbered: set[bytes] = set()
    for style, text in _STYLE.findall(styles):  # a style stands after the one that it is based on
        based_on = _BASED_ON.search(text)
        if b"<w:numPr" in text or (based_on and based_on[1] in numbered):
            numbered.add(style)
    return not numbered.isdisjoint(_STYLE_OF_PARAGRAPH.findall(document))


def _replaced(archive: zipfile.ZipFile, document: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as kept:
        for name in archive.namelist():
            if not name.startswith("word/media/"):
                kept.writestr(name, document if name == _DOCUMENT else archive.read(name))
    return made.getvalue()


def _numbering(numbering: bytes, styles: bytes) -> _Numbering:
    found = _Numbering()
    for style in ElementTree.fromstring(styles).iter(f"{_W}style") if styles else []:
        number = style.find(f"{_W}pPr/{_W}numPr")
        based_on = _value(style.find(f"{_W}basedOn"))
        own = _number_of(number)
        inherited = found.styles.get(based_on or "", (None, None))
        found.styles[style.get(f"{_W}styleId", "")] = own if own[0] or own[1] is not None else inherited
    root = ElementTree.fromstring(numbering)
    linked = {}
    for listed in root.iter(f"{_W}abstractNum"):
        key = listed.get(f"{_W}abstractNumId", "")
        found.lists[key] = {int(level.get(f"{_W}ilvl", "0")): _level(level) for level in listed.iter(f"{_W}lvl")}
        if link := _value(listed.find(f"{_W}numStyleLink")):
            linked[key] = link
    for number in root.iter(f"{_W}num"):
        key = number.get(f"{_W}numId", "")
        found.numbers[key] = _value(number.find(f"{_W}abstractNumId")) or ""
        for override in number.iter(f"{_W}lvlOverride"):
            if start := _value(override.find(f"{_W}startOverride")):
                found.overrides[key, int(override.get(f"{_W}ilvl", "0"))] = int(start)
    for key, style_id in linked.items():  # a list that is described where its style points to
        number_id = found.styles.get(style_id, (None, None))[0] or ""
        found.lists[key] = found.lists.get(found.numbers.get(number_id, ""), {})
    return found


def _level(level: ElementTree.Element) -> _Level:
    return _Level(
        start=int(_value(level.find(f"{_W}start")) or 1),
        kind=_value(level.find(f"{_W}numFmt")) or "decimal",
        text=_value(level.find(f"{_W}lvlText")) or "",
        style=_value(level.find(f"{_W}pStyle")),
        legal=level.find(f"{_W}isLgl") is not None,
        restarts=_value(level.find(f"{_W}lvlRestart")) != "0",
    )


def _value(element: ElementTree.Element | None) -> str | None:
    return None if element is None else element.get(f"{_W}val")


def _number_of(number: ElementTree.Element | None) -> tuple[str | None, int | None]:
    if number is None:
        return None, None
    level = _value(number.find(f"{_W}ilvl"))
    return _value(number.find(f"{_W}numId")), int(level) if level else None


def _labels(document: bytes, numbering: _Numbering) -> Iterator[tuple[int, str]]:
    """The place among the paragraphs, and the number, of each paragraph that has one."""
    counting = _Counting(numbering)
    open_paragraphs: list[int] = []
    open_fallbacks, paragraphs = 0, 0
    for event, element in ElementTree.iterparse(io.BytesIO(document), ("start", "end")):
        step = 1 if event == "start" else -1
        if element.tag == _FALLBACK:
            open_fallbacks += step
        elif element.tag == f"{_W}p" and event == "start":
            open_paragraphs.append(paragraphs)
            paragraphs += 1
        elif element.tag == f"{_W}p":
            open_paragraphs.pop()
            element.clear()
        elif element.tag == f"{_W}pPr" and event == "end" and open_paragraphs and not open_fallbacks:
            label = counting.next_label(_value(element.find(f"{_W}pStyle")), element.find(f"{_W}numPr"))
            if label:
                yield open_paragraphs[-1], label


class _Counting:
    """Where each list has got to. Numbers that share a list go on counting, unless one says where it starts."""

    def __init__(self, numbering: _Numbering) -> None:
        self._numbering = numbering
        self._reached: dict[str, dict[int, int]] = {}
        self._begun: set[tuple[str, int]] = set()

    def next_label(self, style: str | None, own: ElementTree.Element | None) -> str | None:
        """The number of the next paragraph: None for an item with a bullet, or none at all."""
        number, level = self._place(style, own)
        key = self._numbering.numbers.get(number or "", "")
        levels = self._numbering.lists.get(key, {})
        if level not in levels or levels[level].kind == "bullet":
            return None
        self._count(number or "", key, level, levels)
        reached = self._reached[key]

        def written(place: re.Match[str]) -> str:
            at = int(place[1]) - 1
            if at not in levels:
                return ""
            kind = "decimal" if levels[level].legal else levels[at].kind
            return _formatted(reached.get(at, levels[at].start), kind)

        return re.sub(r"%(\d)", written, levels[level].text).strip()

    def _place(self, style: str | None, own: ElementTree.Element | None) -> tuple[str | None, int]:
        """Number id and level: the paragraph's own words before those of its style."""
        number, level = _number_of(own)
        from_style, style_level = self._numbering.styles.get(style or "", (None, None))
        number = number or from_style
        if level is None:
            levels = self._numbering.lists.get(self._numbering.numbers.get(number or "", ""), {})
            linked = next((at for at, found in levels.items() if style and found.style == style), None)
            level = next((at for at in (linked, style_level) if at is not None), 0)
        return number, level

    def _count(self, number: str, key: str, level: int, levels: dict[int, _Level]) -> None:
        reached = self._reached.setdefault(key, {})
        start = levels[level].start
        if (number, level) in self._numbering.overrides and (number, level) not in self._begun:
            start = self._numbering.overrides[number, level]
            reached.pop(level, None)
        self._begun.add((number, level))
        reached[level] = reached[level] + 1 if level in reached else start
        for deeper in [at for at in reached if at > level and levels.get(at) and levels[at].restarts]:
            del reached[deeper]
        for higher in range(level):
            if higher in levels:
                reached.setdefault(higher, levels[higher].start)


def _formatted(number: int, kind: str) -> str:
    if kind == "none":
        return ""
    if kind in ("lowerRoman", "upperRoman") and 0 < number < 4000:
        roman = ""
        for value, sign in _ROMAN:
            roman += sign * (number // value)
            number %= value
        return roman if kind == "upperRoman" else roman.lower()
    letters = {"Letter": _LATIN, "russian": _RUSSIAN}
    alphabet = next((signs for name, signs in letters.items() if name in kind), "")
    if alphabet and number > 0:  # after the last letter come two of the first
        text = alphabet[(number - 1) % len(alphabet)] * ((number - 1) // len(alphabet) + 1)
        return text.upper() if "pper" in kind else text
    return f"{number:02}" if kind == "decimalZero" else str(number)


def _written(document: bytes, labels: dict[int, str]) -> bytes | None:
    """The XML with a run of text at the head of each numbered paragraph, and its numbering taken off."""
    pieces: list[bytes] = []
    done, at = 0, -1
    for at, paragraph in enumerate(_PARAGRAPH.finditer(document)):
        if at not in labels:
            continue
        properties = _PARAGRAPH_PROPERTIES.match(document, paragraph.end())
        if properties is None:
            return None
        kept = _OWN_NUMBER.sub(b"", properties[1] or b"")
        run = f'<w:r><w:t xml:space="preserve">{escape(labels[at])} </w:t></w:r>'.encode()
        pieces += [document[done : paragraph.end()], b"<w:pPr>", kept, b"</w:pPr>", run]
        done = properties.end()
    return b"".join([*pieces, document[done:]]) if at >= max(labels) else None
