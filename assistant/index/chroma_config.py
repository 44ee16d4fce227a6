"""The configuration of the Chroma server that we start."""

from __future__ import annotations

import json
from pathlib import Path

from assistant.index.chroma_users import replace_file

# By default `chroma run` reads each collection's row and segments from SQLite anew at every query, which costs it 0.8 to
# 1 ms of CPU (1.4 instead of 0.4 in all with 100 passages, 1.8 instead of 1.0 with 2,500), and a question asks one
# collection for each class. The server itself makes all changes and forgets
# what it changed; the seconds are an upper limit that its format demands.
_COLLECTIONS, _SECONDS = 10_000, 3_600


def write_config(folder: Path, store: Path, host: str, port: int) -> Path:
    """Write `chroma.yaml` (JSON is YAML) into `folder`. Given a file, `chroma run` takes no other options."""
    cached = {"cache": {"memory": {"capacity": _COLLECTIONS}}, "cache_ttl_secs": _SECONDS, "permitted_parallelism": 100}
    wanted = {
        "persist_path": str(store),
        "listen_address": host,
        "port": port,
        "collections_with_segments_provider": cached,
    }
    file = folder / "chroma.yaml"
    replace_file(file, json.dumps(wanted, indent=1))
    return file
