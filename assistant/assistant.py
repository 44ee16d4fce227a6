"""The service that command line, page and HTTP call: the only thing they see beside events and errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assistant import __version__
from assistant.access.policy import Policy
from assistant.access.principal import LOCAL_OPERATOR, AccessClass, Principal
from assistant.access.rights import Rights
from assistant.errors import NotFound
from assistant.index.catalog import Passage
from assistant.records.tables import DocumentRow
from assistant.settings import Settings

if TYPE_CHECKING:
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.postprocessor.types import BaseNodePostprocessor

    from assistant.access.limits import AskLimits
    from assistant.accounts.service import AccountService
    from assistant.accounts.single_sign_on import SingleSignOnService
    from assistant.ask.chain import Chain
    from assistant.ask.events import Event, Turn
    from assistant.ask.queue import Queue
    from assistant.ask.retrieval import Retrieved, Retriever
    from assistant.auditing import Auditing
    from assistant.conversations.running import Running, RunningAnswer
    from assistant.conversations.service import ConversationService
    from assistant.explaining.service import Explaining
    from assistant.explaining.view_as import ViewingAs
    from assistant.index.catalog import Catalog
    from assistant.index.chroma_server import ChromaServer
    from assistant.index.consistency import Consistency
    from assistant.index.keyword import KeywordIndex
    from assistant.ingest.administration import Administration
    from assistant.ingest.drawing import Drawing
    from assistant.ingest.service import IngestService
    from assistant.ingesting import Ingesting
    from assistant.records.audit import Audit
    from assistant.records.surveys import Surveys
    from assistant.records.tokens import Tokens
    from assistant.records.users import Users
    from assistant.review.service import Review, ReviewService
    from assistant.serving import Index, Serving


@dataclass(frozen=True)
class DocumentView:
    """A document of the catalog with its class, as lists show it."""

    row: DocumentRow
    access_class: AccessClass | None


@dataclass(frozen=True, kw_only=True)
class Assistant:
    """Made by `assistant.wiring.build`; holds no state of any user. Close it, or use it as a context manager."""

    settings: Settings
    users: Users
    accounts: AccountService
    single_sign_on: SingleSignOnService
    tokens: Tokens
    rights: Rights
    policy: Policy
    limits: AskLimits
    serving: Serving
    chroma: ChromaServer
    chain: Chain
    conversations: ConversationService
    running: Running
    reviews: ReviewService
    surveys: Surveys
    queue: Queue
    drawing: Drawing
    audit: Audit
    auditing: Auditing
    explaining: Explaining
    viewing_as: ViewingAs
    ingest: Ingesting
    reranker: Callable[[], BaseNodePostprocessor | None]
    on_close: Sequence[Callable[[], None]]

    # --- parts of the index that serves at this moment; who needs several for one purpose takes them from one `serving()`

    @property
    def catalog(self) -> Catalog:
        return self.serving().catalog

    @property
    def retriever(self) -> Retriever:
        return self.serving().retriever

    @property
    def ingest_service(self) -> IngestService:
        return self.serving().ingest_service

    @property
    def keyword(self) -> KeywordIndex:
        return self.serving().keyword

    @property
    def consistency(self) -> Consistency:
        return self.serving().consistency

    @property
    def embed_model(self) -> Callable[[], BaseEmbedding]:
        return self.serving().embed_model

    @property
    def model_identity(self) -> str:
        return self.serving().generation.embedding.identity

    # --- asking

    async def ask(
        self,
        question: str,
        principal: Principal,
        conversation: str | None = None,
        key: str | None = None,
        *,
        history: Sequence[Turn] = (),
    ) -> AsyncGenerator[Event, None]:
        """Events in the order (Recorded), (Queued), Step, (Notice), Sources, Token …, Finished; all from one index.

        With a conversation (an id, or `new`) the exchange is kept there and goes on from what was said in it. `key` is made
        by the client: the same one again in a conversation is refused (`AlreadyAsked`). Raises `NotFound`, `LimitReached`.
        Without one nothing is kept, and `history` is what the caller says was said before.
        """
        index = await asyncio.to_thread(self.serving)
        checked = index.retriever.checked(question)  # what is refused neither waits nor is kept

        def stream(before: Sequence[Turn]) -> AsyncGenerator[Event, None]:
            return self.queue.through(principal.id, index.ask_service.stream(question, principal, before))

        async with self.limits.answering(principal):
            with self.serving.asking(index):
                if conversation is None:
                    answering = stream(history)
                else:
                    answering = self.conversations.answer(
                        stream, checked, principal, conversation, key=key, versions=self.versions(index)
                    )
                recorded = self.auditing.answer(question, principal, conversation, answering)
                async with aclosing(recorded) as events:
                    async for event in events:
                        yield event

    async def begin(
        self, question: str, principal: Principal, conversation: str, key: str | None = None
    ) -> RunningAnswer:
        """The same in a conversation, for a page: the answer goes on when nobody follows it, and `running` stops it.

        A second call with the same conversation and key gives the same answer. Raises what refuses the question.
        """

        def asked() -> AsyncGenerator[Event, None]:
            return self.ask(question, principal, conversation, key)

        return await self.running.start(principal.id, conversation, key, asked)

    async def search(
        self, question: str, principal: Principal, *, k: int | None = None, method: str = "reranked"
    ) -> Retrieved:
        """The best passages for the principal. Raises `LimitReached`, and `StorageError` when there is no record of it."""
        await self.limits.search(principal)
        return await self.auditing.search(question, principal, self.measured(question, principal, k=k, method=method))

    async def measured(
        self, question: str, principal: Principal, *, k: int | None = None, method: str = "reranked"
    ) -> Retrieved:
        """The same without a record: for figures, which show nobody a passage."""
        index = await asyncio.to_thread(self.serving)
        with self.serving.asking(index):
            return await index.retriever.retrieve(question, principal, top_n=k, method=method)

    # --- documents

    def document(self, document: str, principal: Principal, part: str) -> tuple[DocumentView, list[Passage]]:
        """A document and its passages; `part` is recorded as opened: its text, a page, the file.

        Raises `NotFound`, also for one that the principal may not read, and `StorageError` when there is no record.
        """
        catalog = self.catalog
        row = catalog.document(document)
        access_class = catalog.classes().get(row.class_id) if row.class_id is not None else None
        if access_class is None or not self.policy.may_read(principal, access_class):
            raise NotFound("there is no such document")
        # The class is part of each passage too: a document that is just being moved is checked by what it holds.
        passages = catalog.passages_of(document)
        if not passages or not all(self.policy.may_read(principal, passage.access_class) for passage in passages):
            raise NotFound("there is no such document")
        self.auditing.opened(principal, row, part)
        return DocumentView(row, access_class), passages

    def documents(self, *, status: str | None = None) -> list[DocumentView]:
        """The whole catalog, for the operator."""
        catalog = self.catalog
        classes = catalog.classes()
        rows = [row for row in catalog.documents() if status is None or row.status == status]
        return [DocumentView(row, classes.get(row.class_id) if row.class_id is not None else None) for row in rows]

    def documents_for(self, principal: Principal) -> tuple[list[DocumentView], list[DocumentView]]:
        """The catalog for an administrator: the documents that the principal may read, and the others, to be counted only.

        Raises `NotFound` for anybody else.
        """
        known, others = self.administration(principal).documents()
        return [DocumentView(row, found) for row, found in known], [DocumentView(row, None) for row in others]

    def administration(self, principal: Principal) -> Administration:
        """What an administrator sees of documents and puts into sources. Raises `NotFound` for anybody else."""
        from assistant.ingest.administration import Administration

        if "admin" not in principal.roles:
            raise NotFound("there is nothing here")
        return Administration(principal, self.policy, self.catalog, self.settings.ingest.pipelines, self.audit)

    def missing_ocr_languages(self) -> list[str]:
        """Configured languages of recognition whose data is not on this machine."""
        from assistant.parts.ocr_data import installed_languages

        ocr = self.settings.ingest.ocr
        installed = installed_languages(ocr.data)
        return [language for language in ocr.languages if language not in installed]

    # --- reviewing

    def review(self, principal: Principal) -> Review:
        """What engineers and administrators see of everybody's questions. Raises `NotFound` for anybody else."""
        return self.reviews.of(principal)

    # --- running

    def versions(self, index: Index) -> dict[str, str | int]:
        """What an answer was made by, kept with it."""
        generation = index.generation
        return {"assistant": __version__, "generation": generation.number, "embedding": generation.embedding.name}

    def principal(self, user: str | None) -> Principal:
        """Who a command line call is for: a named user, or the local operator. Raises `NotFound`."""
        return LOCAL_OPERATOR if user is None else self.users.find(user)

    def warm_up(self) -> None:
        """Load models and start what is started once, so that the first question does not wait for it."""
        from assistant.ask import extractive

        self.serving().warm_up()
        self.reranker()
        self.chroma.client()
        for model in self.chain.models:
            model.warm_up()
        extractive.warm_up()

    def close(self) -> None:
        for close in self.on_close:
            close()

    def __enter__(self) -> Assistant:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
