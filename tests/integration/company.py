"""A small company for the integration tests: its documents, its storage, and what a storage holds in the end."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding

from assistant.access.principal import LOCAL_OPERATOR, AccessClass, Principal
from assistant.ask.retrieval import Retrieved
from assistant.assistant import Assistant
from assistant.index.catalog import INDEXED
from assistant.ingest.report import IngestReport
from assistant.settings import Chroma, Embedding, Ingest, Settings, Storage
from assistant.settings_security import Limits
from assistant.wiring import build

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "data" / "docs" / "company"

READERS = "{.md: markdown, .txt: text, .html: html, .docx: office, .pdf: pdf}"
RECIPE = """
name: {name}
source: {{directory: "{directory}"}}
exclude: [".*"]
readers: {readers}
transformations:
  - MarkdownSections
  - SentenceSplitter: {{chunk_size: {chunk_size}, chunk_overlap: 0}}
access:
{rules}
"""
RULES = {"/hr/managers/**": ("hr", 2), "/hr/**": ("hr", 1), "/sales/**": ("sales", 1), "/**": ("company", 1)}

# Word lists with a marker of their own: `hr` finds hr documents, and nothing else does.
TEXTS = {
    "notice.md": "# Общий порядок\n\nПропуск выдаёт охрана на проходной.\n\n## Гости\n\nГостей встречает сотрудник.",
    "hr/leave.md": "# Отпуск\n\nОтпуск двадцать восемь дней.\n\n## Перенос\n\nПеренос отпуска согласует начальник.",
    "hr/hiring.txt": "Hiring starts with a request from the head of the department and ends with a contract.",
    "hr/managers/grades.md": "# Grades\n\nSalary grade nine begins at four hundred thousand.",
    "sales/prices.md": "# Цены\n\nСкидка без согласования не выше семи процентов.\n\n## Опт\n\nОпт от ста штук.",
    "sales/returns.txt": "Returns are accepted within fourteen days with the receipt.",
}
COPIES = {
    "it/VPN.pdf": "it/Инструкция по VPN.pdf",
    "it/passwords.docx": "it/Пароли и учётные записи.docx",
    "it/почта.html": "it/Корпоративная почта.html",
}

# What a forkserver imports once for all its children.
PRELOAD = [
    *("tests.integration.company", "assistant.cli.main", "assistant.operations.logs", "assistant.ask.service"),
    *("assistant.ingest.service", "assistant.ingest.splitting", "assistant.index.keyword", "assistant.parts.llms"),
    *("assistant.parts.vector_stores", "chromadb.api.fastapi", "nltk.tokenize.punkt", "pebble"),
]

STAFF = Principal("1", "Staff")
HR = Principal("2", "Hr", departments=frozenset({"hr"}))
HR_HEAD = Principal("3", "Head", departments=frozenset({"hr"}), level=2)
SALES = Principal("4", "Sales", departments=frozenset({"sales"}))


@dataclass
class Site:
    """A storage with its assistant, a folder of documents and the pipeline over it."""

    folder: Path
    pipeline: Path
    assistant: Assistant

    def ingest(self, **options: Any) -> IngestReport:
        return self.assistant.ingest(self.pipeline, **options)

    def rules(self, rules: dict[str, tuple[str, int]], **options: Any) -> None:
        recipe(self.pipeline, self.folder, rules=rules, **options)


# Tests ask and fail more in a minute than people do; those of the limits have their own.
ANY = Limits(
    per_minute=0,
    per_day=0,
    address_per_minute=0,
    address_per_day=0,
    concurrent_answers=0,
    wrong_passwords=0,
    address_wrong_passwords=0,
)


def settings(storage: Path, **blocks: Any) -> Settings:
    """Real servers and files below `storage`, a free port, the hash embedding; one reading worker, tiny batches."""
    given = {
        "ingest": Ingest(workers=1, batch_chunks=2),
        "embedding": Embedding(provider="hash"),
        "limits": ANY,
    } | blocks
    return Settings(storage=Storage(path=storage), chroma=Chroma(port=0), **given)


def write(folder: Path, texts: dict[str, str]) -> None:
    for path, text in texts.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def write_documents(folder: Path) -> Path:
    """Nine documents in five formats and four access classes."""
    write(folder, TEXTS)
    for path, original in COPIES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(DOCS / original, folder / path)
    return folder


def recipe(
    file: Path,
    directory: Path,
    *,
    name: str = "company",
    rules: dict[str, tuple[str, int]] | None = None,
    chunk_size: int = 60,
    readers: str = READERS,
) -> Path:
    """Write a pipeline file."""
    lines = [
        f"  - {{match: '{match}', department: '{department}', level: {level}}}"
        for match, (department, level) in (RULES if rules is None else rules).items()
    ]
    text = RECIPE.format(name=name, directory=directory, chunk_size=chunk_size, readers=readers, rules="\n".join(lines))
    file.write_text(text, encoding="utf-8")
    return file


def search(
    assistant: Assistant,
    question: str,
    principal: Principal = LOCAL_OPERATOR,
    *,
    method: str = "reranked",
    k: int | None = None,
) -> Retrieved:
    return asyncio.run(assistant.search(question, principal, method=method, k=k))


def paths(assistant: Assistant, question: str, principal: Principal = LOCAL_OPERATOR, **options: Any) -> list[str]:
    """Paths of the passages found, best first."""
    return [source.passage.path for source in search(assistant, question, principal, **options).sources]


def reasons(report: IngestReport) -> dict[str, str]:
    assert len({failure.path for failure in report.failed}) == len(report.failed), "a file was listed twice"
    return {failure.path: failure.error for failure in report.failed}


def snapshot(assistant: Assistant) -> dict[str, Any]:
    """All that a storage holds of documents, in a form that two storages can be compared by. Fails if parts disagree."""
    catalog, classes = assistant.catalog, assistant.catalog.classes()
    documents: dict[str, Any] = {}
    chunks: dict[str, AccessClass] = {}
    for view in assistant.documents():
        row = view.row
        passages = catalog.passages_of(row.id)
        assert row.chunks == len(passages), row.path
        chunks |= {passage.chunk: passage.access_class for passage in passages}
        texts = [(passage.chunk, passage.section, passage.page, passage.text) for passage in passages]
        documents[f"{row.pipeline}|{row.source}|{row.path}"] = (view.access_class, row.status, row.error, texts)
        writes = [] if not row.chunks else [(classes[row.class_id or 0], row.version, row.chunks)]
        noted = [
            (_class_of(write.collection, classes), write.version, write.chunks) for write in catalog.writes_of([row.id])
        ]
        assert noted == writes, f"vector writes of {row.path}"
    assert not catalog.orphaned_writes()
    vectors = vectors_of(assistant)
    keyword = keyword_of(assistant)
    assert keyword == chunks, "BM25 and the chunk table disagree"
    held = {key: found for found, part in vectors.items() for key in part}
    assert held == chunks, "Chroma and the chunk table disagree"
    assert sum(len(part) for part in vectors.values()) == len(chunks), "a chunk is in two collections"
    return {"documents": documents, "vectors": vectors, "keyword": keyword}


def comparable(snapshot: dict[str, Any]) -> dict[str, Any]:
    """By path: class, status, error, and each passage with its vector. A renamed document keeps its first name's id."""
    vectors = {key: vector for part in snapshot["vectors"].values() for key, vector in part.items()}
    return {
        key: (access_class, status, error, [(*passage[1:], vectors[passage[0]]) for passage in passages])
        for key, (access_class, status, error, passages) in snapshot["documents"].items()
    }


