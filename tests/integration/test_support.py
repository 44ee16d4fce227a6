"""Answers held against their sources, over the sample company: what is marked, what never is, what is near to no answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.contracts import ask_json
from assistant.evaluation.supported import evaluate_claims
from assistant.settings import Answer, Llm
from tests.integration import company
from tests.integration.sample import EVERYONE, FAST, LEAVE, NOTHING, answering, ask, ending, model, notices, sources
from tests.servers.ollama import ScriptedOllama

pytestmark = pytest.mark.server
DATA = company.ROOT / "data" / "eval"
RIGHT, WRONG = (
    "Основной оплачиваемый отпуск — 28 календарных дней за рабочий год [{n}].",
    "Отпуск длится 45 дней [{n}].",
)


@pytest.fixture
def server() -> Iterator[ScriptedOllama]:
    with ScriptedOllama(FAST) as server:
        yield server


async def test_a_sentence_that_no_source_supports_is_marked(sample: Path, server: ScriptedOllama) -> None:
    with answering(sample, model(server)) as assistant:
        found = sources(await ask(assistant, LEAVE))
        n = next(source.n for source in found if "28 календарных дней за рабочий год" in source.passage.text)
        server.change(answer=f"{RIGHT} {WRONG} Сотрудникам дарят билеты в цирк.".format(n=n))
        finished = ending(await ask(assistant, LEAVE))
    marked = [finished.answer[span.start : span.end] for span in finished.unsupported]
    assert marked == [WRONG.format(n=n), "Сотрудникам дарят билеты в цирк."]
    shown = ask_json(finished)["unsupported"]
    assert [one["text"] for one in shown] == marked
    assert finished.answer[shown[0]["start"] : shown[0]["end"]] == marked[0]
    assert "check_support" in finished.timings_ms


async def test_nothing_is_marked_where_that_is_switched_off(sample: Path, server: ScriptedOllama) -> None:
    server.change(answer="Сотрудникам дарят билеты в цирк [1].")
    settings = company.settings(sample, llms=[model(server)], answer=Answer(min_support=0))
    with company.build(settings) as assistant:
        assert ending(await ask(assistant, LEAVE)).unsupported == ()


async def test_quotes_are_never_marked(sample: Path) -> None:
    questions = [json.loads(line)["question"] for line in (DATA / "questions.jsonl").read_text("utf-8").splitlines()]
    with answering(sample) as assistant:
        check = assistant.serving().ask_service.check
        for question in questions[::4]:
            events = await ask(assistant, question)
            assert ending(events).unsupported == ()
            marked = check.unsupported(ending(events).answer, sources(events))
            assert marked == (), "and the check itself finds them supported"


async def test_where_there_is_no_answer_the_nearest_documents_are_named(sample: Path) -> None:
    with answering(sample) as assistant:
        events = await ask(assistant, NOTHING, EVERYONE)
        readable = {
            view.row.id for view in assistant.documents() if assistant.policy.may_read(EVERYONE, view.access_class)
        }
    finished = ending(events)
    assert (sources(events), finished.cited, finished.grounded) == ((), (), False)
    documents = [source.passage.document for source in finished.nearest]
    assert 1 <= len(documents) == len(set(documents)) <= 3
    assert set(documents) <= readable
    shown = ask_json(finished)["nearest"]
    assert [one["document"] for one in shown] == documents
    assert all("n" not in one and "quote" not in one for one in shown), "nothing that could be cited"


async def test_a_model_that_finds_no_answer_names_them_too(sample: Path, server: ScriptedOllama) -> None:
    server.change(answer="В документах нет ответа на этот вопрос.")
    with answering(sample, model(server)) as assistant:
        finished = ending(await ask(assistant, LEAVE))
        answered = ending(await ask(assistant, "Сколько длится испытательный срок?"))
    assert 1 <= len(finished.nearest) <= 3
    assert finished.unsupported == ()
    assert notices(answered) == notices(finished) == {}
    server.change(answer="Три месяца [1].")
    with answering(sample, model(server)) as assistant:
        assert ending(await ask(assistant, "Сколько длится испытательный срок?")).nearest == ()


def test_the_mark_on_labelled_sentences(sample: Path) -> None:
    result = evaluate_claims(company.settings(sample, llms=[Llm(provider="extractive")]), DATA / "claims.jsonl")
    found = result["by_part"]
    assert sum(part["claims"] for part in found.values()) >= 120
    assert min(part["by_language"][name]["claims"] for part in found.values() for name in ("ru", "en")) >= 20
    assert all(part["precision"] >= 0.8 and part["recall"] >= 0.6 for part in found.values())
