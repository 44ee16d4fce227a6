"""Follow-up questions over the sample company: made whole by a model at the wire, or by the rule when there is none."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from assistant.access.principal import LOCAL_OPERATOR
from assistant.ask.events import Event, Step, Turn
from assistant.assistant import Assistant
from assistant.evaluation.followups import evaluate_followups
from assistant.settings import Answer, Llm
from tests.integration import company
from tests.integration.sample import FAST, MODEL, answering, ending, model, notices
from tests.servers.ollama import ScriptedOllama
from tests.servers.ollama_script import Prompt, cite

pytestmark = pytest.mark.server
PER_DIEM, IN_MOSCOW = "Какие суточные в командировке по России?", "А в Москве?"
WHOLE = "Какие суточные в командировке в Москве?"
BY_RULE = "Какие суточные в командировке по России — в Москве?"
HISTORY = [Turn(PER_DIEM, "1 200 ₽ за день [1].")]
SET = company.ROOT / "data" / "eval" / "followups.jsonl"


@pytest.fixture
def server() -> Iterator[ScriptedOllama]:
    with ScriptedOllama(FAST) as server:
        yield server


def condensing(text: str | Callable[[Prompt], str]) -> Callable[[Prompt], str]:
    """Whole questions as given, answers as usual."""

    def answer(prompt: Prompt) -> str:
        if "Новый вопрос:" not in prompt.last_user and "New question:" not in prompt.last_user:
            return cite(prompt)
        return text if isinstance(text, str) else text(prompt)

    return answer


async def ask(assistant: Assistant, question: str, history: Sequence[Turn] = ()) -> list[Event]:
    service = assistant.serving().ask_service
    return [event async for event in service.stream(question, LOCAL_OPERATOR, history)]


def step(events: Sequence[Event]) -> Step:
    return next(event for event in events if isinstance(event, Step))


def sent(server: ScriptedOllama) -> list[str]:
    return [record.body["messages"][-1]["content"] for record in server.requests if record.path == "/api/chat"]


async def test_a_first_question_is_not_rewritten(sample: Path, server: ScriptedOllama) -> None:
    server.change(answer=condensing("Что-то другое?"))
    with answering(sample, model(server)) as assistant:
        events = await ask(assistant, IN_MOSCOW)
    assert (step(events).question, step(events).asked) == (IN_MOSCOW, IN_MOSCOW)
    assert len(sent(server)) == 1, "the answer alone"
    assert "rewrite" not in ending(events).timings_ms


async def test_a_follow_up_is_searched_and_answered_as_a_whole_question(sample: Path, server: ScriptedOllama) -> None:
    server.change(answer=condensing(f" Полный вопрос: «{WHOLE}»\n"))
    with answering(sample, model(server)) as assistant:
        events = await ask(assistant, IN_MOSCOW, HISTORY)
    assert (step(events).question, step(events).asked) == (WHOLE, IN_MOSCOW)
    assert step(events).found[0].passage.path.endswith("Положение о командировках.docx")
    asked, answered = sent(server)
    talk = rf"Вопрос: {PER_DIEM}\nОтвет: 1 200 ₽ за день \[1\]\.".replace("?", r"\?")
    assert re.search(rf"<<<(\d+)\n{talk}\n\1>>>\n\nНовый вопрос: {IN_MOSCOW[:-1]}", asked)
    assert answered.endswith(f"Вопрос: {WHOLE}")
    assert (ending(events).notices, ending(events).model) == ((), MODEL)
    assert "rewrite" in ending(events).timings_ms


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no whole question"),
        ("очень " * 200, "longer than"),
        ("Sorry, I can't do that.", "refused"),
        ("Суточные в Москве — 1 600 ₽, в Петербурге 1 600 ₽, за рубежом 60 евро", "something else"),
    ],
)
async def test_what_is_no_whole_question_leaves_it_to_the_rule(
    sample: Path, server: ScriptedOllama, text: str, reason: str
) -> None:
    server.change(answer=condensing(text))
    with answering(sample, model(server)) as assistant:
        events = await ask(assistant, IN_MOSCOW, HISTORY)
    assert step(events).question == BY_RULE
    assert list(notices(ending(events))) == ["rewritten_by_rule"]
    assert reason in notices(ending(events))["rewritten_by_rule"]
    assert ending(events).model == MODEL, "the answer is still the model's"


async def test_a_model_that_is_down_leaves_it_to_the_rule(sample: Path, server: ScriptedOllama) -> None:
    server.change(fail_status=500)
    with answering(sample, model(server)) as assistant:
        events = await ask(assistant, IN_MOSCOW, HISTORY)
    assert step(events).question == BY_RULE
    assert list(notices(ending(events))) == ["rewritten_by_rule", "extractive"]
    assert len(sent(server)) == 1, "the answer does not wait for it again"


async def test_a_model_that_hangs_is_not_waited_for(sample: Path, server: ScriptedOllama) -> None:
    server.change(hang_before_first_token=True, faults_for=1)
    settings = company.settings(
        sample, llms=[model(server), Llm(provider="extractive")], answer=Answer(rewrite_seconds=0.3)
    )
    with company.build(settings) as assistant:
        events = await ask(assistant, IN_MOSCOW, HISTORY)
    assert step(events).question == BY_RULE
    assert notices(ending(events)) == {"rewritten_by_rule": "no whole question within answer.rewrite_seconds (0.3 s)"}
    assert ending(events).timings_ms["rewrite"] < 2000


async def test_half_a_question_is_not_searched(sample: Path, server: ScriptedOllama) -> None:
    server.change(answer=condensing(WHOLE), cut_after_tokens=9, faults_for=1)
    with answering(sample, model(server)) as assistant:
        events = await ask(assistant, IN_MOSCOW, HISTORY)
    assert step(events).question == BY_RULE
    assert list(notices(ending(events))) == ["rewritten_by_rule"]


async def test_of_what_a_program_says_was_said_only_a_part_is_read(sample: Path, server: ScriptedOllama) -> None:
    server.change(answer=condensing(WHOLE))
    endless = Turn("суточные " * 30_000, "рубли " * 100_000)
    with answering(sample, model(server)) as assistant:
        events = await ask(assistant, IN_MOSCOW, [*[endless] * 100, *HISTORY])
        by_rule = await ask(assistant, "А там?", [endless] * 100)
    assert step(events).question == WHOLE
    assert ending(by_rule).timings_ms["rewrite"] < 10_000


async def test_without_a_model_the_rule_is_the_way(sample: Path) -> None:
    with answering(sample) as assistant:
        followed = await ask(assistant, IN_MOSCOW, HISTORY)
        other = await ask(assistant, "Как заполнить авансовый отчёт после командировки?", HISTORY)
    assert step(followed).question == BY_RULE
    assert list(notices(ending(followed))) == ["extractive"]
    assert "1 600" in ending(followed).answer.replace("\u00a0", " ")
    assert step(other).question == step(other).asked, "it stands for itself"


def test_the_set_scored_raw_by_rule_and_by_a_scripted_model(sample: Path, server: ScriptedOllama) -> None:
    whole = {line["question"]: line["whole"] for line in map(json.loads, SET.read_text("utf-8").splitlines())}

    def of_the_set(prompt: Prompt) -> str:
        typed = prompt.last_user.rsplit("\n\n", 1)[0].rsplit(": ", 1)[1]
        return whole.get(typed, typed)

    server.change(answer=condensing(of_the_set))
    result = evaluate_followups(company.settings(sample, llms=[model(server)]), SET)
    assert result["questions"] >= 60 + 15
    found = {way: figures["follow-up"] for way, figures in result["by_way"].items()}
    assert list(found) == ["raw", "rule", "model", "whole"]
    assert min(found["raw"][language]["questions"] for language in ("ru", "en")) >= 30
    assert found["rule"]["all"]["hit@5"] >= found["raw"]["all"]["hit@5"] + 0.05
    assert found["rule"]["all"]["mrr@10"] >= found["raw"]["all"]["mrr@10"] + 0.2
    topics = {way: figures["new topic"]["all"]["hit@5"] for way, figures in result["by_way"].items()}
    assert topics["rule"] >= topics["raw"] - 0.1, "hardly any question that stands for itself is taken for a follow-up"
