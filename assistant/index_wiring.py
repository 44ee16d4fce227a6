"""The other half of `assistant.wiring`: constructs what belongs to one generation of the index."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from assistant.access.policy import Policy
from assistant.errors import ModelUnavailable
from assistant.index.catalog import Catalog
from assistant.index.chroma_server import ChromaServer
from assistant.index.generations import BUILDING, EmbeddingChoice, Generation
from assistant.ingest.lock import Lock, one_at_a_time
from assistant.records.database import Database
from assistant.serving import Index, Serving
from assistant.settings import Embedding, Settings

if TYPE_CHECKING:
    from llama_index.core.base.embeddings.base import BaseEmbedding

    from assistant.ask.chain import Chain
    from assistant.ask.prompt import Prompts
    from assistant.ask.reranking import Reranking
    from assistant.ask.retrieval import Retriever
    from assistant.ask.service import AskService
    from assistant.index.consistency import Consistency
    from assistant.index.glossary import Glossary
    from assistant.index.keyword import KeywordIndex
    from assistant.index.search import Search
    from assistant.index.vector_cache import VectorCache
    from assistant.index.writer import Writer
    from assistant.ingest.service import IngestService

Made = TypeVar("Made")


class Once(Generic[Made]):
    """Makes a thing at its first use, once, whichever thread comes first."""

    def __init__(self, make: Callable[[], Made]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: list[Made] = []

    def __call__(self) -> Made:
        if not self._made:
            with self._lock:
                if not self._made:
                    self._made.append(self._make())
        return self._made[0]


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What all generations have in common."""

    settings: Settings
    storage: Path
    database: Database
    chroma: ChromaServer
    policy: Policy
    chain: Chain
    prompts: Prompts
    reranking: Reranking
    glossary: Callable[[], Glossary]
    keyword_folder: Path | None  # in place of the generation's own
    configured: EmbeddingChoice
    given_model: BaseEmbedding | None
    quotes: bool  # whether the best sentences are quoted when no language model answers


def make_index(shared: Shared, serving: Serving, generation: Generation) -> Index:
    """All that belongs to one generation."""
    from assistant.index.keyword import KeywordIndex
    from assistant.index.search import Search
    from assistant.index.vector_cache import VectorCache
    from assistant.index.writer import Writer

    settings, storage = shared.settings, shared.storage
    catalog = Catalog(shared.database, generation.number)
    name = generation.collection_names(catalog.store_id)
    k1, b = settings.retrieval.bm25_k1, settings.retrieval.bm25_b
    keyword = KeywordIndex(shared.keyword_folder or storage / generation.keyword_folder, catalog, k1=k1, b=b)
    search = Search(catalog, shared.chroma, keyword, name, shared.glossary)
    embedder = Once(lambda: _model_of(shared, generation.embedding))
    cache = storage / "cache" / "vectors.db"
    vectors = VectorCache(cache, generation.embedding.identity, max_mb=settings.ingest.vector_cache_mb)
    retriever = _retriever(shared, catalog, search, embedder)
    writer = Writer(catalog, shared.chroma, name)

    @contextmanager
    def lock(waiting: Callable[[], None] | None) -> Iterator[None]:
        with one_at_a_time(storage / "run" / "ingest.lock", waiting):
            serving.check_serves(generation)
            yield

    return Index(
        generation=generation,
        catalog=catalog,
        keyword=keyword,
        search=search,
        writer=writer,
        vectors=vectors,
        embed_model=embedder,
        retriever=retriever,
        ask_service=_ask(shared, retriever, search, embedder),
        ingest_service=_ingest(shared, serving, generation, lock, catalog, writer, keyword, vectors, embedder),
        consistency=_consistency(shared, lock, catalog, keyword, name, vectors, embedder),
    )


def _retriever(shared: Shared, catalog: Catalog, search: Search, embedder: Callable[[], BaseEmbedding]) -> Retriever:
    from assistant.ask.retrieval import Retriever

    return Retriever(
        settings=shared.settings.retrieval,
        catalog=catalog,
        search=search,
        policy=shared.policy,
        embed_model=embedder,
        reranking=shared.reranking,
    )


