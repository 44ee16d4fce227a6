"""Pages drawn in worker processes: a hostile PDF costs only its own page, and only the loaded content is drawn."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from assistant.errors import DocumentError, FileChanged, NotFound
from assistant.ingest import drawing
from assistant.ingest.drawing import Drawing, NotDrawn
from assistant.settings import Ingest
from assistant.web import documents
from tests.integration.test_pdf_view import RULES, lines, made


@pytest.fixture(scope="module")
def draws() -> Iterator[Drawing]:
    found = Drawing(Ingest())
    yield found
    found.close()


def stored(folder: Path, raw: bytes, name: str = "a.pdf") -> tuple[str, str]:
    (folder / name).write_bytes(raw)
    return str(folder / name), hashlib.sha256(raw).hexdigest()


def laughing(depth: int) -> bytes:
    """A page that draws a form ten times, which draws another ten times, and so on: few bytes, no end."""
    forms = [
        b"%d 0 obj<</Type/XObject/Subtype/Form/BBox[0 0 600 800]/Resources<</XObject<</F %d 0 R>>>>/Length %d>>"
        b"stream\n%s\nendstream endobj\n" % (number, number + 1, 5 * 10, b"/F Do\n" * 10)
        for number in range(4, 4 + depth)
    ]
    last = b"%d 0 obj<</Type/XObject/Subtype/Form/BBox[0 0 600 800]/Length 20>>stream\n"
    last += b"0 0 600 800 re f    \nendstream endobj\n"
    return (
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Count 1/Kids[3 0 R]>>endobj\n"
        b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Resources<</XObject<</F 4 0 R>>>>/Contents 99 0 R>>endobj\n"
        b"99 0 obj<</Length 6>>stream\n/F Do\n\nendstream endobj\n"
        + b"".join(forms)
        + last % (4 + depth)
        + b"trailer<</Root 1 0 R>>\n%%EOF"
    )


def test_a_page_is_found_and_drawn(tmp_path: Path, draws: Drawing) -> None:
    file = stored(tmp_path, made(lines(*RULES)))
    assert draws.look(*file, 1, 1, RULES[1]).share == 1.0
    assert draws.draw(*file, 1)[8:12] == b"WEBP"
    with pytest.raises(NotFound):
        draws.draw(*file, 2)


def test_only_the_loaded_content_is_drawn(tmp_path: Path, draws: Drawing) -> None:
    location, sha256 = stored(tmp_path, made(lines(*RULES)))
    Path(location).write_bytes(made(lines("Тайна другого отдела")))
    with pytest.raises(FileChanged):
        draws.draw(location, sha256, 1)
    with pytest.raises(FileChanged):
        draws.look(location, sha256, 1, 1, "Тайна")
    for gone in (str(tmp_path / "none.pdf"), str(tmp_path), "https://files.example/a.pdf"):
        with pytest.raises(FileChanged):
            draws.draw(gone, sha256, 1)


def test_a_page_without_end_is_given_up_and_the_others_are_drawn_meanwhile(
    tmp_path: Path, draws: Drawing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "_SECONDS", 2.0)
    endless, good = stored(tmp_path, laughing(12), "bad.pdf"), stored(tmp_path, made(lines(*RULES)))
    draws.draw(*good, 1)
    with ThreadPoolExecutor() as threads:
        begun = time.monotonic()
        hanging = threads.submit(draws.draw, *endless, 1)
        assert draws.draw(*good, 1)
        assert not hanging.done(), "the good page did not wait for the bad one"
        with pytest.raises(NotDrawn, match="in time"):
            hanging.result()
    assert time.monotonic() - begun < 20
    assert draws.draw(*good, 1)


def test_who_is_last_in_the_line_is_waited_for() -> None:
    """Else eight hostile pages would stop the processes that draw everybody's."""
    assert documents._AT_ONCE / drawing._WORKERS * drawing._SECONDS < drawing._PATIENCE


def test_damaged_files_are_said(tmp_path: Path, draws: Drawing) -> None:
    for raw in (b"", b"%PDF-1.4 nothing", made(lines(*RULES))[:400]):
        with pytest.raises(DocumentError):
            draws.draw(*stored(tmp_path, raw), 1)


def test_dead_processes_are_replaced(tmp_path: Path) -> None:
    file = stored(tmp_path, made(lines(*RULES)))
    draws = Drawing(Ingest())
    try:
        draws.draw(*file, 1)
        assert draws._pool is not None
        for process in list(draws._pool._pool_manager.worker_manager.workers.values()):
            os.kill(process.pid, signal.SIGKILL)
        assert _drawn_in_the_end(draws, file)
    finally:
        draws.close()
    with pytest.raises(NotDrawn, match="stopping"):
        draws.draw(*file, 1)


def _drawn_in_the_end(draws: Drawing, file: tuple[str, str]) -> bytes:
    """The page that is drawn at the moment of the death may be lost, one after it must not be."""
    try:
        return draws.draw(*file, 1)
    except NotDrawn:
        return draws.draw(*file, 1)
