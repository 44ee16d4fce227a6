"""Takes a generation of the index away: its collections, rows and words. Killed anywhere, it can be done again."""

from __future__ import annotations

import shutil
from pathlib import Path

from assistant.index.catalog import Catalog
from assistant.index.chroma_server import ChromaServer
from assistant.index.generations import Generation, Generations
from assistant.index.scope import FIRST
from assistant.index.writer import translated


def remove_generation(
    generation: Generation, *, generations: Generations, catalog: Catalog, chroma: ChromaServer, storage: Path
) -> None:
    """Raises `StorageError` for the one that serves, `ChromaUnavailable`. It can't serve again."""
    generations.give_up(generation.number)
    with translated():
        _remove_vectors(generation, catalog, chroma)
    generations.remove_rows(generation.number)
    shutil.rmtree(storage / generation.keyword_folder, ignore_errors=True)


def _remove_vectors(generation: Generation, catalog: Catalog, chroma: ChromaServer) -> None:
    """The first one's collections are named by the model alone: another installation on the same server may use them too."""
    client = chroma.client()
    present = {one.name for one in client.list_collections()}
    if generation.number != FIRST:
        prefix = generation.collection_names(catalog.store_id)(0).removesuffix("0")
        for name in present:
            if name.startswith(prefix):
                client.delete_collection(name)
        return
    ids: dict[str, list[str]] = {}
    for write in catalog.writes():
        ids.setdefault(write.collection, []).extend(write.chunk_ids())
    for name in present & set(ids):
        from assistant.parts.vector_stores import open_collection

        store = open_collection(client, name)
        store.delete_nodes(ids[name])
        if not store.client.count():
            client.delete_collection(name)
