"""Figures of questions and feedback, and the survey: in SQLite; in PostgreSQL by `test_postgres_statistics`."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, event, update
from typer.testing import CliRunner

from assistant.access.principal import AccessClass
from assistant.access.rights import GroupRights, Rights
from assistant.cli.main import app
from assistant.errors import InvalidRequest
from assistant.records.account_tables import SurveyRow, UserRow
from assistant.records.conversations import ANSWERING, FAILED, FINISHED, STOPPED
from assistant.records.database import Database
from assistant.records.statistics import Figures, Statistics
from assistant.records.surveys import ANSWERS_BEFORE, MAX_MINUTES, WEEK, Surveys
from assistant.records.tables import ConversationRow, FeedbackRow, MessageRow
from assistant.review.statistics import Report, StatisticsService
from tests.unit.talks import ANNA, BORIS, add_people

QUOTED = 'О"тдел\\'
RIGHTS = Rights({"Кадровики": GroupRights(frozenset({AccessClass(QUOTED, 2), AccessClass("it", 1)}))})
NOON = datetime.now().astimezone().replace(hour=12, minute=0).astimezone(UTC)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'assistant.db'}")
    database.migrate(tmp_path / "lock")
    add_people(database)
    yield database
    database.close()


def add(
    database: Database,
    owner: str = ANNA,
    *,
    days_ago: int = 0,
    departments: list[str] | None = None,
    status: str = FINISHED,
    grounded: bool = True,
    rating: int = 0,
    **timings: float,
) -> None:
    """A message in a conversation of its own."""
    at = NOON - timedelta(days=days_ago)
    key = secrets.token_hex(8)
    with database.transaction() as session:
        session.add(ConversationRow(id=key, user_id=owner, created_at=at, updated_at=at))
        session.flush()
        session.add(
            MessageRow(
                id=key,
                conversation_id=key,
                position=1,
                question="Сколько?",
                folded_question="сколько?",
                language="ru",
                status=status,
                is_grounded=grounded,
                timings=timings,
                departments=departments or [],
                asked_at=at,
                heard_at=at,
            )
        )
        session.flush()
        if rating:
            session.add(FeedbackRow(message_id=key, user_id=owner, rating=rating, created_at=at, updated_at=at))


def report(database: Database, **options: object) -> Report:
    return StatisticsService(Statistics(database, RIGHTS)).report(**options)  # type: ignore[arg-type]  # days, department


def test_nothing_asked_gives_no_shares_and_no_times(database: Database) -> None:
    found = report(database, days=7)
    assert found.figures == Figures(0, 0, 0, 0, 0, 0, 0, None, None, None, None)
    assert (found.figures.answered_share, found.figures.liked_share, found.hours_a_year) == (None, None, None)
    assert (found.adoption.weekly, found.adoption.accounts) == (0, 2)
    assert len(found.points) == 7
    assert found.departments == []


def test_questions_are_counted_by_how_they_ended(database: Database) -> None:
    add(database, rating=1)
    add(database, rating=1)
    add(database, BORIS, grounded=False, rating=-1)
    add(database, status=FAILED, grounded=False)
    add(database, status=STOPPED, grounded=False)
    add(database, status=ANSWERING, grounded=False)  # is not over
    figures = report(database).figures
    assert (figures.people, figures.questions, figures.ended, figures.answered, figures.failed) == (2, 5, 4, 2, 1)
    assert (figures.liked, figures.disliked) == (2, 1)
    assert figures.answered_share == 0.5
    assert figures.liked_share == pytest.approx(2 / 3)


def test_times_are_percentiles_by_nearest_rank(database: Database) -> None:
    for number in range(1, 101):
        add(database, retrieval=10.0, first_token=float(number), total=1000.0 + number)
    add(database, retrieval=10.0, rewrite=5.0, first_token=100.0, total=1101.0)
    add(database)  # nothing was measured
    figures = report(database).figures
    assert (figures.first_token_p50, figures.first_token_p95) == (61.0, 106.0)
    assert (figures.total_p50, figures.total_p95) == (1051.0, 1096.0)


def test_what_is_quoted_comes_at_once(database: Database) -> None:
    add(database, retrieval=10.0, total=25.0)
    assert report(database).figures.first_token_p50 == 25.0


def test_a_period_is_of_whole_days_and_ends_today(database: Database) -> None:
    for days_ago in (0, 6, 7, 29, 30):
        add(database, days_ago=days_ago)
    assert [report(database, days=days).figures.questions for days in (1, 7, 8, 30, 31)] == [1, 2, 3, 4, 5]
    by_day = report(database, days=8)
    assert by_day.is_daily
    assert [one.figures.questions for one in by_day.points] == [1, 1, 0, 0, 0, 0, 0, 1]


def test_a_long_period_is_shown_by_whole_weeks_back_from_today(database: Database) -> None:
    add(database)
    add(database, BORIS, days_ago=6)
    add(database, days_ago=7)
    add(database, days_ago=89)
    found = report(database, days=90)
    assert not found.is_daily
    assert [one.figures.people for one in found.points] == [1, *[0] * 10, 1, 2]
    assert found.adoption.weekly == 3 / 12  # the six days at its begin are no week
    assert sum(one.figures.questions for one in found.points) == found.figures.questions == 4


def test_departments_are_those_of_the_asker_at_that_time(database: Database) -> None:
    add(database, departments=["hr", QUOTED])
    add(database, departments=["hr%"])
    add(database, BORIS, departments=["*"], grounded=False)
    found = report(database)
    assert {one.name: one.figures.questions for one in found.departments} == {"hr": 1, "hr%": 1, QUOTED: 1, "*": 1}
    assert report(database, department=QUOTED).figures.questions == 1
    assert report(database, department="h_").figures.questions == 0
    with database.transaction() as session:
        session.execute(update(UserRow).where(UserRow.id == ANNA).values(departments=[QUOTED]))
    assert report(database, department=QUOTED).adoption.accounts == 1
    assert report(database, department="hr").adoption.accounts == 0


def test_who_has_a_department_by_a_group_is_one_of_its_people(database: Database) -> None:
    with database.transaction() as session:
        session.execute(update(UserRow).where(UserRow.id == BORIS).values(groups=["кадровики", "others"]))
        session.execute(update(UserRow).where(UserRow.id == ANNA).values(departments=["it"]))
        now = datetime.now(UTC)
        session.add(SurveyRow(user_id=BORIS, week="2026-W01", minutes=30, answered_at=now))
        session.add(SurveyRow(user_id=ANNA, week="2026-W01", minutes=10, answered_at=now))
    accounts = {name: report(database, department=name).adoption.accounts for name in (QUOTED, "it", "кадровики")}
    assert accounts == {QUOTED: 1, "it": 2, "кадровики": 0}
    assert report(database, department=QUOTED).saved.median_minutes == 30
    assert report(database, department="it").saved.median_minutes == 20
    assert report(database).saved.answers == 2


@pytest.mark.parametrize("days", [0, -1, 10**9])
def test_strange_periods_are_refused(database: Database, days: int) -> None:
    with pytest.raises(InvalidRequest):
        report(database, days=days)


def test_a_year_of_many_questions_costs_the_same_queries_as_of_few(database: Database) -> None:
    counted: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        counted.append(statement)

    add(database, days_ago=3, total=1.0, retrieval=1.0)
    event.listen(database.engine, "before_cursor_execute", count)
    report(database, days=365)
    few = len(counted)
    event.remove(database.engine, "before_cursor_execute", count)
    for _ in range(30):
        add(database, days_ago=3, total=1.0, retrieval=1.0)
    event.listen(database.engine, "before_cursor_execute", count)
    report(database, days=365)
    event.remove(database.engine, "before_cursor_execute", count)
    assert len(counted) == 2 * few


# --- the survey


def test_the_survey_comes_after_ten_answers_and_once_a_week(database: Database) -> None:
    surveys = Surveys(database)
    for _ in range(ANSWERS_BEFORE - 1):
        add(database, days_ago=100)
    add(database, status=STOPPED)
    assert not surveys.is_due(ANNA)
    add(database)
    assert surveys.is_due(ANNA)
    assert not surveys.is_due(BORIS)
    surveys.answer(ANNA, None)  # waved away
    assert not surveys.is_due(ANNA)
    _age(database, WEEK)
    assert surveys.is_due(ANNA)


def test_a_second_answer_in_a_week_replaces_the_first(database: Database) -> None:
    surveys = Surveys(database)
    surveys.answer(ANNA, None)
    surveys.answer(ANNA, 20)
    surveys.answer(ANNA, 40)
    surveys.answer(BORIS, 10)
    saved = report(database).saved
    assert (saved.answers, saved.median_minutes) == (2, 25.0)


def test_the_time_saved_is_summed_up(database: Database) -> None:
    surveys = Surveys(database)
    for owner, minutes in ((ANNA, 30), (BORIS, None)):
        surveys.answer(owner, minutes)
        add(database, owner, days_ago=1)
    found = report(database, days=7)
    assert (found.saved.answers, found.saved.median_minutes, found.adoption.weekly) == (1, 30.0, 2)
    assert found.hours_a_year == 30 * 2 * 46 / 60
    _age(database, timedelta(days=8))
    assert report(database, days=7).saved.answers == 0
    with database.transaction() as session:
        session.execute(delete(UserRow))
    assert report(database).saved.answers == 0


@pytest.mark.parametrize("minutes", [-1, MAX_MINUTES + 1])
def test_impossible_minutes_are_refused(database: Database, minutes: int) -> None:
    with pytest.raises(InvalidRequest):
        Surveys(database).answer(ANNA, minutes)


# --- the command


def test_the_command_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSISTANT_STORAGE__PATH", str(tmp_path))
    database = Database(f"sqlite:///{tmp_path / 'assistant.db'}")
    database.migrate(tmp_path / "lock")
    add_people(database)
    add(database, departments=["hr"], rating=1, retrieval=1.0, first_token=250.0, total=1500.0)
    add(database, departments=["it"])
    Surveys(database).answer(ANNA, 30)
    database.close()
    told = CliRunner().invoke(app, ["stats", "--days", "7", "--department", "hr", "--json"])
    assert told.exit_code == 0, told.output
    assert json.loads(told.output) == report(database, days=7, department="hr").as_json()
    assert json.loads(told.output)["totals"]["first_token_p95"] == 251.0
    shown = CliRunner().invoke(app, ["stats"]).output
    assert "people a week: 0.2 of 2 accounts" in shown
    assert "about" in shown
    assert "department hr" in shown
    assert CliRunner().invoke(app, ["stats", "--days", "0"]).exit_code == 2


def _age(database: Database, by: timedelta) -> None:
    """As if the surveys had been answered that long ago."""
    with database.transaction() as session:
        for row in session.query(SurveyRow):
            row.answered_at -= by
            row.week = f"old-{by.days}"
