"""Slides where xberg falls short: words cut into runs in PPTX; ODP, of which it loses shapes and the ends of slides."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from xml.etree import ElementTree

from assistant.errors import DocumentError
from assistant.parts.readers.base import clean
from assistant.parts.readers.tables import markdown_table

_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_DRAW = "{urn:oasis:names:tc:opendocument:xmlns:drawing:1.0}"
_SHOWN = "{urn:oasis:names:tc:opendocument:xmlns:presentation:1.0}"
# The end of one run and the beginning of the next: an editor cuts words there for its spelling marks.
_BETWEEN_RUNS = re.compile(rb"</a:t></a:r><a:r>(?:<a:rPr\b[^>]*/>|<a:rPr\b[^>]*[^/]>.*?</a:rPr>)?<a:t>", re.DOTALL)
_NUMBERED = re.compile(r"ppt/(?:slides/(?:_rels/)?slide|notesSlides/notesSlide)\d+\.xml(?:\.rels)?")
_ZIP_ERRORS = (zipfile.BadZipFile, KeyError, RuntimeError, OSError, NotImplementedError, EOFError)


def with_whole_words(raw: bytes) -> bytes:
    """A PPTX as xberg reads it right: paragraphs of one run each, for it puts a blank between runs, also inside a word; and
    slides and notes numbered as they are shown, for it goes by the numbers of the files.
    """
    joined = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive, zipfile.ZipFile(joined, "w") as kept:
            names = _names_as_shown(archive)
            for name in archive.namelist():
                if name.startswith("ppt/media/") or (names and _NUMBERED.fullmatch(name) and name not in names):
                    continue
                part = archive.read(name)
                if re.fullmatch(r"ppt/(slides|notesSlides)/[^/]+\.xml", name):
                    part = _BETWEEN_RUNS.sub(b"", part.replace(b"<a:t/>", b"<a:t></a:t>"))
                kept.writestr(names.get(name, name), part)
    except _ZIP_ERRORS:
        return raw  # damaged: xberg says how
    return joined.getvalue()


def _names_as_shown(archive: zipfile.ZipFile) -> dict[str, str]:
    """Today's names of slides, their relations and notes → names with the number of the place that each is shown at."""
    relations = _targets(archive, "ppt/_rels/presentation.xml.rels")
    shown = re.findall(
        r"<p:sldId\b[^>]*?\br:id=\"([^\"]+)\"", archive.read("ppt/presentation.xml").decode("utf-8", "replace")
    )
    slides = [relations[key].rsplit("/", 1)[-1] for key in shown if key in relations]
    found: dict[str, str] = {}
    for place, slide in enumerate(slides, start=1):
        found[f"ppt/slides/{slide}"] = f"ppt/slides/slide{place}.xml"
        found[f"ppt/slides/_rels/{slide}.rels"] = f"ppt/slides/_rels/slide{place}.xml.rels"
        for target in _targets(archive, f"ppt/slides/_rels/{slide}.rels").values():
            if "notesSlides/" in target:
                notes = target.rsplit("/", 1)[-1]
                found[f"ppt/notesSlides/{notes}"] = f"ppt/notesSlides/notesSlide{place}.xml"
    return found


def _targets(archive: zipfile.ZipFile, name: str) -> dict[str, str]:
    """Relation id → target of a relations part; none if there is no such part."""
    if name not in archive.namelist():
        return {}
    text = archive.read(name).decode("utf-8", "replace")
    pairs = (dict(re.findall(r'(\w+)="([^"]*)"', tag)) for tag in re.findall(r"<Relationship\b[^>]*>", text))
    return {pair["Id"]: pair["Target"] for pair in pairs if "Id" in pair and "Target" in pair}


def odp_slides(raw: bytes) -> list[str]:
    """The slides of an ODP with their notes, as Markdown. Raises `DocumentError`."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            root = ElementTree.fromstring(archive.read("content.xml"))
    except (*_ZIP_ERRORS, ElementTree.ParseError) as error:
        raise DocumentError(f"it is damaged or not what its name says ({error})") from error
    slides = root.iterfind(f"{_OFFICE}body/{_OFFICE}presentation/{_DRAW}page")
    return [clean("\n\n".join(_blocks(slide, ""))) for slide in slides]


def _blocks(element: ElementTree.Element, indent: str) -> Iterator[str]:
    """What stands in a slide, in its order; its notes come last in the file as well."""
    for child in element:
        if child.tag == f"{_TABLE}table":
            rows = child.iter(f"{_TABLE}table-row")
            yield markdown_table([[_words(cell) for cell in row.iter(f"{_TABLE}table-cell")] for row in rows])
        elif child.tag in (f"{_TEXT}p", f"{_TEXT}h"):
            if words := _words(child):
                yield words
        elif child.tag == f"{_TEXT}list":
            yield "\n".join(_items(child, indent))
        elif child.tag == f"{_DRAW}frame" and child.get(f"{_SHOWN}class") == "title":
            if words := _words(child):
                yield f"## {words}"
        else:
            yield from _blocks(child, indent)


def _items(listed: ElementTree.Element, indent: str) -> Iterator[str]:
    for item in listed:
        for child in item:
            if child.tag == f"{_TEXT}list":
                yield from _items(child, f"{indent}  ")
            elif words := _words(child):
                yield f"{indent}- {words}"


def _words(element: ElementTree.Element) -> str:
    """The text of one paragraph, or of several as one line."""
    pieces = []
    for inside in element.iter():
        if inside.tag in (f"{_TEXT}p", f"{_TEXT}line-break", f"{_TEXT}s", f"{_TEXT}tab"):
            pieces.append(" ")
        pieces += [inside.text or "", (inside.tail or "") if inside is not element else ""]
    return " ".join("".join(pieces).split())
