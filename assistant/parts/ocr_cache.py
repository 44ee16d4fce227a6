"""What recognition found, one small file for each picture, by the picture's hash; those not used for longest go first.

A cache beside the store, not a part of it: it may be deleted at any time.
"""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

_BLOCK = 4096  # bytes that a file takes at least


def file_of(cache: Path, digest: str) -> Path:
    return cache / digest[:2] / f"{digest}.json"


def get(file: Path) -> dict[str, Any] | None:
    """What was kept, from now on the last used; None if nothing was, or the file is damaged."""
    try:
        kept = json.loads(file.read_text("utf-8"))
        os.utime(file)  # by the time of change, for few file systems note when a file is read
    except (OSError, ValueError):
        return None
    return kept if isinstance(kept, dict) else None


def put(file: Path, found: dict[str, Any]) -> None:
    """Whole or not at all, and for this user only: it is text of the documents. A full disk does not cost the page."""
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        number, name = tempfile.mkstemp(dir=file.parent, suffix=".tmp")  # mode 0600
        try:
            with os.fdopen(number, "w", encoding="utf-8") as target:
                json.dump(found, target, ensure_ascii=False)
            os.replace(name, file)
        except OSError:
            Path(name).unlink(missing_ok=True)


def trim(cache: Path, max_mb: int) -> None:
    """Forget what was not used for longest, until the rest takes no more than `max_mb` on the disk."""
    found = []
    for folder in _folders(cache):
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                with suppress(OSError):
                    stat = entry.stat(follow_symlinks=False)
                    found.append((stat.st_mtime_ns, -(-stat.st_size // _BLOCK) * _BLOCK, entry.path))
    too_much = sum(size for _, size, _ in found) - (max_mb << 20)
    for _, size, path in sorted(found):
        if too_much <= 0:
            return
        with suppress(OSError):
            os.unlink(path)
            too_much -= size


def _folders(cache: Path) -> list[str]:
    try:
        with os.scandir(cache) as entries:
            return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