def _ask(shared: Shared, retriever: Retriever, search: Search, embedder: Callable[[], BaseEmbedding]) -> AskService:
    from assistant.ask.rewrite import Rewriter
    from assistant.ask.service import AskService
    from assistant.ask.support import SupportCheck

    rewriter = Rewriter(
        chain=shared.chain,
        prompts=shared.prompts,
        retriever=retriever,
        settings=shared.settings.retrieval,
        seconds=shared.settings.answer.rewrite_seconds,
    )
    return AskService(
        settings=shared.settings.answer,
        rewriter=rewriter,
        retriever=retriever,
        search=search,
        chain=shared.chain,
        prompts=shared.prompts,
        check=SupportCheck(search=search, embed_model=embedder, least=shared.settings.answer.min_support),
        quotes=shared.quotes,
    )


def _ingest(
    shared: Shared,
    serving: Serving,
    generation: Generation,
    lock: Lock,
    catalog: Catalog,
    writer: Writer,
    keyword: KeywordIndex,
    vectors: VectorCache,
    embedder: Callable[[], BaseEmbedding],
) -> IngestService:
    """One that is being built is written by the command that builds it alone, beside the ingests into the serving one."""
    from assistant.ingest.service import IngestService

    is_built = generation.state == BUILDING
    return IngestService(
        settings=shared.settings.ingest,
        catalog=catalog,
        writer=writer,
        keyword=keyword,
        vectors=vectors,
        embed_model=embedder,
        storage=shared.storage,
        lock=(lambda _: nullcontext()) if is_built else lock,
        may_write=(lambda: None) if is_built else serving.begin_writing,
        removed=(lambda _: None) if is_built else serving.generations.withdraw,
    )


def _consistency(
    shared: Shared,
    lock: Lock,
    catalog: Catalog,
    keyword: KeywordIndex,
    collection_name: Callable[[int], str],
    vectors: VectorCache,
    embedder: Callable[[], BaseEmbedding],
) -> Consistency:
    from assistant.index.consistency import Consistency

    return Consistency(
        database=shared.database,
        catalog=catalog,
        chroma=shared.chroma,
        keyword=keyword,
        collection_name=collection_name,
        embed=lambda texts: vectors.vectors(texts, embedder().get_text_embedding_batch)[0],
        lock=lock,
        is_own_server=shared.settings.chroma.mode == "managed",
    )


def embedding_choice(embedding: Embedding, storage: Path) -> EmbeddingChoice:
    from assistant.parts.embeddings import identity
    from assistant.parts.model_files import pulled_or

    hashed = identity(embedding.provider, pulled_or(embedding.model, storage), embedding.text_instruction)
    return EmbeddingChoice(embedding.model_dump(mode="json"), hashed)


def _model_of(shared: Shared, chosen: EmbeddingChoice) -> BaseEmbedding:
    """The model of a generation, which need not be the configured one; where it runs is for the settings to say."""
    configured = shared.settings.embedding
    if chosen.identity == shared.configured.identity:
        return shared.given_model or _embed_model(configured, shared.storage)
    known = {key: value for key, value in chosen.settings.items() if key in Embedding.model_fields}
    here = configured.model_dump(include={"device", "dtype", "batch_size", "threads"})
    made_with = Embedding.model_validate(known | here)
    if not known or embedding_choice(made_with, shared.storage).identity != chosen.identity:
        raise ModelUnavailable(
            f"the embedding model {chosen.name}, which the store was made with, is not on this machine: "
            "bring it back, or run `assistant reindex`"
        )
    return _embed_model(made_with, shared.storage)


def _embed_model(embedding: Embedding, storage: Path) -> BaseEmbedding:
    from assistant.parts.embeddings import EMBEDDINGS
    from assistant.parts.model_files import pulled_or

    options: dict[str, Any] = embedding.model_dump(exclude={"provider"})
    options["model"] = pulled_or(embedding.model, storage)
    if embedding.provider == "hash":
        options = {"model": embedding.model}
    return EMBEDDINGS.build(embedding.provider, **options)
