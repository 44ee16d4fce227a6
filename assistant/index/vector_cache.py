"""Vectors by the hash of their text: what was embedded once is not embedded again.

So only the changed passages of a changed document cost the model anything, and a killed run does not start over. A cache
beside the store, not a part of it: it may be deleted at any time. Vectors are kept as 32-bit floats, as Chroma does.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np

_BATCH = 500  # keys in one IN (…)
_BUSY_SECONDS = 30.0  # an ingest and a reindex write it side by side
_log = logging.getLogger(__name__)
Embed = Callable[[list[str]], list[list[float]]]


class VectorCache:
    """One SQLite file; `identity` names the embedding model, whose vectors are never given for another one's."""

    def __init__(self, file: Path, identity: str, *, max_mb: int) -> None:
        self._file = file
        self._identity = identity.encode()
        self._max_bytes = max_mb << 20
        self._connection: sqlite3.Connection | None = None

    def vectors(self, texts: list[str], embed: Embed) -> tuple[list[list[float]], int]:
        """The vectors of the texts in their order, and how many of them had to be computed."""
        keys = [
            hashlib.sha256(self._identity + b"\0" + text.encode("utf-8", "replace")).digest()[:16] for text in texts
        ]
        known = self._get(keys)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}  # each once
        if missing:
            fresh = dict(zip(missing, embed(list(missing.values())), strict=True))
            self._put(fresh)
            known |= fresh
        return [known[key] for key in keys], len(missing)

    def trim(self) -> None:
        """Forget the older half once it is larger than it may be."""
        try:
            if self._file.exists() and self._file.stat().st_size > self._max_bytes:
                connection = self._open()
                connection.execute(
                    "DELETE FROM vectors WHERE rowid <= (SELECT (min(rowid) + max(rowid)) / 2 FROM vectors)"
                )
                connection.commit()
                connection.execute("VACUUM")
        except (sqlite3.Error, OSError) as error:
            self._drop(error)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _get(self, keys: list[bytes]) -> dict[bytes, list[float]]:
        found: dict[bytes, list[float]] = {}
        try:
            for start in range(0, len(keys), _BATCH):
                part = keys[start : start + _BATCH]
                marks = ",".join("?" * len(part))
                rows = self._open().execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", part)
                found.update((key, np.frombuffer(vector, dtype=np.float32).tolist()) for key, vector in rows)
        except (sqlite3.Error, OSError, ValueError, TypeError) as error:  # also bytes that are no vector
            self._drop(error)
        return found

    def _put(self, vectors: dict[bytes, list[float]]) -> None:
        rows = [(key, np.asarray(vector, dtype=np.float32).tobytes()) for key, vector in vectors.items()]
        try:
            connection = self._open()
            connection.executemany("INSERT OR IGNORE INTO vectors (key, vector) VALUES (?, ?)", rows)
            connection.commit()
        except (sqlite3.Error, OSError) as error:
            self._drop(error)

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self._file, timeout=_BUSY_SECONDS, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=OFF")  # after a power cut it may be damaged, and is made anew
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS vectors (id INTEGER PRIMARY KEY, key BLOB UNIQUE, vector BLOB NOT NULL)"
            )
        return self._connection

    def _drop(self, error: Exception) -> None:
        """A damaged cache is thrown away; on a full disk it stays empty, and everything works without."""
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            return  # it is whole, and another process has it for long
        _log.warning("the cache of vectors %s can't be used and is made anew: %s", self._file, error)
        self.close()
        for suffix in ("", "-wal", "-shm"):
            try:
                self._file.with_name(self._file.name + suffix).unlink(missing_ok=True)
            except OSError:
                return
