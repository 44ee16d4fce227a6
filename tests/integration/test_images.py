"""Pictures of every format: pages of a TIFF, orientation, transparency, depth, and what is refused."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from assistant.errors import DocumentError
from assistant.parts.readers import READERS, Part, ReadContext
from assistant.settings import IngestLimits
from tests.integration.test_ocr import LINES, picture

SHORT = LINES[:2]
WORDS = {word for line in SHORT for word in line.split()}


def recognised(file: Path, **context: object) -> list[Part]:
    reader, about = READERS.build("image"), ReadContext(**context)  # type: ignore[arg-type]
    numbers = [part.picture for part in reader.read(file, about).parts if part.picture is not None]
    return reader.recognise(file, numbers, about)


@pytest.mark.parametrize(
    ("suffix", "mode", "options"),
    [
        ("png", "L", {}),
        ("png", "1", {}),
        ("png", "P", {}),
        ("jpg", "RGB", {"quality": 85}),
        ("jpg", "CMYK", {}),
        ("bmp", "RGB", {}),
        ("webp", "RGB", {}),
        ("tiff", "1", {"compression": "group4"}),
        ("heic", "RGB", {}),
    ],
)
def test_every_format(tmp_path: Path, suffix: str, mode: str, options: dict[str, object]) -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()
    file = tmp_path / f"Скан.{suffix}"
    picture(SHORT).convert(mode).save(file, **options)
    (part,) = recognised(file)
    assert set(part.text.split()) >= WORDS
    assert (part.label, part.picture) == ("1", 0)
    assert part.confidence is not None
    assert part.confidence > 80


def test_each_page_of_a_tiff(tmp_path: Path) -> None:
    pages = [picture([line, line]) for line in LINES[:3]]
    file = tmp_path / "a.tif"
    pages[0].save(file, save_all=True, append_images=pages[1:])
    reader = READERS.build("image")
    assert [(part.text, part.label, part.picture) for part in reader.read(file, ReadContext()).parts] == [
        ("", "1", 0),
        ("", "2", 1),
        ("", "3", 2),
    ]
    last, first = reader.recognise(file, [2, 0], ReadContext())
    assert (last.label, first.label) == ("3", "1")
    assert LINES[2] in last.text.replace("\n", " ")
    assert LINES[0] in first.text.replace("\n", " ")
    with pytest.raises(DocumentError, match=r"it has 3 pages, more than 2 \(ingest.limits.pages\)"):
        reader.read(file, ReadContext(limits=IngestLimits(pages=2)))


def test_the_camera_says_how_it_was_held(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 8  # to be turned by 270 degrees clockwise
    picture(SHORT).rotate(-90, expand=True).save(tmp_path / "a.jpg", exif=exif)
    assert set(recognised(tmp_path / "a.jpg")[0].text.split()) >= WORDS


def test_transparent_paper_is_white(tmp_path: Path) -> None:
    ink = picture(SHORT)
    page = Image.new("RGBA", ink.size, (0, 0, 0, 0))
    page.putalpha(ink.point(lambda value: 255 - value))
    page.save(tmp_path / "a.png")
    assert set(recognised(tmp_path / "a.png")[0].text.split()) >= WORDS


@pytest.mark.parametrize("most", [65_535, 4095])
def test_more_than_eight_bits(tmp_path: Path, most: int) -> None:
    wide = picture(SHORT).convert("I").point(lambda value: value * (most / 255) + 0).convert("I;16")
    wide.save(tmp_path / "a.png")
    assert Image.open(tmp_path / "a.png").mode.startswith("I")
    assert set(recognised(tmp_path / "a.png")[0].text.split()) >= WORDS


def test_a_small_screenshot_is_enlarged(tmp_path: Path) -> None:
    picture(SHORT, size=14).save(tmp_path / "a.png")
    assert len(set(recognised(tmp_path / "a.png")[0].text.split()) & WORDS) >= len(WORDS) - 1


def test_a_fax_has_two_resolutions(tmp_path: Path) -> None:
    page = picture(SHORT)
    page.resize((page.width, page.height // 2)).save(tmp_path / "a.tif", dpi=(204, 98))
    assert len(set(recognised(tmp_path / "a.tif")[0].text.split()) & WORDS) >= len(WORDS) - 2


def test_a_picture_without_text_is_no_error(tmp_path: Path) -> None:
    picture([]).save(tmp_path / "a.png")
    (part,) = recognised(tmp_path / "a.png")
    assert part.text == ""


def png(width: int, height: int) -> bytes:
    """A PNG that says it is so large, and holds nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (png(60_000, 60_000), "it has more than 100 million pixels"),
        (png(11_000, 10_000), "it has more than 100 million pixels"),
        (b"", "it is damaged or not a picture"),
        (b"GIF, so to speak", "it is damaged or not a picture"),
        (png(400, 400), "it is damaged: a part of the picture is missing"),
    ],
    ids=["bomb", "too large", "empty", "text", "cut"],
)
def test_what_is_refused(tmp_path: Path, raw: bytes, reason: str) -> None:
    (tmp_path / "a.png").write_bytes(raw)
    with pytest.raises(DocumentError) as refused:
        recognised(tmp_path / "a.png")
    assert str(refused.value) == reason
