"""The one place that constructs anything: `build(settings) -> Assistant`. Light; models are loaded at first use."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from assistant.access.policy import Policy
from assistant.assistant import Assistant
from assistant.errors import StorageError
from assistant.index.catalog import Catalog
from assistant.index.chroma_server import ChromaServer
from assistant.records.database import Database
from assistant.records.users import Users
from assistant.settings import Llm, Settings

if TYPE_CHECKING:
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.postprocessor.types import BaseNodePostprocessor

    from assistant.ask.chain import Chain
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


def build(
    settings: Settings, *, embed_model: BaseEmbedding | None = None, keyword_folder: Path | None = None
) -> Assistant:
    """Make the service that command line, page and HTTP call. Raises `ConfigError`, `StorageError`.

    `embed_model` replaces the configured one, for tests and notebooks; `keyword_folder` holds another word index over
    the same passages, for trying its settings.
    """
    from assistant.index.keyword import KeywordIndex
    from assistant.index.search import Search
    from assistant.index.vector_cache import VectorCache
    from assistant.index.writer import Writer
    from assistant.parts.embeddings import identity
    from assistant.parts.model_files import pulled_or

    storage = prepare_storage(settings.storage.path)
    database = open_database(settings, storage)
    users = Users(database, idle_hours=settings.sessions.idle_hours, max_days=settings.sessions.max_days)
    chroma = _chroma(settings, storage)
    embedding = settings.embedding
    model_identity = identity(embedding.provider, pulled_or(embedding.model, storage), embedding.text_instruction)

    def collection_name(class_id: int) -> str:
        """Another embedding model writes into collections of its own: vectors are never mixed."""
        return f"g{model_identity[:10]}-c{class_id}"

    policy = Policy(frozenset(settings.access.everyone), settings.access.everyone_level)
    catalog = Catalog(database)
    k1, b = settings.retrieval.bm25_k1, settings.retrieval.bm25_b
    keyword = KeywordIndex(keyword_folder or storage / "bm25", catalog, k1=k1, b=b)
    search = Search(catalog, chroma, keyword, collection_name, _glossary(settings))
    embedder = Once(lambda: embed_model or _embed_model(settings))
    reranker = Once(lambda: _reranker(settings))
    retriever = _retriever(settings, catalog, search, policy, embedder, reranker)
    chain = _chain(settings)
    ask = _ask(settings, retriever, search, chain)
    writer = Writer(catalog, chroma, collection_name)
    vectors = VectorCache(storage / "cache" / "vectors.db", model_identity, max_mb=settings.ingest.vector_cache_mb)
    ingest = _ingest(settings, storage, catalog, writer, keyword, vectors, embedder)
    return Assistant(
        settings=settings,
        users=users,
        policy=policy,
        catalog=catalog,
        ask_service=ask,
        retriever=retriever,
        ingest_service=ingest,
        chroma=chroma,
        keyword=keyword,
        consistency=_consistency(
            settings, storage, database, catalog, chroma, keyword, collection_name, vectors, embedder
        ),
        chain=chain,
        embed_model=embedder,
        reranker=reranker,
        model_identity=model_identity,
        on_close=[search.close, chroma.close, vectors.close, database.close],
    )


def prepare_storage(path: Path) -> Path:
    """The storage folder with its parts, this account's alone: it holds every text. Raises `StorageError`."""
    storage = path.expanduser().resolve()
    try:
        storage.mkdir(parents=True, exist_ok=True)
        if storage.stat().st_uid == os.geteuid():
            storage.chmod(0o700)  # in a checkout the folder is there before us
        for folder in (storage, storage / "run", storage / "logs", storage / "cache"):
            folder.mkdir(parents=True, exist_ok=True)
        if not os.access(storage, os.W_OK | os.X_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise StorageError(
            f"the storage folder {storage} can't be written ({error.strerror}): "
            "give this account the right to, or set storage.path (ASSISTANT_STORAGE__PATH)"
        ) from error
    # Libraries look for caches and downloads here instead of the home folder or the internet.
    os.environ.setdefault("LLAMA_INDEX_CACHE_DIR", str(storage / "cache"))
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("GRADIO_TEMP_DIR", str(storage / "cache" / "gradio"))  # by default everyone's /tmp
    return storage


def open_database(settings: Settings, storage: Path) -> Database:
    """The database with today's schema."""
    database = Database(settings.database_url)
    database.migrate(storage / "run" / "migrate.lock")
    return database


def open_users(settings: Settings) -> Users:
    """Accounts alone: without models, Chroma and LlamaIndex, for a quick command line."""
    database = open_database(settings, prepare_storage(settings.storage.path))
    return Users(database, idle_hours=settings.sessions.idle_hours, max_days=settings.sessions.max_days)


def _chroma(settings: Settings, storage: Path) -> ChromaServer:
    chroma = settings.chroma
    headers = {"Authorization": f"Bearer {chroma.token.get_secret_value()}"} if chroma.token else None
    return ChromaServer(
        mode=chroma.mode,
        host=chroma.host,
        port=chroma.port,
        path=storage,
        start_seconds=chroma.start_seconds,
        ssl=chroma.ssl,
        headers=headers,
    )


def _glossary(settings: Settings) -> Glossary:
    from assistant import resources
    from assistant.index.glossary import Glossary, read_glossary

    name = settings.retrieval.glossary
    return read_glossary(resources.require(name, "retrieval.glossary:")) if name else Glossary()


def _served(settings: Settings) -> list[Llm]:
    """The language models behind a server; the extractive answerer is none."""
    from assistant.parts.llms import EXTRACTIVE

    return [llm for llm in settings.llms if llm.provider != EXTRACTIVE]


def _chain(settings: Settings) -> Chain:
    from assistant.ask.chain import Chain
    from assistant.parts.llms import LLMS

    models = [LLMS.build(llm.provider, settings=llm) for llm in _served(settings)]
    return Chain(models, retry_seconds=settings.answer.retry_seconds)


def _retriever(
    settings: Settings,
    catalog: Catalog,
    search: Search,
    policy: Policy,
    embedder: Callable[[], BaseEmbedding],
    reranker: Callable[[], BaseNodePostprocessor | None],
) -> Retriever:
    from assistant.ask.reranking import Reranking
    from assistant.ask.retrieval import Retriever

    return Retriever(
        settings=settings.retrieval,
        catalog=catalog,
        search=search,
        policy=policy,
        embed_model=embedder,
        reranking=Reranking(settings.reranker, reranker),
    )


def _ask(settings: Settings, retriever: Retriever, search: Search, chain: Chain) -> AskService:
    from assistant.ask.prompt import Prompts
    from assistant.ask.service import AskService

    prompts = Prompts()
    served = _served(settings)
    prompts.check(served)
    return AskService(
        settings=settings.answer,
        retriever=retriever,
        search=search,
        chain=chain,
        prompts=prompts,
        quotes=len(served) < len(settings.llms),
    )


def _ingest(
    settings: Settings,
    storage: Path,
    catalog: Catalog,
    writer: Writer,
    keyword: KeywordIndex,
    vectors: VectorCache,
    embedder: Callable[[], BaseEmbedding],
) -> IngestService:
    from assistant.ingest.service import IngestService

    return IngestService(
        settings=settings.ingest,
        catalog=catalog,
        writer=writer,
        keyword=keyword,
        vectors=vectors,
        embed_model=embedder,
        storage=storage,
    )


def _consistency(
    settings: Settings,
    storage: Path,
    database: Database,
    catalog: Catalog,
    chroma: ChromaServer,
    keyword: KeywordIndex,
    collection_name: Callable[[int], str],
    vectors: VectorCache,
    embedder: Callable[[], BaseEmbedding],
) -> Consistency:
    from assistant.index.consistency import Consistency
    from assistant.ingest.lock import one_at_a_time

    return Consistency(
        database=database,
        catalog=catalog,
        chroma=chroma,
        keyword=keyword,
        collection_name=collection_name,
        embed=lambda texts: vectors.vectors(texts, embedder().get_text_embedding_batch)[0],
        lock=lambda waiting: one_at_a_time(storage / "run" / "ingest.lock", waiting),
        is_own_server=settings.chroma.mode == "managed",
    )


def _embed_model(settings: Settings) -> BaseEmbedding:
    from assistant.parts.embeddings import EMBEDDINGS
    from assistant.parts.model_files import pulled_or

    options: dict[str, Any] = settings.embedding.model_dump(exclude={"provider"})
    options["model"] = pulled_or(settings.embedding.model, settings.storage.path)
    if settings.embedding.provider == "hash":
        options = {}
    return EMBEDDINGS.build(settings.embedding.provider, **options)


def _reranker(settings: Settings) -> BaseNodePostprocessor | None:
    from assistant.parts.model_files import pulled_or
    from assistant.parts.rerankers import RERANKERS

    if settings.reranker.provider == "none":
        return RERANKERS.build("none")
    options = settings.reranker.model_dump(exclude={"provider", "budget_ms"})
    options["model"] = pulled_or(settings.reranker.model, settings.storage.path)
    return RERANKERS.build(settings.reranker.provider, **options)
