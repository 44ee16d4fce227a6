"""The project's own OpenAPI, asked with made data by schemathesis: nobody, a person, a token; no 5xx, no leak."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis.errors import Unsatisfiable
from schemathesis.generation import GenerationMode

from assistant.settings import Ingest
from tests.integration.talking import PRICES, quick_site, talk
from tests.integration.web_site import Web

pytestmark = pytest.mark.server
SEED, EXAMPLES = 20261129, 6  # of each operation, by each asker
# Of a department that none of the askers has: in its document, and in the conversation of somebody who has it.
SECRETS = ("семи процентов", "zqтайныйразговор")
ASKERS = ("nobody", "person", "token")
# A body of no limit, files and what runs on: asked by tests of their own.
_LEFT_OUT = {"POST /api/admin/documents"}


@pytest.fixture(scope="module")
def web(loaded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    place = shutil.copytree(loaded, tmp_path_factory.mktemp("schemathesis") / "site")
    with quick_site(place, ingest=Ingest(workers=1, batch_chunks=2, pipelines=[])) as found:
        owner = found.assistant.users.find("sales")
        conversation, _, _ = asyncio.run(talk(found.assistant, PRICES, owner))
        found.assistant.conversations.rename(owner, conversation, SECRETS[1])
        yield found


@pytest.fixture(scope="module")
def document(web: Web) -> dict[str, Any]:
    with web.client("staff") as client:
        found: dict[str, Any] = client.get("/openapi.json").json()
    return found


@pytest.fixture(params=ASKERS)
def asker(request: pytest.FixtureRequest, web: Web) -> Iterator[tuple[str, dict[str, str]]]:
    """Who asks, and the headers that say so: an administrator, who may read nothing of it."""
    name: str = request.param
    if name == "nobody":
        yield name, {}
    elif name == "person":
        with web.client("admin") as client:
            yield name, {"cookie": "; ".join(f"{key}={value}" for key, value in client.cookies.items())}
    else:
        scopes = ["ask", "conversations", "documents", "admin"]
        _, secret = web.assistant.tokens.create("admin", "schemathesis", days=1, scopes=scopes)
        yield name, {"authorization": f"Bearer {secret}"}


def test_no_5xx_and_no_leak(web: Web, document: dict[str, Any], asker: tuple[str, dict[str, str]]) -> None:
    name, headers = asker
    schema = schemathesis.openapi.from_dict(document)
    asked, statuses, wrong = 0, set(), []
    for found in schema.get_all_operations():
        operation = found.ok()
        label = operation.label
        if label in _LEFT_OUT:
            continue

        def check(case: schemathesis.Case, label: str = label) -> None:
            nonlocal asked
            answer = case.call(base_url=web.url, headers={"origin": web.url, **headers}, timeout=30)
            asked += 1
            statuses.add(answer.status_code)
            is_health = label.startswith("GET /health") and answer.status_code == 503
            if answer.status_code >= 500 and not is_health:
                wrong.append(f"{label}: {answer.status_code} for {case.as_curl_command()}")
            if any(secret in answer.text for secret in SECRETS):
                wrong.append(f"{label}: a leak for {case.as_curl_command()}")
            if name == "nobody" and not label.startswith("GET /health") and answer.status_code < 300:
                wrong.append(f"{label}: {answer.status_code} without a session")

        _run(operation, check)
    print(f"{name}: {asked} requests, seed {SEED}, statuses {sorted(statuses)}")
    assert not wrong, "\n".join(wrong[:20])
    assert asked > 100
    assert ({401} if name == "nobody" else {200, 404, 422}) <= statuses


def _run(operation: Any, check: Callable[[schemathesis.Case], None]) -> None:  # noqa: ANN401 - schemathesis's
    """With data that fits the description, and with data that does not."""
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

        @hypothesis.seed(SEED)
        @hypothesis.settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: schemathesis.Case) -> None:
            check(case)

        try:
            ask()
        except Unsatisfiable:  # what takes no data can't be sent wrong data
            assert mode is GenerationMode.NEGATIVE
