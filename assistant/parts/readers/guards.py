"""What is checked before a file is parsed: its size, what it would unpack to, and whether it needs a password.

An archive's directory states sizes, which may be lies: the worker's memory limit stands behind these checks.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

from assistant.errors import DocumentError
from assistant.settings import IngestLimits

_MAX_RATIO = 200  # unpacked to packed, of one entry …
_SMALL = 10 << 20  # … unless it is no larger than this: templates hold long runs of nothing
_EXCEL_DEFAULT = "VelvetSweatshop"  # what Excel encrypts with when it only protects a workbook from changes
NEEDS_PASSWORD = "it needs a password (ingest.passwords)"


def check_size(file: Path, limits: IngestLimits) -> None:
    """Raises `DocumentError` for an empty or oversized file, or an archive that unpacks to too much."""
    size = file.stat().st_size
    if size == 0:
        raise DocumentError("the file is empty")
    if size > limits.file_mb << 20:
        raise DocumentError(f"it is larger than {limits.file_mb} MB (ingest.limits.file_mb)")
    with file.open("rb") as opened:
        if opened.read(2) == b"PK":
            _check_archive(file, limits)


def _check_archive(file: Path, limits: IngestLimits) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError):
        return  # its reader says what is wrong with it
    if len(entries) > limits.archive_files:
        raise DocumentError(f"it holds more than {limits.archive_files} files (ingest.limits.archive_files)")
    if sum(entry.file_size for entry in entries) > limits.unpacked_mb << 20:
        raise DocumentError(f"it unpacks to more than {limits.unpacked_mb} MB (ingest.limits.unpacked_mb)")
    if any(entry.file_size > max(_SMALL, _MAX_RATIO * entry.compress_size) for entry in entries):
        raise DocumentError("it unpacks to hundreds of times its size, as an archive made to fill memory does")
    if any(entry.flag_bits & 1 for entry in entries):
        raise DocumentError(NEEDS_PASSWORD)


def decrypted(raw: bytes, passwords: Sequence[str]) -> bytes:
    """An Office file without its encryption, or as it is. Raises `DocumentError` when none of the passwords fits."""
    import msoffcrypto
    from msoffcrypto.exceptions import DecryptionError, FileFormatError, InvalidKeyError, ParseError

    failures = (DecryptionError, FileFormatError, InvalidKeyError, ParseError, OSError, ValueError, KeyError)
    try:
        office = msoffcrypto.OfficeFile(io.BytesIO(raw))
        if not office.is_encrypted():
            return raw
    except (*failures, AttributeError, IndexError, TypeError):  # not one of its formats, or damaged
        return raw
    for password in (*passwords, _EXCEL_DEFAULT):
        plain = io.BytesIO()
        try:
            office.load_key(password=password)
            office.decrypt(plain)
        except failures:
            continue
        if plain.getvalue() != raw:
            return plain.getvalue()
    raise DocumentError(NEEDS_PASSWORD)
