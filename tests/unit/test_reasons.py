"""Why something failed: the operator reads the raw reason, everybody else a sentence; passwords nobody."""

from __future__ import annotations

from functools import partial
from typing import Any, get_args

import pytest
import structlog

from assistant.ask.events import Finished, Notice, NoticeKind
from assistant.contracts import ask_json, notice_json
from assistant.errors import (
    AssistantError,
    ChromaUnavailable,
    ConfigError,
    InvalidQuestion,
    ModelUnavailable,
    StorageError,
)
from assistant.parts.llms import LLMS, without_userinfo
from assistant.settings import Llm
from assistant.ui.texts import LANGUAGES, notice_text
from assistant.web.problems import problem

SECRET = "no answer at http://10.0.0.7:11434, see /var/lib/assistant/run/chroma.log"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", get_args(NoticeKind))
def test_a_notice_for_people_is_a_sentence_or_a_number(kind: NoticeKind, language: str) -> None:
    counted = kind in ("passages_dropped", "prompt_cut", "read_as")  # a number, or the person's own words
    notice = Notice(kind, "3 / 7" if counted else SECRET)
    say = partial(notice_text, language=language)
    shown = notice_json(notice, say)
    assert shown == {"kind": kind, "detail": "3 / 7" if counted else LANGUAGES[language][f"notice.{kind}"]}
    assert notice_json(notice)["detail"] == notice.detail, "the command line is the operator's"
    finished = Finished("да", (), "m", False, (notice,))
    assert ask_json(finished, say=say)["notices"] == [shown]
    assert ask_json(finished)["notices"][0]["detail"] == notice.detail


@pytest.mark.parametrize("kind", [StorageError, ChromaUnavailable, ModelUnavailable, ConfigError])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_problem_keeps_servers_and_paths_for_the_log(kind: type[AssistantError], language: str) -> None:
    with structlog.testing.capture_logs() as logged:
        body = problem(kind(SECRET), language)
    sentence, _, number = body["detail"].partition(LANGUAGES[language]["error_number"].partition("{")[0])
    assert sentence.strip() in LANGUAGES[language].values()
    assert bool(number) == (kind is StorageError), "what people are asked to tell an administrator"
    assert SECRET not in str(body)
    assert (body["title"], body["status"]) == (kind.__name__, kind.http_status)
    assert [entry["reason"] for entry in logged] == [SECRET]


def test_what_the_caller_did_is_said_to_them() -> None:
    assert problem(InvalidQuestion("the question is empty"), "ru")["detail"] == "the question is empty"


@pytest.mark.parametrize("userinfo", ["user:pass@", "user:p@ss@", "token@"])
def test_a_url_loses_its_password(userinfo: str) -> None:
    text = f"no answer at http://{userinfo}llm.local:8000/v1 (Client error for url 'https://{userinfo}llm.local/')"
    assert without_userinfo(text) == text.replace(userinfo, "")
    assert without_userinfo("write to a@b.ru, see http://x/y@z") == "write to a@b.ru, see http://x/y@z"


@pytest.mark.parametrize("provider", ["ollama", "openai_like"])
async def test_reasons_of_a_model_name_no_password(provider: Any) -> None:  # noqa: ANN401 - a literal of the settings
    settings = Llm(provider=provider, model="m", url="http://user:geheim@127.0.0.1:9/v1")
    model = LLMS.build(provider, settings=settings)
    with pytest.raises(ModelUnavailable) as caught:
        await anext(model.stream([]))
    assert "127.0.0.1:9" in str(caught.value)
    status = await model.status()
    assert "127.0.0.1:9" in status.detail
    assert "geheim" not in str(caught.value) + status.detail
