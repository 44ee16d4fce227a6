"""The stock LlamaIndex pipeline on the same files, to compare with: what it costs, and what it finds and loses.

`SimpleDirectoryReader` → `SentenceSplitter` (same chunk size, same tokenizer) → the same embedding model with one thread
→ `ChromaVectorStore` on a Chroma server, run by `IngestionPipeline`: as its documentation has it, but in batches of 200
documents, because `ChromaVectorStore.add` fails above 5,461 nodes in one call. It has no word index, no access classes
and no catalog.

Its readers of PDF and DOCX are a package of their own, which is not among ours:

    pip install --no-deps --target READERS llama-index-readers-file docx2txt "pypdf<7" \\
        openpyxl et-xmlfile python-pptx XlsxWriter
    PYTHONPATH=READERS python -m tests.load.ingest CORPORA --plain

Without it this comparison leaves PDF and DOCX out for it, and says so. Started by `tests.load.ingest` and
`tests.load.plain_files`; by itself it is their child process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.load.bare import cpu_now
from tests.load.corpus import Made
from tests.load.site import MODEL, Site

if TYPE_CHECKING:
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.schema import BaseNode, Document

NAME = "tests.load.plain_llama_index"
SAMPLE = 50  # documents of each format that are asked for
TOP = 5
BATCH = 200  # documents


def compare(site: Site, made: list[Made]) -> dict[str, Any]:
    """Both indexes over the documents of the site, asked for the same documents by their own sentences."""
    probes = _probes(made)
    file = site.folder / "probes.json"
    file.write_text(json.dumps(probes, ensure_ascii=False), "utf-8")
    plain = index(site, file)
    ours = json.loads(site.command("ours-asked", "ask", file, module=NAME).output)
    found = {
        "plain, vectors": plain.pop("found"),
        "ours, vectors": ours["vector"],
        "ours, as shipped": ours["reranked"],
    }
    plain["asked"] = dict(Counter(Path(path).suffix for path in probes))
    plain["found"] = {name: dict(Counter(Path(path).suffix for path in paths)) for name, paths in found.items()}
    return plain


def index(site: Site, probes: Path) -> dict[str, Any]:
    """The plain pipeline over the documents of the site; texts by file are in `plain.json` of its folder."""
    texts = site.folder / "plain.json"
    done = site.command("plain", "index", site.documents, site.recipe, texts, probes, module=NAME)
    found: dict[str, Any] = json.loads(done.output.splitlines()[-1])
    return {**found, "usage": done.usage.as_json()}


def _probes(made: list[Made]) -> dict[str, str]:
    chance = random.Random(1)
    by_format: dict[str, list[Made]] = {}
    for document in made:
        by_format.setdefault(Path(document.path).suffix, []).append(document)
    chosen = [one for part in by_format.values() for one in chance.sample(part, min(SAMPLE, len(part)))]
    return {one.path: one.sentence for one in chosen}


def show(plain: dict[str, Any], ours: dict[str, Any]) -> None:
    cost = sum(phase["cpu"] for phase in plain["phases"].values())
    wall = sum(phase["wall"] for phase in plain["phases"].values())
    print("\nThe plain LlamaIndex pipeline on the same files")
    if not plain["has_readers"]:
        print("  without llama-index-readers-file: Markdown only, so its cost is not comparable")
    print(f"  {wall:8.1f} s wall, {cost:.1f} s CPU; ours {ours['wall']:.1f} and {ours['cpu']:.1f}", end="")
    print(f" = {ours['wall'] / wall:.2f} and {ours['cpu'] / cost:.2f} times;", end="")
    print(f" memory {plain['usage']['peak_mb']:.0f} MB, ours {ours['peak_mb']:.0f}")
    for name, phase in plain["phases"].items():
        print(f"    {name:12} {phase['wall']:8.1f} s wall {phase['cpu']:8.1f} s CPU")
    print(f"  files {plain['files']}: {plain['indexed']} indexed, {plain['blank']} without text, {plain['lost']} lost,")
    print(f"  {plain['left_out']} left out; {plain['nodes']} nodes")
    print(f"  asked by a sentence of its own, the document is among the first {TOP} passages:")
    print("    " + " " * 18 + "".join(f"{kind:>10}" for kind in plain["asked"]))
    for name, counts in plain["found"].items():
        shares = "".join(f"{counts.get(kind, 0):6}/{asked:<3}" for kind, asked in plain["asked"].items())
        print(f"    {name:18}{shares}")


# --- in the child processes


def index_plain(folder: Path, recipe: Path, texts: Path, probes: Path) -> dict[str, Any]:
    phases: dict[str, dict[str, float]] = {}
    with _phase(phases, "start"):
        from llama_index.core.ingestion import IngestionPipeline
        from llama_index.core.node_parser import SentenceSplitter
        from llama_index.vector_stores.chroma import ChromaVectorStore

        from assistant.index.chroma_server import ChromaServer
        from assistant.parts.embeddings import EMBEDDINGS, tokenizer_of

        model = EMBEDDINGS.build("huggingface", model=str(MODEL), threads=1)
        model.get_text_embedding("warm")
        server = ChromaServer(mode="managed", host="127.0.0.1", port=0, path=_made(folder.parent / "plain-chroma"))
        space: Any = {"hnsw": {"space": "cosine", "ef_search": 100}}
        collection = server.client().get_or_create_collection("plain", configuration=space, embedding_function=None)
    with _phase(phases, "read"):
        documents, failures = _read(folder)
    steps: list[Any] = yaml.safe_load(recipe.read_text("utf-8"))["transformations"]
    options = next(step["SentenceSplitter"] for step in steps if "SentenceSplitter" in step)
    store = ChromaVectorStore(chroma_collection=collection)
    splitter = SentenceSplitter(**options, tokenizer=tokenizer_of(model))
    pipeline = IngestionPipeline(transformations=[splitter, model], vector_store=store, disable_cache=True)
    nodes: Counter[str] = Counter()
    with _phase(phases, "index"):
        for start in range(0, len(documents), BATCH):
            made = _run(pipeline, documents[start : start + BATCH], folder, failures)
            nodes.update(_path(node.metadata, folder) for node in made if node.get_content().strip())
    joined: dict[str, str] = {}
    for document in documents:
        path = _path(document.metadata, folder)
        joined[path] = joined.get(path, "") + document.text + "\n"
    held = {path: text for path, text in joined.items() if path in nodes}
    texts.write_text(json.dumps({"texts": held, "failures": failures}, ensure_ascii=False), "utf-8")
    files = [path for path in folder.rglob("*") if path.is_file()]
    wanted = len(_files(folder))
    found = _asked(model, collection, json.loads(probes.read_text("utf-8")), folder)
    counts = {"indexed": len(nodes), "blank": len(joined) - len(nodes), "lost": wanted - len(joined)}
    rest = {"files": len(files), "left_out": len(files) - wanted, "has_readers": _has_readers()}
    return {"phases": phases, **counts, **rest, "nodes": collection.count(), "found": found}


def _run(pipeline: Any, documents: list[Document], folder: Path, failures: dict[str, str]) -> list[BaseNode]:
    """Chroma's store refuses metadata that some readers make, and one such document fails its whole batch."""
    try:
        made: list[BaseNode] = pipeline.run(documents=documents)
    except ValueError as error:
        if len(documents) == 1:
            failures[_path(documents[0].metadata, folder)] = str(error)
            return []
        return [node for document in documents for node in _run(pipeline, [document], folder, failures)]
    return made


