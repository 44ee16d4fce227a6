"""The three heavy parts of an ingest, each alone in a process: `python -m tests.load.bare reading|embedding|storing …`.

They are what an ingest can't do without, so their CPU seconds are the measure for its own (`tests.load.ingest`).
Prints JSON; imports, the loading of the model and the start of the server are told apart from the work (`start`).

- reading: the same readers, called one file after another, without worker processes, limits or a pool.
- embedding: the same texts from the chunk table, in the order of their documents, by the bare model in batches of 64
  with one thread.
- storing: the same vectors under the same ids into a fresh `chroma run`, one collection for each access class as in
  the assistant, in batches of 1,000. Client and server count; the server until the last `add` has been answered.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import yaml

BATCH = 1000


def reading(folder: Path, recipe: Path) -> Callable[[], dict[str, Any]]:
    from assistant.errors import DocumentError
    from assistant.parts.readers import READERS, ReadContext

    chosen = yaml.safe_load(recipe.read_text("utf-8"))["readers"]
    files = sorted(path for path in folder.rglob("*") if path.suffix in chosen)
    readers = {extension: _reader(READERS.build, step) for extension, step in chosen.items()}
    first = {path.suffix: path for path in files}
    for extension, path in first.items():  # libraries are imported at the first file
        readers[extension].read(path, ReadContext())

    def work() -> dict[str, Any]:
        letters = failed = 0
        for path in files:
            try:
                parts = readers[path.suffix].read(path, ReadContext()).parts
            except DocumentError:
                failed += 1
                continue
            letters += sum(len(part.text) for part in parts)
        return {"files": len(files), "failed": failed, "letters": letters}

    return work


def _reader(build: Callable[..., Any], step: str | dict[str, dict[str, Any] | None]) -> Any:
    """By name, or by name with options, as a recipe has it."""
    ((name, options),) = ({step: None} if isinstance(step, str) else step).items()
    return build(name, **(options or {}))


def embedding(database: Path, model: Path, target: Path) -> Callable[[], dict[str, Any]]:
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(1)
    texts = ["\n".join(filter(None, row[2:])) for row in _chunks(database)]
    loaded = SentenceTransformer(str(model), device="cpu")
    loaded.encode(texts[:64], batch_size=64)

    def work() -> dict[str, Any]:
        vectors = loaded.encode(texts, batch_size=64, normalize_embeddings=True, show_progress_bar=False)
        np.save(target, np.asarray(vectors, dtype=np.float32))
        return {"texts": len(texts), "dimensions": int(vectors.shape[1])}

    return work


def storing(database: Path, vectors: Path, folder: Path) -> Callable[[], dict[str, Any]]:
    from assistant.index.chroma_server import ChromaServer

    chunks, found = _chunks(database), np.load(vectors)
    places: dict[int, list[int]] = {}
    for place, (_, class_id, *_rest) in enumerate(chunks):
        places.setdefault(class_id, []).append(place)
    folder.mkdir()
    client = ChromaServer(mode="managed", host="127.0.0.1", port=0, path=folder).client()

    def work() -> dict[str, Any]:
        for class_id, numbers in places.items():
            space: Any = {"hnsw": {"space": "cosine", "ef_search": 100}}
            collection = client.get_or_create_collection(
                f"class-{class_id}", configuration=space, embedding_function=None
            )
            for start in range(0, len(numbers), BATCH):
                part = numbers[start : start + BATCH]
                ids = [chunks[number][0] for number in part]
                owners: Any = [{"document_id": key.partition("-")[0]} for key in ids]
                collection.add(ids=ids, embeddings=found[part], metadatas=owners)
        return {"vectors": len(chunks), "collections": len(places)}

    return work


def _chunks(database: Path) -> list[tuple[str, int, str, str, str]]:
    """Id, class, title, section, text of every chunk."""
    query = (
        "SELECT chunks.id, chunks.class_id, documents.title, chunks.section, chunks.text"
        " FROM chunks JOIN documents ON documents.id = chunks.document_id"
        " ORDER BY chunks.document_id, chunks.position"
    )
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def cpu_now() -> float:
    """Of this process and those under it that live."""
    me = psutil.Process()
    times = [process.cpu_times() for process in (me, *me.children(recursive=True))]
    return sum(part.user + part.system for part in times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="part", required=True)
    arguments = {
        "reading": ("folder", "recipe"),
        "embedding": ("database", "model", "target"),
        "storing": ("database", "vectors", "folder"),
    }
    for name, wanted in arguments.items():
        command = commands.add_parser(name)
        for argument in wanted:
            command.add_argument(argument, type=Path)
    options = vars(parser.parse_args())
    prepare: Callable[..., Callable[[], dict[str, Any]]] = globals()[options.pop("part")]
    work = prepare(**options)
    begun, start = cpu_now(), time.perf_counter()
    found = work()
    print(json.dumps({**found, "wall": time.perf_counter() - start, "cpu": cpu_now() - begun, "start": begun}))


if __name__ == "__main__":
    main()
