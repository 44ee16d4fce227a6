"""A large made store for measuring: passages of made words, vectors of made topics, many access classes.

No corpus is needed and the same arguments make the same store. Words follow Zipf's law, half of them a topic's own, a
third stop words; half of the topics are in Russian letters. A vector is its topic's centre with its document's and its
own deviation in a space of 64 dimensions, as real embeddings have, turned into `DIMENSIONS` with a little noise.
Everything is written by the product's own parts: catalog, writer, word index, managed Chroma.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.schema import TextNode
from numpy.typing import NDArray

from assistant.access.principal import AccessClass, Principal
from assistant.assistant import Assistant
from assistant.index.catalog import INDEXED, chunk_id, now
from assistant.index.writer import Version, Writer
from assistant.records.tables import ChunkColumns, DocumentRow
from assistant.settings import Access, Chroma, Embedding, Settings, Storage
from assistant.wiring import build

if TYPE_CHECKING:
    from chromadb.api.models.Collection import Collection

DIMENSIONS, LATENT = 512, 64
TOPICS, VOCABULARY, TOPIC_WORDS = 400, 60_000, 1_500
WORDS_IN_CHUNK, CHUNKS_IN_DOCUMENT = 150, 10
STOP_WORDS = {
    "ru": ["и", "в", "на", "не", "что", "с", "по", "для", "из", "от", "или", "при", "как", "это"],
    "en": ["the", "of", "and", "to", "in", "a", "is", "for", "or", "on"],
}
SYLLABLES = {
    "ru": [first + second for first in "бвгдклмнпрст" for second in "аеиоу"],
    "en": [first + second for first in "bcdfglmnprst" for second in "aeiou"],
}
DEPARTMENTS = ("Отдел кадров", "Бухгалтерия", "IT & связь", "sales", "legal", "Склад № 2", "производство", "audit")
Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Question:
    text: str
    vector: list[float]


class Precomputed(BaseEmbedding):
    """Vectors of questions that are known: embedding is measured elsewhere."""

    known: dict[str, list[float]] = {}  # noqa: RUF012 - a pydantic field

    def _get_query_embedding(self, query: str) -> list[float]:
        return self.known[query]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self.known[query]

    def _get_text_embedding(self, text: str) -> list[float]:
        raise NotImplementedError(text)


class Maker:
    """Makes documents and questions; `seed` decides all."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        chance = np.random.default_rng(seed)
        self._vocabulary = {lang: _made_words(chance, lang) for lang in SYLLABLES}
        self._topics = chance.integers(0, VOCABULARY, (TOPICS, TOPIC_WORDS))
        self._centres = _unit(chance.standard_normal((TOPICS, LATENT)))
        self._turn = chance.standard_normal((LATENT, DIMENSIONS)) / np.sqrt(LATENT)

    def document(self, number: int, edition: int = 0) -> tuple[list[str], Vectors]:
        """Texts and unit vectors of its chunks."""
        chance = np.random.default_rng((self._seed, number, edition))
        topic = int(chance.integers(TOPICS))
        texts = [self._text(chance, topic, WORDS_IN_CHUNK) for _ in range(CHUNKS_IN_DOCUMENT)]
        own = self._centres[topic] + 0.7 * _unit(chance.standard_normal(LATENT))
        return texts, self._vectors(chance, own, CHUNKS_IN_DOCUMENT)

    def questions(self, documents: int, count: int) -> list[Question]:
        """Each about a document: a few words of its topic, and a vector near its passages."""
        chance = np.random.default_rng((self._seed, 1 << 40))
        found = []
        for number in chance.integers(0, documents, count):
            inner = np.random.default_rng((self._seed, int(number), 0))
            topic = int(inner.integers(TOPICS))
            text = self._text(chance, topic, int(chance.integers(4, 11)))
            own = self._centres[topic] + 0.7 * _unit(chance.standard_normal(LATENT))
            found.append(Question(text, self._vectors(chance, own, 1)[0].tolist()))
        return found

    def _text(self, chance: np.random.Generator, topic: int, size: int) -> str:
        lang = "ru" if topic % 2 else "en"
        ranks = (chance.zipf(1.15, size * 2) - 1) % VOCABULARY
        general, special = ranks[:size], self._topics[topic][ranks[size:] % TOPIC_WORDS]
        chosen = np.where(chance.random(size) < 0.5, general, special)
        stops, vocabulary = STOP_WORDS[lang], self._vocabulary[lang]
        rolled = chance.random(size)
        return " ".join(
            stops[int(roll * 1e6) % len(stops)] if roll < 0.3 else vocabulary[word]
            for roll, word in zip(rolled.tolist(), chosen.tolist(), strict=True)
        )

    def _vectors(self, chance: np.random.Generator, own: NDArray[np.float64], count: int) -> Vectors:
        latent = own + 0.5 * _unit(chance.standard_normal((count, LATENT)))
        noise = 0.01 * chance.standard_normal((count, DIMENSIONS))
        return _unit(latent @ self._turn + noise).astype(np.float32)


