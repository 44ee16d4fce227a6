"""The one place that constructs anything: `build(settings) -> Assistant`. Light; models are loaded at first use."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from assistant.access.policy import Policy
from assistant.access.rights import Rights
from assistant.account_wiring import make_accounts, make_limits, make_rights, make_single_sign_on, make_users
from assistant.ask.queue import Queue
from assistant.ask.reranking import Reranking
from assistant.assistant import Assistant
from assistant.auditing import Auditing
from assistant.conversations.running import Running
from assistant.conversations.service import ConversationService
from assistant.errors import ConfigError, StorageError
from assistant.explaining.service import Explaining
from assistant.explaining.view_as import ViewingAs
from assistant.index.chroma_server import ChromaServer
from assistant.index.generations import Generations
from assistant.index_wiring import Once, Shared, embedding_choice, make_index
from assistant.ingest.drawing import Drawing
from assistant.ingesting import Ingesting
from assistant.records.audit import Audit
from assistant.records.conversations import Conversations
from assistant.records.database import Database
from assistant.records.feedback import Feedback
from assistant.records.reviewed import Reviewed
from assistant.records.statistics import Statistics
from assistant.records.surveys import Surveys
from assistant.records.tokens import Tokens
from assistant.records.users import Users
from assistant.review.service import ReviewService
from assistant.review.statistics import StatisticsService
from assistant.serving import Index, Serving
from assistant.settings import Llm, Settings

if TYPE_CHECKING:
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.postprocessor.types import BaseNodePostprocessor

    from assistant.ask.chain import Chain
    from assistant.ask.prompt import Prompts
    from assistant.index.glossary import Glossary

log = structlog.get_logger("assistant.wiring")


def build(
    settings: Settings,
    *,
    embed_model: BaseEmbedding | None = None,
    keyword_folder: Path | None = None,
    limited: bool = True,
) -> Assistant:
    """Make the service that command line, page and HTTP call. Raises `ConfigError`, `StorageError`.

    `embed_model` replaces the configured one, for tests and notebooks; `keyword_folder` holds another word index over
    the same passages, for trying its settings; `limited` is false for commands, whose questions nobody counts.
    """
    storage = prepare_storage(settings.storage.path)
    database = open_database(settings, storage)
    reranker = Once(lambda: _reranker(settings))
    shared = Shared(
        settings=settings,
        storage=storage,
        database=database,
        chroma=_chroma(settings, storage),
        policy=Policy(frozenset(settings.access.everyone), settings.access.everyone_level),
        chain=_chain(settings),
        prompts=_prompts(settings),
        reranking=Reranking(settings.reranker, reranker),
        glossary=Once(lambda: _glossary(settings)),
        keyword_folder=keyword_folder,
        configured=embedding_choice(settings.embedding, storage),
        given_model=embed_model,
        quotes=len(_served(settings)) < len(settings.llms),
    )
    serving = Serving(
        Generations(database), shared.configured, lambda generation: make_index(shared, serving, generation)
    )
    drawing = Drawing(settings.ingest)
    audit = Audit(database, storage / "audit")
    auditing = Auditing(audit, store_questions=settings.audit.store_questions)
    rights = make_rights(settings, auditing.access_file)
    limits = make_limits(settings, limited=limited)
    users = make_users(settings, database, audit, rights)
    accounts = make_accounts(settings, database, audit, users, rights, limits.counts)
    return Assistant(
        settings=settings,
        users=users,
        accounts=accounts,
        single_sign_on=make_single_sign_on(settings, database, accounts),
        tokens=Tokens(database, audit),
        rights=rights,
        policy=shared.policy,
        limits=limits,
        serving=serving,
        chroma=shared.chroma,
        chain=shared.chain,
        conversations=_conversations(shared, serving, audit),
        running=Running(),
        reviews=_reviews(shared, serving, audit, rights),
        surveys=Surveys(database),
        queue=Queue(at_once=settings.server.concurrent_answers, waiting=settings.server.waiting_answers),
        drawing=drawing,
        audit=audit,
        auditing=auditing,
        explaining=Explaining(settings, users, rights, shared.policy, lambda: serving().catalog),
        viewing_as=ViewingAs(users, shared.policy, serving, audit, store_questions=settings.audit.store_questions),
        ingest=Ingesting(serving, users, shared.policy, rights, audit),
        reranker=reranker,
        on_close=[drawing.close, serving.close, shared.chroma.close, database.close],
    )


def _conversations(shared: Shared, serving: Serving, audit: Audit) -> ConversationService:
    return ConversationService(
        Conversations(shared.database),
        Feedback(shared.database),
        settings=shared.settings.state,
        policy=shared.policy,
        catalog=lambda: serving().catalog,
        audit=audit,
    )


def _reviews(shared: Shared, serving: Serving, audit: Audit, rights: Rights) -> ReviewService:
    return ReviewService(
        Reviewed(shared.database),
        StatisticsService(Statistics(shared.database, rights)),
        policy=shared.policy,
        catalog=lambda: serving().catalog,
        embedding=lambda: _embedding(serving()),
        golden=shared.storage / "golden" / "questions.jsonl",
        audit=audit,
    )


def _embedding(index: Index) -> tuple[str, BaseEmbedding]:
    return index.generation.embedding.identity, index.embed_model()


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
    database, audit = _open(settings)
    try:
        rights = make_rights(settings)
    except ConfigError as error:  # an account has to be shut also while that file is wrong
        log.warning("what groups give is left out", reason=str(error))
        rights = Rights()
    return make_users(settings, database, audit, rights)


def open_audit(settings: Settings) -> Audit:
    """The audit alone, likewise."""
    return _open(settings)[1]


def open_tokens(settings: Settings) -> Tokens:
    """Tokens of programs alone, likewise."""
    return Tokens(*_open(settings))


def _open(settings: Settings) -> tuple[Database, Audit]:
    storage = prepare_storage(settings.storage.path)
    database = open_database(settings, storage)
    return database, Audit(database, storage / "audit")


def open_statistics(settings: Settings) -> StatisticsService:
    """Figures alone, as quickly."""
    database = open_database(settings, prepare_storage(settings.storage.path))
    return StatisticsService(Statistics(database, make_rights(settings)))


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


def _prompts(settings: Settings) -> Prompts:
    from assistant.ask.prompt import Prompts

    prompts = Prompts()
    prompts.check(_served(settings))
    return prompts


def _reranker(settings: Settings) -> BaseNodePostprocessor | None:
    from assistant.parts.model_files import pulled_or
    from assistant.parts.rerankers import RERANKERS

    if settings.reranker.provider == "none":
        return RERANKERS.build("none")
    options = settings.reranker.model_dump(exclude={"provider", "budget_ms"})
    options["model"] = pulled_or(settings.reranker.model, settings.storage.path)
    return RERANKERS.build(settings.reranker.provider, **options)
