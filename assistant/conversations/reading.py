"""Stored messages as their owner may see them today: every source is checked against the catalog as it is now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import cast

from assistant.access.policy import Policy
from assistant.access.principal import Principal
from assistant.ask.events import Notice, Span
from assistant.ask.standing import readable_successors, standing_since
from assistant.conversations.masking import WITHHELD, Given, masked
from assistant.conversations.stored import Stored, class_then, read_source
from assistant.conversations.views import MessageView, SourceView, Status, feedback_view
from assistant.index.catalog import Catalog
from assistant.index.succession import DocumentFacts
from assistant.parts.llms import EXTRACTIVE
from assistant.records.conversations import ANSWERING, BROKEN_OFF
from assistant.records.tables import FeedbackRow, MessageRow

_WORDS_OF_DOCUMENTS = frozenset({"read_as"})  # what a mistyped word was meant to be, by the passages of that time
SILENT = timedelta(seconds=20)  # a running answer gives a sign of life every five


class Today:
    """What a person may read at this moment of the documents that some messages name; asked once for all of them."""

    def __init__(self, catalog: Catalog, policy: Policy, principal: Principal, rows: Iterable[MessageRow]) -> None:
        self._policy, self._principal = policy, principal
        named = {stored["document"] for row in rows for stored in row.sources}
        found = catalog.facts(named)
        self._readable = {key: one for key, one in found.items() if policy.may_read(principal, one.access_class)}
        self._later = readable_successors(catalog, policy, principal, self._readable)

    def source(self, stored: Stored) -> SourceView:
        facts = self._facts(stored)
        if facts is None:
            return SourceView(stored["n"], None, stored["given"], stored["cited"], _is_nearest(stored))
        standing = standing_since(stored["date"], facts, self._later.get(facts.id, ()))
        source = read_source(stored, facts.access_class, standing)
        is_changed = facts.version != stored["version"]
        return SourceView(stored["n"], source, stored["given"], stored["cited"], _is_nearest(stored), is_changed)

    def is_withheld(self, stored: Stored) -> bool:
        return self._facts(stored) is None

    def _facts(self, stored: Stored) -> DocumentFacts | None:
        """None when the document is gone or forbidden today; what it said before it changed is of the class it had then."""
        facts = self._readable.get(stored["document"])
        if facts is None or facts.version == stored["version"]:
            return facts
        return facts if self._policy.may_read(self._principal, class_then(stored)) else None


def _is_nearest(stored: Stored) -> bool:
    return bool(stored.get("nearest"))  # messages of the first version do not say


def read_messages(
    rows: Sequence[MessageRow],
    today: Today,
    feedback: Mapping[str, FeedbackRow] | None = None,
    *,
    has_placeholders: bool = True,
    last: int | None = None,
) -> list[MessageView]:
    """The messages of one conversation; all of them are given, in their order, and `last` of them are wanted.

    An answer may also hold what an earlier one said, since follow-ups go back to it: once something is withheld, later
    sentences without a source are withheld too.
    """
    views, is_tainted = [], False
    first = 0 if last is None else len(rows) - last
    for number, row in enumerate(rows):
        if number >= first:
            shown = _message(row, today, feedback or {}, is_tainted=is_tainted, has_placeholders=has_placeholders)
            views.append(shown)
        is_tainted = is_tainted or any(stored["given"] and today.is_withheld(stored) for stored in row.sources)
    return views


def _message(
    row: MessageRow, today: Today, feedback: Mapping[str, FeedbackRow], *, is_tainted: bool, has_placeholders: bool
) -> MessageView:
    sources = tuple(today.source(stored) for stored in row.sources)
    withheld = {one.n for one in sources if one.is_withheld}
    from_withheld = is_tainted or any(one.is_given and one.is_withheld for one in sources)
    answer = _answer(row, withheld, has_placeholders) if from_withheld else row.answer
    is_typed = row.searched.strip() == row.question.strip()
    is_any_hidden = from_withheld or bool(withheld)
    status, error = _status(row)
    given = feedback.get(row.id)
    return MessageView(
        id=row.id,
        position=row.position,
        key=row.key,
        question=row.question,
        searched=row.searched if is_typed or not is_any_hidden else "",
        language=row.language,
        answer=answer,
        status=status,
        error=error,
        model=row.model,
        is_grounded=row.is_grounded,
        sources=sources,
        notices=tuple(
            Notice(one["kind"], one["detail"])
            for one in row.notices
            if not (is_any_hidden and one["kind"] in _WORDS_OF_DOCUMENTS)
        ),
        is_withheld=bool(withheld) or answer != row.answer,
        asked_at=row.asked_at,
        finished_at=row.finished_at,
        timings=row.timings,
        unsupported=tuple(Span(*span) for span in row.unsupported) if answer == row.answer else (),
        feedback=feedback_view(given) if given else None,
    )


def _answer(row: MessageRow, withheld: set[int], has_placeholders: bool) -> str:
    given = [Given(one["n"], one["title"], one["text"]) for one in row.sources]
    hidden = [one for one in given if one.n in withheld]
    kept = [one for one in given if one.n not in withheld]
    placeholder = WITHHELD["ru" if row.language == "ru" else "en"] if has_placeholders else ""
    return masked(row.answer, hidden, kept, placeholder, is_quoted=row.model == EXTRACTIVE)


def _status(row: MessageRow) -> tuple[Status, str]:
    """One whose process ended while it was answered is never finished: that shows in its silence."""
    if row.status == ANSWERING and datetime.now(UTC) - row.heard_at > SILENT:
        return "failed", BROKEN_OFF
    return cast("Status", row.status), row.error