def vectors_of(assistant: Assistant) -> dict[AccessClass, dict[str, tuple[float, ...]]]:
    """What the Chroma server holds of the generation that serves, by access class; empty collections left out."""
    index, classes = assistant.serving(), assistant.catalog.classes()
    found: dict[AccessClass, dict[str, tuple[float, ...]]] = {}
    prefix = index.generation.collection_names(index.catalog.store_id)(0)[:-1]
    for collection in assistant.chroma.client().list_collections():
        if not collection.name.startswith(prefix):
            continue
        held = collection.get(include=["embeddings"])
        pairs = zip(held["ids"], held["embeddings"], strict=True)
        if part := {key: tuple(float(value) for value in vector) for key, vector in pairs}:
            found[_class_of(collection.name, classes)] = part
    return found


def keyword_of(assistant: Assistant) -> dict[str, AccessClass]:
    index, classes = assistant.keyword.current(), assistant.catalog.classes()
    if index is None:
        return {}
    pairs = zip(index.chunks, index.classes, strict=True)
    return {key.decode(): classes[int(number)] for key, number in pairs}


def indexed(assistant: Assistant) -> dict[str, AccessClass | None]:
    return {view.row.path: view.access_class for view in assistant.documents(status=INDEXED)}


def undisturbed(storage: Path, pipelines: list[Path], embed_model: BaseEmbedding | None = None) -> dict[str, Any]:
    """What a storage holds that loads today's files in one quiet run."""
    with build(settings(storage), embed_model=embed_model) as assistant:
        for pipeline in pipelines:
            assistant.ingest(pipeline)
        return snapshot(assistant)


def keep_stat(file: Path, content: bytes) -> None:
    """New content with the old size and time: only who opens the file can see it."""
    stat = file.stat()
    assert len(content) == stat.st_size
    file.write_bytes(content)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@contextmanager
def unreadable(file: Path) -> Iterator[None]:
    """A file that opening refuses, also for root: its right to read everything is laid down meanwhile (Linux)."""
    import ctypes

    mode = file.stat().st_mode
    file.chmod(0)
    if os.geteuid() != 0:
        try:
            yield
        finally:
            file.chmod(mode)
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    rights = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice
    assert libc.capget(header, rights) == 0
    effective = rights[0]
    rights[0] &= ~0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    assert libc.capset(header, rights) == 0
    try:
        yield
    finally:
        rights[0] = effective
        assert libc.capset(header, rights) == 0
        file.chmod(mode)


def _class_of(collection: str, classes: dict[int, AccessClass]) -> AccessClass:
    return classes[int(collection.rpartition("-c")[2])]
