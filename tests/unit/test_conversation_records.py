"""Conversations, messages and feedback as they are stored: here in SQLite, in `test_postgres_records` in PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import event, inspect, select, update

from assistant.errors import InvalidRequest, NotFound
from assistant.records.account_tables import UserRow
from assistant.records.conversations import ANSWERING, BROKEN_OFF, FAILED, FINISHED, STOPPED, Conversations
from assistant.records.database import MIGRATIONS, Database
from assistant.records.feedback import Feedback
from assistant.records.tables import ConversationRow, FeedbackRow, MessageRow
from assistant.records.texts import MAX_TITLE, title_of
from tests.unit.talks import ANNA, BORIS, add_people, unnoted


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'assistant.db'}")
    database.migrate(tmp_path / "lock")
    add_people(database)
    yield database
    database.close()


@pytest.fixture
def talks(database: Database) -> Conversations:
    return Conversations(database)


@pytest.fixture
def feedback(database: Database) -> Feedback:
    return Feedback(database)


def asked(talks: Conversations, conversation: str, question: str, answer: str = "", *, owner: str = ANNA) -> str:
    """An answered message's id."""
    row, is_new = talks.begin(owner, conversation, question, language="ru", departments=["hr"])
    assert is_new
    assert talks.end(owner, row.id, FINISHED, {"answer": answer})
    return row.id


def found(talks: Conversations, text: str, owner: str = ANNA) -> list[tuple[str, bool]]:
    return [(row.id, typed) for row, typed in talks.search(owner, text)]


def queries(database: Database, work: Callable[[], object]) -> int:
    counted: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        counted.append(statement)

    event.listen(database.engine, "before_cursor_execute", count)
    try:
        work()
    finally:
        event.remove(database.engine, "before_cursor_execute", count)
    return len(counted)


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("Как настроить VPN?", "Как настроить VPN?"),
        ("  Сколько\n дней\tотпуска? ", "Сколько дней отпуска?"),
        ("а" * 80, "а" * 80),
        ("а" * 81, "а" * 79 + "…"),
        ("слово " * 20, ("слово " * 13).strip() + "…"),
        ("четыре " * 11 + "ab, хвост", ("четыре " * 11).strip() + "…"),
        ("x\0y\ud800", "xy?"),
    ],
)
def test_a_title_is_the_first_question_cut_behind_a_word(question: str, title: str) -> None:
    assert title_of(question) == title
    assert len(title) <= MAX_TITLE


def test_a_conversation_takes_its_title_from_its_first_question_only(talks: Conversations) -> None:
    untitled, titled = talks.create(ANNA).id, talks.create(ANNA, "Мой отпуск").id
    for conversation in (untitled, titled):
        asked(talks, conversation, "Как настроить VPN?")
        asked(talks, conversation, "А на телефоне?")
    assert talks.get(ANNA, untitled).title == "Как настроить VPN?"
    assert talks.get(ANNA, titled).title == "Мой отпуск"


def test_the_list_is_newest_first_and_paged(talks: Conversations) -> None:
    made = [talks.create(ANNA, str(number)).id for number in range(5)]
    talks.create(BORIS, "чужая")
    asked(talks, made[1], "и снова")
    order = [made[1], made[4], made[3], made[2], made[0]]
    assert [row.id for row in talks.list(ANNA)] == order
    assert [row.id for row in talks.list(ANNA, limit=2, offset=2)] == order[2:4]


def test_what_was_written_is_read_again(talks: Conversations) -> None:
    conversation = talks.create(ANNA).id
    row, _ = talks.begin(ANNA, conversation, "Сколько дней?", language="ru", departments={"sales", "hr"}, key="k")
    assert (row.status, row.position, row.departments) == (ANSWERING, 1, ["hr", "sales"])
    assert talks.note(ANNA, row.id, {"answer": "Двадцать", "sources": [{"n": 1}]})
    assert talks.message(ANNA, row.id).answer == "Двадцать"
    assert talks.end(ANNA, row.id, STOPPED, {"answer": "Двадцать восемь", "timings": {"total": 1.5}})
    assert not talks.note(ANNA, row.id, {"answer": "late"}), "what has ended is not overwritten by a late note"
    _, (read,) = talks.open(ANNA, conversation)
    assert (read.question, read.answer, read.status) == ("Сколько дней?", "Двадцать восемь", STOPPED)
    assert (read.sources, read.timings, read.key) == ([{"n": 1}], {"total": 1.5}, "k")
    assert read.finished_at is not None
    assert read.finished_at >= read.asked_at


def test_what_no_database_takes_is_left_out(talks: Conversations) -> None:
    conversation = talks.create(ANNA, "\0\ud83d").id
    message = asked(talks, conversation, "до\0 \ud800 после", "\ud800\0")
    assert (talks.message(ANNA, message).question, talks.message(ANNA, message).answer) == ("до ? после", "?")


