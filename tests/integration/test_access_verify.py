"""`assistant access verify`: right as the product is, and loud where access is broken on purpose, whichever way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from assistant.access.policy import Policy
from assistant.access.principal import LOCAL_OPERATOR, AccessClass
from assistant.assistant import Assistant, DocumentView
from assistant.cli.verifying import verified_apart
from assistant.conversations.service import ConversationService
from assistant.operations.access_check import last
from assistant.settings_security import Auth, LocalAccounts
from assistant.verification import service
from assistant.verification.canaries import NAME, clear, plant
from assistant.verification.people import Kind, enter
from assistant.verification.report import Report
from assistant.verification.service import settings_for, verify
from assistant.web.app import create_app
from assistant.wiring import build
from tests.integration import company
from tests.integration.web_site import PASSWORD

pytestmark = pytest.mark.server
FEW = [Kind("everyone"), Kind("hr / 1", ("hr",)), Kind("all", ("*",), 9, ("admin", "engineer"))]
Break = Callable[[pytest.MonkeyPatch], None]


@dataclass
class Ground:
    assistant: Assistant
    app: Any

    def verify(self) -> Report:
        before = self.held()
        report = verify(self.assistant, self.app)
        assert self.held() == before, "something of the check was left"
        return report

    def held(self) -> tuple[list[str], list[str], list[str]]:
        """Documents, accounts, and passages by the vectors that Chroma has of them."""
        vectors = [key for part in company.vectors_of(self.assistant).values() for key in part]
        paths = [row.path for row in self.assistant.catalog.documents()]
        return sorted(paths), [row.name for row in self.assistant.users.rows()], sorted(vectors)


@pytest.fixture(scope="module")
def ground(loaded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """A loaded company with the whole web side over it, built once: Gradio's page takes seconds."""
    import shutil

    place = shutil.copytree(loaded, tmp_path_factory.mktemp("verify") / "site")
    ready = threading.Event()
    ready.set()
    auth = Auth(local=LocalAccounts(enabled=False))  # as where all people come from a directory
    with build(settings_for(company.settings(place / "storage", auth=auth))) as assistant:
        yield Ground(assistant, create_app(assistant, ready=ready))


def test_nobody_reads_what_he_may_not_and_everybody_finds_what_he_may(ground: Ground) -> None:
    report = ground.verify()
    print("\n".join(report.lines()))
    assert report.is_right, "\n".join(report.lines())
    assert len(report.classes) == 6  # four of the company's, one that nobody has, and a fresh one
    assert report.checks.total() > 4000
    paths = {path for path, _ in report.checks}
    never_seen = {path for path in paths if not sum(report.found[path, kind] for kind in report.kinds)}
    assert never_seen == {
        *("GET /admin/unanswered", "GET /admin/statistics", "GET /api/admin/statistics"),
        *("GET /api/conversations", "GET /health", "GET /", "GET /documents/{id}/pages/{n}", "POST /api/feedback"),
        *(f"GET {one} of another" for one in ("/api/conversations/{id}", "/api/conversations/{id}/export")),
        "GET /api/feedback/{id} of another",
    }


def a_class_let_through(patch: pytest.MonkeyPatch) -> None:
    may_read = Policy.may_read

    def broken(self: Policy, who: Any, access_class: AccessClass) -> bool:  # noqa: ANN401
        return access_class == AccessClass("hr", 2) or may_read(self, who, access_class)

    patch.setattr(Policy, "may_read", broken)


def a_route_without_a_check(patch: pytest.MonkeyPatch) -> None:
    def unchecked(self: Assistant, document: str, _who: Any, *_part: Any) -> Any:  # noqa: ANN401
        row = self.catalog.document(document)
        return DocumentView(row, self.catalog.classes()[row.class_id or 0]), self.catalog.passages_of(document)

    patch.setattr(Assistant, "document", unchecked)


def a_history_without_a_mask(patch: pytest.MonkeyPatch) -> None:
    today = ConversationService._today
    patch.setattr(ConversationService, "_today", lambda self, _who, messages: today(self, LOCAL_OPERATOR, messages))


def a_door_that_is_shut(patch: pytest.MonkeyPatch) -> None:
    may_read = Policy.may_read
    patch.setattr(Policy, "may_read", lambda self, who, one: one.department != "hr" and may_read(self, who, one))


@pytest.mark.parametrize(
    ("broken", "path", "kind"),
    [
        (a_class_let_through, "POST /api/search", "everyone"),
        (a_route_without_a_check, "GET /documents/{id}/original", "hr / 1"),
        (a_history_without_a_mask, "GET /api/conversations/{id}/export?format=docx", "lost the class"),
        (a_door_that_is_shut, "service: bm25", "hr / 1"),
    ],
)
def test_what_is_broken_is_named(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, broken: Break, path: str, kind: str
) -> None:
    monkeypatch.setattr(service, "kinds", lambda _canaries: FEW)
    broken(monkeypatch)
    report = ground.verify()
    assert not report.is_right
    assert report.wrong[path, kind], "\n".join(report.lines())
    said = report.missing if broken is a_door_that_is_shut else report.leaks
    assert any(line.startswith(f"{path}: '{kind}'") for line in said), "\n".join(report.lines())
    if broken is a_route_without_a_check:
        assert {line.partition(":")[0] for line in report.leaks} <= {one for one, _ in report.checks if "/doc" in one}


def test_what_a_killed_run_left_is_cleaned(ground: Ground) -> None:
    assistant = ground.assistant
    assistant.users.add(f"{NAME}-bot", PASSWORD, roles=[], departments=[], level=1)  # a person's, whatever its name
    before = ground.held()
    canaries = plant(assistant)
    person = enter(assistant, FEW[1], 1)
    assert ground.held() != before
    assert {canary.access_class for canary in canaries} == set(assistant.catalog.classes().values())
    clear(assistant)
    assert ground.held() == before
    assert assistant.accounts.of_session(person.session) is None
    run = assistant.settings.storage.path / "run"
    assert not [file for file in run.iterdir() if file.stem == NAME and file.suffix != ".lock"]


def test_the_nightly_one_is_a_process_of_its_own(place: Path) -> None:
    settings = company.settings(place / "storage")
    verified_apart(settings, threading.Event())
    found = last(settings.storage.path)
    assert found is not None
    assert (found.leaks, found.others) == ((), 0), found.sentence
    assert found.checks > 4000
