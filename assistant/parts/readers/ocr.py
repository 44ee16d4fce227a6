"""Recognition of one picture by Tesseract: languages, orientation, words read in the wrong alphabet, and a cache.

The engine is made once for a worker process. A picture that was recognised before is not recognised again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.errors import DocumentError
from assistant.parts import ocr_cache
from assistant.parts.ocr_data import tessdata_folders
from assistant.parts.readers import lookalikes
from assistant.parts.readers.base import ReadContext, clean
from assistant.parts.readers.ocr_layout import Word, layout, words_of
from assistant.settings import Ocr

if TYPE_CHECKING:
    from PIL.Image import Image

_VERSION = 1  # of what is made of Tesseract's words: raise it, and cached pages are recognised again
_DOUBT = 70.0  # mean confidence below which the page may lie on its side
_FLOOR = 30.0  # mean confidence below which a page with few words is a photo, not text
_FEW_WORDS = 20
_BETTER = 10.0  # points that a word must gain to be taken from the engine of one language
_MARGIN = 8  # pixels around a word that is read once more
_ORIENTATION_CONFIDENCE = 1.0  # as OSD counts it


@dataclass(frozen=True)
class Recognised:
    """Text of a picture; confidence 0-100; words that were put back into Cyrillic."""

    text: str
    confidence: float
    repaired: int = 0


def recognise_picture(picture: Image, context: ReadContext) -> Recognised:
    """The text of an upright or turned picture, empty if it shows none. Raises `DocumentError` without language data."""
    data = language_data(context.ocr)
    picture = picture if picture.mode == "L" else picture.convert("L")
    kept = _cache_file(picture, context, data)
    found = _kept(kept) if kept else None
    if found is None:
        found = _Page(picture, str(data), tuple(context.ocr.languages)).read()
        if kept:
            ocr_cache.put(kept, asdict(found))
    # Not kept: a better repair takes effect without another recognition.
    text, repaired = lookalikes.repair(found.text)
    return replace(found, text=clean(text), repaired=found.repaired + repaired)


def language_data(ocr: Ocr) -> Path:
    """The folder that has all the languages. Raises `DocumentError` that names the missing package."""
    missing: list[str] = []
    for folder in tessdata_folders(ocr.data):
        lacking = [name for name in ocr.languages if not (folder / f"{name}.traineddata").is_file()]
        if not lacking:
            return folder
        missing = lacking if not missing or len(lacking) < len(missing) else missing
    missing = missing or list(ocr.languages)
    packages = " ".join(f"tesseract-ocr-{name.replace('_', '-')}" for name in missing)
    raise DocumentError(
        f"recognising scans needs Tesseract's data for {', '.join(missing)}: "
        f"install {packages} (or set ingest.ocr.data to its folder)"
    )


@cache
def _engine(data: str, languages: str, mode: str) -> Any:  # noqa: ANN401 - a class of the extension module
    """One for each purpose in a process: loading the data takes longer than many a page."""
    import tesserocr

    return tesserocr.PyTessBaseAPI(path=data, lang=languages, psm=getattr(tesserocr.PSM, mode))


class _Page:
    """One picture on its way through the engine."""

    def __init__(self, picture: Image, data: str, languages: Sequence[str]) -> None:
        self._picture = picture
        self._data = data
        self._languages = languages

    def read(self) -> Recognised:
        words = self._words(self._picture)
        if _confidence(words) < _DOUBT and (angle := self._angle()):
            turned = self._picture.rotate(angle, expand=True)
            found = self._words(turned)
            if _weight(found) > _weight(words):
                self._picture, words = turned, found
        confidence = _confidence(words)
        if not words or (confidence < _FLOOR and len(words) < _FEW_WORDS):
            return Recognised("", round(confidence, 1))
        words, repaired = self._in_their_alphabet(words)
        return Recognised(layout(words), round(confidence, 1), repaired)

    def _words(self, picture: Image) -> list[Word]:
        engine = _engine(self._data, "+".join(self._languages), "AUTO")
        engine.SetImage(picture)
        engine.SetSourceResolution(200)
        engine.Recognize()
        words = words_of(engine.GetTSVText(0))
        engine.Clear()
        return words

    def _angle(self) -> int:
        """Degrees counter-clockwise that put the picture upright; 0 if it is, or if nobody can say."""
        if not (Path(self._data) / "osd.traineddata").is_file():
            return 0
        engine = _engine(self._data, "osd", "OSD_ONLY")
        engine.SetImage(self._picture)
        found = engine.DetectOrientationScript()
        engine.Clear()
        return int(found["orient_deg"]) if found and found["orient_conf"] >= _ORIENTATION_CONFIDENCE else 0

    def _in_their_alphabet(self, words: list[Word]) -> tuple[list[Word], int]:
        """Latin words among Russian ones read once more by Russian alone ("popmax" is "формах"), and the reverse."""
        texts = [word.text for word in words]
        found = list(words)
        repaired = 0
        for place, word in enumerate(words):
            language = lookalikes.likely_language(texts, place)
            if language is None or language not in self._languages or len(self._languages) == 1:
                continue
            text, confidence = self._one_word(word, language)
            if lookalikes.is_language(text, language) and confidence >= word.confidence + _BETTER:
                found[place] = replace(word, text=text, confidence=confidence)
                repaired += 1
        return found, repaired

    def _one_word(self, word: Word, language: str) -> tuple[str, float]:
        left, top = max(0, word.left - _MARGIN), max(0, word.top - _MARGIN)
        right, bottom = word.right + _MARGIN, word.bottom + _MARGIN
        engine = _engine(self._data, language, "SINGLE_WORD")
        engine.SetImage(
            self._picture.crop((left, top, min(self._picture.width, right), min(self._picture.height, bottom)))
        )
        engine.SetSourceResolution(200)
        text = engine.GetUTF8Text().strip()
        confidence = float(engine.MeanTextConf())
        engine.Clear()
        return text, confidence


def _confidence(words: list[Word]) -> float:
    """Mean over the letters, so that specks count little."""
    letters = sum(len(word.text) for word in words)
    return sum(word.confidence * len(word.text) for word in words) / letters if letters else 0.0


def _weight(words: list[Word]) -> float:
    """How much was read well: a page on its side gives few and doubtful letters."""
    return sum(len(word.text) * max(0.0, word.confidence - _FLOOR) for word in words)


def _cache_file(picture: Image, context: ReadContext, data: Path) -> Path | None:
    if context.cache is None:
        return None
    import tesserocr

    sizes = [(name, (data / f"{name}.traineddata").stat().st_size) for name in context.ocr.languages]
    digest = hashlib.sha256(repr((tesserocr.tesseract_version(), _VERSION, sizes, picture.size)).encode())
    digest.update(picture.tobytes())
    return ocr_cache.file_of(context.cache, digest.hexdigest())


def _kept(file: Path) -> Recognised | None:
    """What was recognised before; None if nothing was, or the file is damaged."""
    try:
        kept = ocr_cache.get(file) or {}
        return Recognised(str(kept["text"]), float(kept["confidence"]), int(kept["repaired"]))
    except (ValueError, KeyError, TypeError):
        return None