@pytest.mark.parametrize("text", ["отпуск", "ОТПУСК", "Отпуск", "счет", "СЧЁТ", "за  свой", "Ё"])
def test_the_search_knows_no_capitals_in_russian(talks: Conversations, text: str) -> None:
    conversation = talks.create(ANNA).id
    asked(talks, conversation, "ОТПУСК за свой Счёт?")
    assert found(talks, text) == [(conversation, True)]


@pytest.mark.parametrize("text", ["100%", "a_b", "back\\slash", "it's"])
def test_the_search_takes_signs_as_they_are(talks: Conversations, text: str) -> None:
    hit, miss = talks.create(ANNA).id, talks.create(ANNA).id
    asked(talks, hit, f"question {text} here")
    asked(talks, miss, "question 100 axb back slash its")
    assert found(talks, text) == [(hit, True)]


def test_the_search_tells_what_was_typed_from_what_was_answered(talks: Conversations) -> None:
    both, answer, title = (talks.create(ANNA).id for _ in range(3))
    talks.rename(ANNA, title, "Про Оклады")
    asked(talks, both, "оклады?", "оклады")
    asked(talks, answer, "грейды?", "Оклады растут")
    asked(talks, title, "другое", "другое")
    hidden = talks.create(BORIS, "оклады").id
    asked(talks, hidden, "оклады", owner=BORIS)
    assert found(talks, "оклады") == [(title, True), (answer, False), (both, True)]
    assert found(talks, "оклады", BORIS) == [(hidden, True)]
    talks.delete(ANNA, both, unnoted)
    assert found(talks, "оклады") == [(title, True), (answer, False)]


def test_a_deleted_conversation_is_gone_until_it_is_restored(talks: Conversations, feedback: Feedback) -> None:
    conversation = talks.create(ANNA).id
    message = asked(talks, conversation, "?", "!")
    feedback.give(ANNA, message, 1, unnoted)
    talks.delete(ANNA, conversation, unnoted)
    assert list(talks.list(ANNA)) == []
    for use in (
        lambda: talks.get(ANNA, conversation),
        lambda: talks.open(ANNA, conversation),
        lambda: talks.rename(ANNA, conversation, "x"),
        lambda: talks.delete(ANNA, conversation, unnoted),
        lambda: talks.begin(ANNA, conversation, "?", language="en", departments=[]),
        lambda: talks.message(ANNA, message),
        lambda: feedback.give(ANNA, message, -1, unnoted),
        lambda: feedback.get(ANNA, message),
        lambda: feedback.remove(ANNA, message, unnoted),
    ):
        with pytest.raises(NotFound):
            use()
    assert list(feedback.rated()) == []
    assert talks.restore(ANNA, conversation, unnoted).deleted_at is None
    assert talks.message(ANNA, message).answer == "!"
    assert feedback.get(ANNA, message).rating == 1


def test_the_same_key_makes_one_message_whoever_is_first(talks: Conversations, database: Database) -> None:
    conversation, other = talks.create(ANNA).id, talks.create(ANNA).id
    results: list[tuple[str, bool]] = []

    def send() -> None:
        row, is_new = talks.begin(ANNA, conversation, "?", language="en", departments=[], key="once")
        results.append((row.id, is_new))

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({message for message, _ in results}) == 1
    assert sorted(is_new for _, is_new in results) == [False] * 5 + [True]
    assert talks.begin(ANNA, other, "?", language="en", departments=[], key="once")[1], "a key is of one conversation"


