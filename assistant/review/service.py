"""What engineers and administrators see of everybody's questions, and what they make of them.

Neither role gives a right to read documents. So of an answer they see what they may read themselves today, masked as for its
asker; who asked is not told, only the departments. Question and comment are shown as they were typed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from assistant.access.policy import Policy
from assistant.access.principal import Principal
from assistant.ask.events import documents_of
from assistant.conversations.golden import add_to_golden
from assistant.conversations.reading import Today, read_messages
from assistant.conversations.views import FeedbackView, MessageView, feedback_view
from assistant.errors import ModelUnavailable, NotFound
from assistant.index.catalog import Catalog
from assistant.records.audit import Audit
from assistant.records.reviewed import Remarked, Reviewed
from assistant.review.statistics import StatisticsService
from assistant.review.topics import UNRELATED, Topic, topics

if TYPE_CHECKING:
    from llama_index.core.base.embeddings.base import BaseEmbedding

ROLES = frozenset({"engineer", "admin"})
PAGE = 20
MAX_GROUPED = 300  # unanswered questions, the latest
_REMEMBERED = 2000  # vectors of questions: a page that is opened again computes none


@dataclass(frozen=True)
class Answer:
    """A message as the reviewer may see it, and of which departments the asker was."""

    message: MessageView
    departments: tuple[str, ...]
    feedback: FeedbackView | None

    @property
    def asked(self) -> str:
        """The question as it is understood on its own, if that may be told: a follow-up is not understood as typed."""
        return self.message.searched or self.message.question


@dataclass(frozen=True)
class AnswerPage:
    answers: tuple[Answer, ...]
    number: int  # from 1
    pages: int
    total: int


@dataclass(frozen=True)
class Unanswered:
    """Each topic's questions, the most typical one first; `is_grouped` is False when no embedding model answers."""

    topics: tuple[tuple[Answer, ...], ...]
    total: int
    shown: int
    is_grouped: bool


class ReviewService:
    """Gives who may review a view of his own."""

    def __init__(
        self,
        reviewed: Reviewed,
        statistics: StatisticsService,
        *,
        policy: Policy,
        catalog: Callable[[], Catalog],
        embedding: Callable[[], tuple[str, BaseEmbedding]],
        golden: Path,
        audit: Audit,
    ) -> None:
        self.reviewed = reviewed
        self.statistics = statistics
        self.policy = policy
        self.catalog = catalog
        self.golden = golden
        self.audit = audit
        self._embedding = embedding
        self._vectors: dict[tuple[str, str], list[float]] = {}

    def of(self, principal: Principal) -> Review:
        """Raises `NotFound` for who is neither engineer nor administrator."""
        if not ROLES & principal.roles:
            raise NotFound("there is nothing here")
        return Review(self, principal)

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Raises `ModelUnavailable`."""
        identity, model = self._embedding()
        known = {text: found for text in texts if (found := self._vectors.get((identity, text))) is not None}
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            known |= zip(new, model.get_text_embedding_batch(new), strict=True)
            if len(self._vectors) > _REMEMBERED:
                self._vectors.clear()
            self._vectors.update({(identity, text): known[text] for text in new})
        return np.array([known[text] for text in texts], dtype=np.float32)


class Review:
    """For one request of one person."""

    def __init__(self, service: ReviewService, principal: Principal) -> None:
        self._service = service
        self._principal = principal

    @property
    def statistics(self) -> StatisticsService:
        return self._service.statistics

    def disliked(self, page: int = 1) -> AnswerPage:
        """Answers with 👎, the latest first; a page beyond the last one is the last one."""
        found, total = self._service.reviewed.disliked(limit=PAGE, offset=PAGE * (max(1, page) - 1))
        pages = max(1, -(-total // PAGE))
        if page > pages:
            return self.disliked(pages)
        return AnswerPage(tuple(self._answers(found)), max(1, page), pages, total)

    def unanswered(self, days: int) -> Unanswered:
        """Questions of the last days that the documents did not answer, by topic."""
        since = datetime.now(UTC) - timedelta(days=days)
        found, total = self._service.reviewed.unanswered(since=since, limit=MAX_GROUPED)
        answers = self._answers(found)
        asked = [one.asked for one in answers]
        try:
            groups, is_grouped = topics(asked, self._service.vectors(asked), self._service.vectors(UNRELATED)), True
        except ModelUnavailable:
            groups, is_grouped = [Topic((number,)) for number in range(len(answers))], False
        by_topic = tuple(tuple(answers[member] for member in topic.members) for topic in groups)
        return Unanswered(by_topic, total, len(answers), is_grouped)

    def check(self, message: str) -> None:
        """Raises `NotFound` for one that there is nothing to review of."""
        self._service.reviewed.find(message)

    def to_golden(self, message: str, paths: Sequence[str]) -> bool:
        """The question becomes a line of the golden set; `paths` answer it, none of them: no document does.

        False when it is there already. Raises `NotFound`: no such answer to review, or no such document that one may read.
        """
        row, feedback = self._service.reviewed.find(message)
        wanted = list(dict.fromkeys(unicodedata.normalize("NFC", path.strip()) for path in paths))
        readable = self._readable_paths() if wanted else frozenset()
        for path in wanted:
            if path not in readable:
                raise NotFound("there is no such document, or you may not read it")

        def note() -> None:
            self._service.audit.record("golden.added", self._principal, message=message, documents=wanted)

        return add_to_golden(self._service.golden, row, wanted, feedback, note=note)

    # --- what may be seen

    def _answers(self, found: Sequence[Remarked]) -> list[Answer]:
        """Masked by the reviewer's own rights today; an answer may hold what the ones before it said."""
        rows = self._service.reviewed.conversations({message.conversation_id for message, _ in found})
        today = Today(self._service.catalog(), self._service.policy, self._principal, rows)
        views: dict[str, MessageView] = {}
        for _, messages in groupby(rows, key=lambda row: row.conversation_id):
            views |= {view.id: view for view in read_messages(list(messages), today)}
        answers = [
            Answer(views[row.id], tuple(row.departments), feedback_view(feedback) if feedback else None)
            for row, feedback in found
            if row.id in views  # not removed since
        ]
        if answers:
            sources = (one.source for answer in answers for one in answer.message.sources)
            documents = documents_of(source for source in sources if source)
            shown = [answer.message.id for answer in answers]
            self._service.audit.record("review.opened", self._principal, messages=shown, documents=documents)
        return answers

    def _readable_paths(self) -> frozenset[str]:
        catalog, policy = self._service.catalog(), self._service.policy
        permitted = policy.permitted(self._principal, catalog.classes())
        return frozenset(
            unicodedata.normalize("NFC", row.path)
            for row in catalog.documents()
            if row.chunks and row.class_id in permitted
        )
