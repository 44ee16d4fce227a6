"""What is kept of something that is shown to come in: its hash, which opens nothing."""

from __future__ import annotations

import hashlib


def digest_of(secret: str) -> str:
    """Hex of SHA-256. Random ids need no slow hash; passwords have one, in `records.passwords`."""
    return hashlib.sha256(secret.encode()).hexdigest()