def test_two_tabs_get_two_places(talks: Conversations) -> None:
    conversation = talks.create(ANNA).id
    threads = [threading.Thread(target=asked, args=(talks, conversation, f"{number}?")) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [row.position for row in talks.open(ANNA, conversation)[1]] == list(range(1, 9))


def test_what_gave_no_sign_of_life_is_broken_off(talks: Conversations, database: Database) -> None:
    conversation = talks.create(ANNA).id
    silent, alive = (talks.begin(ANNA, conversation, "?", language="en", departments=[])[0].id for _ in range(2))
    done = asked(talks, conversation, "?", "!")
    with database.transaction() as session:
        long_ago = datetime.now(UTC) - timedelta(minutes=5)
        session.execute(update(MessageRow).where(MessageRow.id != alive).values(heard_at=long_ago))
    assert talks.break_off(silent_since=datetime.now(UTC) - timedelta(minutes=1)) == 1
    rows = {row.id: row for row in talks.open(ANNA, conversation)[1]}
    assert (rows[silent].status, rows[silent].error) == (FAILED, BROKEN_OFF)
    assert (rows[alive].status, rows[done].status) == (ANSWERING, FINISHED)


def test_the_purge_takes_the_old_and_the_deleted_of_everybody(
    talks: Conversations, feedback: Feedback, database: Database
) -> None:
    old, deleted, lately, kept = (talks.create(owner).id for owner in (ANNA, BORIS, ANNA, BORIS))
    feedback.give(ANNA, asked(talks, old, "?"), 1, unnoted)
    talks.delete(BORIS, deleted, unnoted)
    talks.delete(ANNA, lately, unnoted)
    now = datetime.now(UTC)
    with database.transaction() as session:
        session.execute(
            update(ConversationRow).where(ConversationRow.id == old).values(updated_at=now - timedelta(400))
        )
        session.execute(
            update(ConversationRow).where(ConversationRow.id == deleted).values(deleted_at=now - timedelta(40))
        )
    assert talks.purge(unused_since=None, deleted_before=now - timedelta(30)) == 1
    assert talks.purge(unused_since=now - timedelta(365), deleted_before=now - timedelta(30)) == 1
    with pytest.raises(NotFound):
        talks.restore(BORIS, deleted, unnoted)
    with database.transaction() as session:
        assert set(session.scalars(select(ConversationRow.id))) == {lately, kept}
        assert session.scalars(select(MessageRow)).all() == session.scalars(select(FeedbackRow)).all() == []


def test_with_an_account_goes_what_it_asked(talks: Conversations, feedback: Feedback, database: Database) -> None:
    conversation = talks.create(ANNA).id
    message = asked(talks, conversation, "?")
    feedback.give(ANNA, message, -1, unnoted)
    with database.transaction() as session:
        session.delete(session.get(UserRow, ANNA))
    assert not talks.end(ANNA, message, FINISHED, {"answer": "too late"})
    with database.transaction() as session:
        assert session.scalars(select(FeedbackRow)).all() == []


def test_feedback_can_be_changed_and_taken_back(talks: Conversations, feedback: Feedback) -> None:
    conversation = talks.create(ANNA).id
    message, other = asked(talks, conversation, "?", "!"), asked(talks, conversation, "??")
    first = feedback.give(ANNA, message, -1, unnoted, reason="outdated", comment=" старое \0")
    changed = feedback.give(ANNA, message, 1, unnoted)
    assert (first.created_at, first.comment) == (changed.created_at, "старое")
    assert (changed.rating, changed.reason, changed.comment) == (1, "", "")
    feedback.give(ANNA, other, -1, unnoted)
    assert set(feedback.of_conversation(ANNA, conversation)) == {message, other}
    assert [(one.message.id, one.user) for one in feedback.rated(rating=-1)] == [(other, "anna")]
    assert [one.feedback.rating for one in feedback.rated(message=message)] == [1]
    feedback.remove(ANNA, message, unnoted)
    with pytest.raises(NotFound):
        feedback.get(ANNA, message)
    with pytest.raises(NotFound):
        feedback.remove(ANNA, message, unnoted)


def test_two_clicks_on_a_thumb_are_one_rating(talks: Conversations, feedback: Feedback) -> None:
    errors: list[Exception] = []
    for _ in range(5):
        message, start = asked(talks, talks.create(ANNA).id, "?"), threading.Barrier(4)

        def click(message: str = message, start: threading.Barrier = start) -> None:
            start.wait()
            try:
                feedback.give(ANNA, message, 1, unnoted)
            except Exception as error:  # noqa: BLE001 - told by the test
                errors.append(error)

        threads = [threading.Thread(target=click) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []


@pytest.mark.parametrize(
    ("rating", "reason", "comment"), [(0, "", ""), (2, "", ""), (1, "nonsense", ""), (-1, "", "x" * 2001)]
)
def test_feedback_that_can_not_be_taken(
    talks: Conversations, feedback: Feedback, rating: int, reason: str, comment: str
) -> None:
    message = asked(talks, talks.create(ANNA).id, "?")
    with pytest.raises(InvalidRequest):
        feedback.give(ANNA, message, rating, unnoted, reason=reason, comment=comment)
    assert list(feedback.rated()) == []


def test_opening_asks_the_database_as_often_for_one_message_as_for_many(
    talks: Conversations, database: Database
) -> None:
    short, long = talks.create(ANNA).id, talks.create(ANNA).id
    asked(talks, short, "?")
    for number in range(30):
        asked(talks, long, f"{number}?")
    assert queries(database, lambda: talks.open(ANNA, long)) == queries(database, lambda: talks.open(ANNA, short)) == 2


def test_the_migration_can_be_taken_back(database: Database) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["engine"] = database.engine
    command.downgrade(config, "0003")
    names = set(inspect(database.engine).get_table_names())
    assert "users" in names
    assert not names & {"conversations", "messages", "feedback"}
    command.upgrade(config, "head")
    Conversations(database).create(ANNA)
