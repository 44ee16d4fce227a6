"""How far a run is: a snapshot that is given to whoever shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class IngestProgress:
    """Files and pages done so far; `current` is the file that has been under way longest."""

    files: int
    total: int
    pages: int = 0
    ocr_pages: int = 0
    chunks: int = 0
    failed: int = 0
    current: str = ""
    current_seconds: float = 0.0


Progress = Callable[[IngestProgress], None]
