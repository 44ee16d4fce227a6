"""Versions of parts that decide what is done again; apart from the parts, which take seconds to import."""

from __future__ import annotations

# Raise it when what a reader makes of a file changes: every document is then read again.
READERS = 4
