"""Where Tesseract's language data is. Light: asked at every start, without Tesseract."""

from __future__ import annotations

import os
from pathlib import Path

OCR_IS_OFF = "pages that are only pictures are not recognised (ingest.ocr.enabled is off)"


_SYSTEM = (
    "usr/share/tesseract-ocr/*/tessdata",
    "usr/share/tessdata",
    "usr/share/tesseract/tessdata",
    "usr/local/share/tessdata",
    "opt/homebrew/share/tessdata",
)


def tessdata_folders(configured: Path | None) -> list[Path]:
    """Folders that may hold `<language>.traineddata`, the most wanted first."""
    if configured is not None:
        return [configured.expanduser()]
    named = os.environ.get("TESSDATA_PREFIX")
    system = [folder for pattern in _SYSTEM for folder in sorted(Path("/").glob(pattern), reverse=True)]
    return [*([Path(named), Path(named) / "tessdata"] if named else []), *system]


def installed_languages(configured: Path | None) -> set[str]:
    """Languages in the first folder that has any."""
    for folder in tessdata_folders(configured):
        if found := {file.stem for file in folder.glob("*.traineddata")}:
            return found
    return set()