def _files(folder: Path) -> list[Path]:
    """Without its package for formats it would index the bytes of a PDF as text: that is nobody's comparison."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return files if _has_readers() else [path for path in files if path.suffix in (".md", ".txt")]


def _read(folder: Path) -> tuple[list[Document], dict[str, str]]:
    """One file after another, as `load_data` does: what it lacks a package for would otherwise end all of it."""
    from llama_index.core import SimpleDirectoryReader

    reader = SimpleDirectoryReader(input_dir=str(folder), recursive=True, exclude_hidden=False)
    documents: list[Document] = []
    failures: dict[str, str] = {}
    for file in _files(folder):
        said = StringIO()
        try:
            with redirect_stdout(said):
                documents += reader.load_file(file, reader.file_metadata, reader.file_extractor, errors=reader.errors)
        except (ImportError, AttributeError) as error:
            failures[file.relative_to(folder).as_posix()] = str(error)
        if text := said.getvalue().strip():
            failures[file.relative_to(folder).as_posix()] = text[:300]
    return reader._exclude_metadata(documents), failures


def _asked(model: BaseEmbedding, collection: Any, probes: dict[str, str], folder: Path) -> list[str]:
    found = []
    for path, sentence in probes.items():
        vector = model.get_query_embedding(sentence)
        metadata = collection.query(query_embeddings=[vector], n_results=TOP, include=["metadatas"])["metadatas"][0]
        if path in {_path(part, folder) for part in metadata}:
            found.append(path)
    return found


def ask_ours(probes: Path) -> dict[str, list[str]]:
    """The paths that are found among the first passages of our index, by vectors alone and by all that is shipped."""
    from assistant.access.principal import LOCAL_OPERATOR
    from assistant.settings_loader import load_settings
    from assistant.wiring import build

    asked: dict[str, str] = json.loads(probes.read_text("utf-8"))
    found: dict[str, list[str]] = {"vector": [], "reranked": []}
    with build(load_settings(None)) as assistant:
        for method, paths in found.items():
            for path, sentence in asked.items():
                answer = asyncio.run(assistant.search(sentence, LOCAL_OPERATOR, k=TOP, method=method))
                if path in {source.passage.path for source in answer.sources}:
                    paths.append(path)
    return found


def _path(metadata: dict[str, Any], folder: Path) -> str:
    return Path(metadata["file_path"]).relative_to(folder).as_posix()


def _has_readers() -> bool:
    try:
        return find_spec("llama_index.readers.file") is not None
    except ModuleNotFoundError:
        return False


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@contextmanager
def _phase(phases: dict[str, dict[str, float]], name: str) -> Iterator[None]:
    """The first one counts from the start of the process."""
    begun, start = cpu_now() if phases else 0.0, time.perf_counter()
    yield
    phases[name] = {"wall": time.perf_counter() - start, "cpu": cpu_now() - begun}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, arguments in {"index": ("folder", "recipe", "texts", "probes"), "ask": ("probes",)}.items():
        command = commands.add_parser(name)
        for argument in arguments:
            command.add_argument(argument, type=Path)
    options = vars(parser.parse_args())
    work: Any = {"index": index_plain, "ask": ask_ours}[options.pop("command")]
    print(json.dumps(work(**options)))


if __name__ == "__main__":
    main()
