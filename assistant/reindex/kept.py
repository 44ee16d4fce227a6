"""Documents removed by hand go from the generations that are kept too: nothing of them is to be left on the disk."""

from __future__ import annotations

from collections.abc import Callable, Collection

from assistant.assistant import Assistant
from assistant.index.succession import mark
from assistant.ingest.lock import one_at_a_time


def remove_from_kept(
    assistant: Assistant, documents: Collection[str], *, waiting: Callable[[], None] | None = None
) -> dict[int, int]:
    """Generation → passages taken out of it. Raises `ChromaUnavailable`, `StorageError`; then it can be done again."""
    generations, removed = assistant.serving.generations, {}
    storage = assistant.settings.storage.path.expanduser().resolve()
    with one_at_a_time(storage / "run" / "ingest.lock", waiting):
        for generation in generations.kept():
            index = assistant.serving.make(generations.with_embedding(generation, assistant.serving.configured))
            try:
                held = [row.id for row in index.catalog.documents() if row.id in documents]
                if held:
                    removed[generation.number] = index.writer.remove(held)
                    index.keyword.refresh()
                    mark(index.catalog)
            finally:
                index.close()
    return removed
