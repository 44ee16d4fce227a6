"""What is checked before a file is parsed: its size, and what it would unpack to."""

from __future__ import annotations

import zipfile
from pathlib import Path

from assistant.errors import DocumentError
from assistant.settings import IngestLimits


def check_size(file: Path, limits: IngestLimits) -> None:
    """Raises `DocumentError` for an empty or oversized file, or one that unpacks to too much."""
    size = file.stat().st_size
    if size == 0:
        raise DocumentError("the file is empty")
    if size > limits.file_mb << 20:
        raise DocumentError(f"it is larger than {limits.file_mb} MB (ingest.limits.file_mb)")
    if file.suffix.lower() in (".docx", ".pptx", ".xlsx", ".odt") and zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > limits.unpacked_mb << 20:
            raise DocumentError(f"it unpacks to more than {limits.unpacked_mb} MB (ingest.limits.unpacked_mb)")
