"""Pictures: photos, screenshots and scans, each frame recognised like the page of a scan."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.errors import DocumentError
from assistant.parts.readers.base import READERS, CorporateReader, Part, ReadContext, Reading

if TYPE_CHECKING:
    from PIL.Image import Image

_MAX_PIXELS = 100_000_000  # of a frame: A3 at 600 dpi has 70 million
_LONG_SIDE = 3508  # pixels: A4 at 300 dpi; Tesseract reads no better what is larger
_SMALL_SIDE = 1700  # pixels: a screenshot or a small photo, whose letters are too low for Tesseract
_SIXTEEN_BITS = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")


class ImageReader(CorporateReader):
    """PNG, JPEG, BMP, WEBP, HEIC and TIFF of several pages: all of it is OCR."""

    def read(self, file: Path, context: ReadContext) -> Reading:
        with _opened(file) as picture:
            frames = _frames(picture)
        if frames > context.limits.pages:
            raise DocumentError(f"it has {frames} pages, more than {context.limits.pages} (ingest.limits.pages)")
        return Reading([Part("", str(number + 1), picture=number) for number in range(frames)])

    def recognise(self, file: Path, pictures: Sequence[int], context: ReadContext) -> list[Part]:
        from assistant.parts.readers.ocr import recognise_picture

        parts = []
        with _opened(file) as picture:
            for number in pictures:
                found = recognise_picture(_frame(picture, number), context)
                parts.append(
                    Part(
                        found.text,
                        str(number + 1),
                        picture=number,
                        confidence=found.confidence,
                        repaired=found.repaired,
                    )
                )
        return parts


@READERS.register("image")
def image() -> CorporateReader:
    """PNG, JPEG, BMP, WEBP, HEIC and TIFF of several pages: all of it is OCR."""
    return ImageReader()


@contextmanager
def _opened(file: Path) -> Iterator[Image]:
    """Raises `DocumentError` for what is no picture, is damaged, or is a bomb: few bytes that unpack to gigabytes."""
    import PIL.Image
    import pillow_heif

    pillow_heif.register_heif_opener()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PIL.Image.DecompressionBombWarning)  # our own limit is below
            picture = PIL.Image.open(file)
    except PIL.Image.DecompressionBombError as error:
        raise DocumentError(_too_large()) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise DocumentError("it is damaged or not a picture") from error
    with picture:
        yield picture


def _too_large() -> str:
    return f"it has more than {_MAX_PIXELS // 1_000_000} million pixels"


def _frames(picture: Image) -> int:
    """Pages of a TIFF; other formats use frames for animation and previews."""
    frames = int(getattr(picture, "n_frames", 1)) if picture.format == "TIFF" else 1
    if picture.width * picture.height > _MAX_PIXELS:
        raise DocumentError(_too_large())
    return frames


def _frame(picture: Image, number: int) -> Image:
    """Frame `number` (from 0) as Tesseract wants it: grey, upright, on white, neither tiny nor huge."""
    from PIL.ImageOps import exif_transpose

    try:
        if _frames(picture) > 1:
            picture.seek(number)
        if picture.width * picture.height > _MAX_PIXELS:
            raise DocumentError(_too_large())
        across, down = (float(each) for each in picture.info.get("dpi") or (1, 1))
        frame = _grey(exif_transpose(picture))
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise DocumentError("it is damaged: a part of the picture is missing") from error
    return _sized(frame, across / down if across > 0 and down > 0 else 1.0)


def _grey(picture: Image) -> Image:
    import PIL.Image

    if picture.mode in _SIXTEEN_BITS:
        wide = picture.convert("F")
        _, most = wide.getextrema()
        if isinstance(most, float) and most > 255:  # 10, 12 or 16 bits
            wide = wide.point(lambda value: value * (255 / most) + 0)
        return wide.convert("L")
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        paper = PIL.Image.new("RGBA", picture.size, "white")
        picture = PIL.Image.alpha_composite(paper, picture)
    return picture.convert("L")


def _sized(frame: Image, shape: float) -> Image:
    """A screenshot enlarged, a huge photo made smaller; `shape` is the resolution across by that down: a fax has two."""
    import PIL.Image

    width, height = frame.width * max(1.0, 1 / shape), frame.height * max(1.0, shape)
    longest = max(width, height)
    scale = min(1.0, _LONG_SIDE / longest) if longest >= _SMALL_SIDE else min(2.0, _SMALL_SIDE / longest)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return frame if size == frame.size else frame.resize(size, PIL.Image.Resampling.LANCZOS)