class MadeStore:
    """The store in a folder; built when it is not there yet."""

    def __init__(self, folder: Path, *, chunks: int, classes: int, seed: int) -> None:
        self.folder, self.seed = folder, seed
        self.documents = chunks // CHUNKS_IN_DOCUMENT
        self.classes = [AccessClass(_department(number // 2), number % 2 + 1) for number in range(classes)]
        self.maker = Maker(seed)
        self.embedding = Precomputed(model_name="precomputed")
        self._label = {"chunks": chunks, "classes": classes, "seed": seed, "form": 2}

    def open(self) -> Assistant:
        settings = Settings(
            storage=Storage(path=self.folder / "storage"),
            chroma=Chroma(port=0),
            embedding=Embedding(provider="hash"),
            access=Access(everyone=[]),
        )
        return build(settings, embed_model=self.embedding)

    def build(self) -> None:
        """Raises `SystemExit` when the folder holds another store."""
        label = self.folder / "made.json"
        if label.exists():
            if json.loads(label.read_text()) != self._label:
                raise SystemExit(f"{self.folder} holds another store: {label.read_text()}")
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        start = time.perf_counter()
        with self.open() as assistant:
            for first in range(0, self.documents, 200):
                self.write(assistant, range(first, min(first + 200, self.documents)), is_known=False)
                print(f"\r… {first * CHUNKS_IN_DOCUMENT} passages", end="", file=sys.stderr, flush=True)
            assistant.keyword.refresh()
        label.write_text(json.dumps(self._label))
        print(f"\rstore made in {time.perf_counter() - start:.0f} s", file=sys.stderr)

    def write(
        self, assistant: Assistant, numbers: range, edition: int = 0, marker: str = "", *, is_known: bool = True
    ) -> None:
        """Replace documents, or put them in; the first passage of each begins with the marker."""
        numbers_of = {one: assistant.catalog.class_id(one) for one in self.classes}
        versions, nodes = [], {}
        for number in numbers:
            class_id = numbers_of[self.classes[number % len(self.classes)]]
            texts, vectors = self.maker.document(number, edition)
            texts[0] = f"{marker} {texts[0]}"
            row = assistant.catalog.document(f"d{number}") if is_known else DocumentRow(id=f"d{number}")
            version = version_of(row, number, class_id, edition, texts)
            versions.append(version)
            nodes.setdefault(class_id, []).extend(
                TextNode(id_=chunk["id"], text="", embedding=vector.tolist())
                for chunk, vector in zip(version.chunks, vectors, strict=True)
            )
        writer = writer_of(assistant)
        writer.begin(versions)
        for class_id, part in nodes.items():
            writer.add(class_id, part)
        writer.commit(versions)

    def vectors(self, numbers: range) -> tuple[list[str], Vectors, NDArray[np.int64]]:
        """Ids, unit vectors and places in `classes` of the documents' chunks as first made."""
        made = np.concatenate([self.maker.document(number)[1] for number in numbers])
        ids = [chunk_id(f"d{number}", "v0", place) for number in numbers for place in range(CHUNKS_IN_DOCUMENT)]
        return ids, made, np.repeat(np.array(numbers) % len(self.classes), CHUNKS_IN_DOCUMENT)

    def person(self, classes: int) -> Principal:
        """Who may read so many of the classes (1, or an even number)."""
        departments = {one.department for one in self.classes[:classes]}
        return Principal("p", f"{classes} classes", departments=frozenset(departments), level=min(classes, 2))

    def ask(self, count: int) -> list[Question]:
        questions = self.maker.questions(self.documents, count)
        self.embedding.known.update((question.text, question.vector) for question in questions)
        return questions

    def plain(self, assistant: Assistant) -> Collection:
        """The same vectors in one collection with the class as metadata, as is usual; made at first use."""
        client = assistant.chroma.client()
        plain = client.get_or_create_collection("plain", configuration={"hnsw": {"space": "cosine"}})
        for number in range(plain.count() // CHUNKS_IN_DOCUMENT, self.documents, 100):
            ids, vectors, classes = self.vectors(range(number, min(number + 100, self.documents)))
            plain.add(ids=ids, embeddings=vectors, metadatas=[{"class": int(one)} for one in classes])
            print(f"\r… {number * CHUNKS_IN_DOCUMENT} passages for plain Chroma", end="", file=sys.stderr, flush=True)
        return plain


def writer_of(assistant: Assistant) -> Writer:
    writer: Writer = assistant.ingest_service._writer
    return writer


def _department(number: int) -> str:
    name = DEPARTMENTS[number % len(DEPARTMENTS)]
    return name if number < len(DEPARTMENTS) else f"{name} {number // len(DEPARTMENTS) + 1}"


def version_of(row: DocumentRow, number: int, class_id: int, edition: int, texts: list[str]) -> Version:
    """That document with those passages; the row may be a new one."""
    row.pipeline, row.source, row.path, row.title = "made", "", f"{number}.md", ""
    row.class_id, row.version, row.chunks, row.series, row.details = class_id, f"v{edition}", len(texts), "", {}
    row.status, row.indexed_at = INDEXED, now()
    return Version(row, [_columns(row.id, row.version, place, class_id, text) for place, text in enumerate(texts)])


def _columns(document: str, version: str, place: int, class_id: int, text: str) -> ChunkColumns:
    return {
        "id": chunk_id(document, version, place),
        "document_id": document,
        "class_id": class_id,
        "position": place,
        "page": None,
        "page_kind": "page",
        "section": "",
        "text": text,
    }


def _made_words(chance: np.random.Generator, lang: str) -> list[str]:
    """Different words, short ones first, as the frequent ones are."""
    syllables, found, length = SYLLABLES[lang], dict[str, None](), 2
    while len(found) < VOCABULARY:
        if len(found) > len(syllables) ** length // 3:
            length += 1
        found["".join(syllables[place] for place in chance.integers(0, len(syllables), length))] = None
    return list(found)


def _unit(vectors: NDArray[Any]) -> NDArray[Any]:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: NDArray[Any] = vectors / lengths
    return scaled
