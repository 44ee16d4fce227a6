"""Why somebody may read a document: the rules that gave its class, the rights that open it, what would be needed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from assistant.access.principal import AccessClass
from assistant.cli.main import app
from assistant.errors import NotFound
from assistant.settings import Ingest
from assistant.settings_security import Access
from assistant.wiring import build
from tests.integration import company
from tests.integration.company import Site

pytestmark = pytest.mark.server

PASSWORD = "лесной-еж-42"
GROUPS = "groups: {Кадры: {departments: {hr: 2}}, Продажи: {departments: [sales], roles: [engineer]}}"


@pytest.fixture
def explained(place: Path) -> Iterator[Site]:
    """`hr/` is narrowed to level 2 by an access file, one document of it to 3 by its metadata; `legal/` has no rule."""
    rules = dict(list(company.RULES.items())[:3])
    company.recipe(place / "company.yaml", place / "docs", rules=rules)
    company.write(
        place / "docs",
        {
            ".access.yaml": "rules:\n- {match: /notice.md, department: company}",
            "hr/.access.yaml": "# Кадры\nlevel: 2",
            "hr/hiring.meta.yaml": "level: 3",
            "legal/contract.md": "# Договор\n\nДоговор подписывает директор.",
        },
    )
    (place / "access.yaml").write_text(GROUPS)
    pipelines = Ingest(workers=1, batch_chunks=2, pipelines=[str(place / "company.yaml")])
    settings = company.settings(place / "storage", ingest=pipelines, access=Access(file=place / "access.yaml"))
    with build(settings) as assistant:
        assistant.users.add("анна", PASSWORD, roles=[], departments=["sales"], level=1)
        assistant.users.add("борис", PASSWORD, roles=["admin"], departments=[], level=1, groups=["кадры", "продажи"])
        assistant.users.add("вера", PASSWORD, roles=[], departments=["*", "hr"], level=3)
        site = Site(place / "docs", place / "company.yaml", assistant)
        site.ingest()
        yield site


def test_every_reason_is_named(explained: Site) -> None:
    explain, recipe = explained.assistant.explaining.explain, explained.pipeline
    found = explain("борис", "hr/leave.md")
    assert (found.readable, found.access_class) == (True, AccessClass("hr", 2))
    assert found.reason == "борис reads 'hr' up to level 2"
    assert [(one.place, one.department, one.level) for one in found.origins.rules] == [
        (f"{recipe}, line {line_of(recipe, '/hr/**')}", "hr", 1),
        ("hr/.access.yaml, line 2", None, 2),
    ]
    assert [(one.place, one.department, one.level) for one in found.by] == [("the group кадры", "hr", 2)]
    assert (found.moves_to, found.needed) == (None, "")

    found = explain("борис", "hr/hiring.txt")
    assert (found.readable, found.access_class) == (False, AccessClass("hr", 3))
    assert found.reason == "the document has level 3, борис reads up to level 2"
    assert [one.place for one in found.origins.rules][1:] == ["hr/.access.yaml, line 2", "hr/hiring.meta.yaml"]
    assert found.needed.startswith("department 'hr' up to level 3: for a group of his in")

    found = explain("вера", "hr/hiring.txt")
    assert found.readable
    assert {(one.place, one.department) for one in found.by} == {("the account", "*"), ("the account", "hr")}

    found = explain("анна", "notice.md")
    assert (found.readable, found.access_class) == (True, AccessClass("company", 1))
    assert [(one.place, one.department) for one in found.origins.rules] == [(".access.yaml, line 2", "company")]
    assert [one.place for one in found.by] == ["everyone (access.everyone)"]

    found = explain("анна", str(explained.folder / "hr/leave.md"))
    assert found.reason == "анна is not in department 'hr', and it is not open to everyone"


def line_of(file: Path, piece: str) -> int:
    return next(number for number, line in enumerate(file.read_text().splitlines(), 1) if f"'{piece}'" in line)


def test_what_is_not_loaded_or_about_to_move_is_said(explained: Site) -> None:
    explain = explained.assistant.explaining.explain
    found = explain("вера", "legal/contract.md")
    assert (found.readable, found.access_class) == (False, None)
    assert "nobody reads it, for it is not loaded: no access rule names it" in found.reason
    company.write(explained.folder, {"hr/.access.yaml": "level: 1"})
    assert explain("борис", "hr/leave.md").moves_to == AccessClass("hr", 1)
    company.write(explained.folder, {"hr/.access.yaml": "levl: 1"})
    found = explain("борис", "hr/leave.md")
    assert "hr/.access.yaml, line 1: unknown key 'levl': did you mean level?" in found.origins.note
    explained.ingest()
    found = explain("борис", "hr/leave.md")
    assert not found.readable
    assert "not loaded: its access file hr/.access.yaml, line 1: unknown key 'levl'" in found.reason
    explained.assistant.users.disable("вера")
    assert "can't sign in" in explain("вера", "sales/prices.md").reason


def test_who_reads_what(explained: Site) -> None:
    found = {
        one.access_class: (one.documents, [by.place for by in one.by])
        for one in explained.assistant.explaining.readable("борис")
    }
    assert found == {
        AccessClass("company", 1): (1, ["everyone (access.everyone)"]),
        AccessClass("hr", 2): (2, ["the group кадры"]),
        AccessClass("sales", 1): (2, ["the group продажи"]),
    }
    views = {one.access_class: (one.documents, one.people) for one in explained.assistant.explaining.classes()}
    assert views[AccessClass("hr", 3)] == (1, ("вера",))
    assert views[AccessClass("company", 1)] == (1, ("анна", "борис", "вера"))
    assert sum(count for count, _ in views.values()) == 6


def test_unknown_names_are_one_line(explained: Site) -> None:
    explain = explained.assistant.explaining.explain
    with pytest.raises(NotFound, match="there is no user 'никто'"):
        explain("никто", "notice.md")
    with pytest.raises(NotFound, match=r"there is no document 'x\.md' in the catalog"):
        explain("анна", "x.md")


def test_the_command_line(explained: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = explained.assistant.settings
    explained.assistant.close()
    for name, value in {
        "ASSISTANT_STORAGE__PATH": str(settings.storage.path),
        "ASSISTANT_CHROMA__PORT": "0",
        "ASSISTANT_EMBEDDING__PROVIDER": "hash",
        "ASSISTANT_INGEST__PIPELINES": json.dumps(settings.ingest.pipelines),
        "ASSISTANT_ACCESS__FILE": str(settings.access.file),
    }.items():
        monkeypatch.setenv(name, value)
    told = CliRunner().invoke(app, ["access", "explain", "борис", "hr/hiring.txt"])
    assert told.exit_code == 1
    assert told.output.splitlines()[0].startswith("борис may not read hr/hiring.txt: the document has level 3")
    assert "hr/.access.yaml, line 2: level 2" in told.output
    told = CliRunner().invoke(app, ["access", "explain", "борис", "hr/leave.md", "--json"])
    assert told.exit_code == 0
    assert json.loads(told.output)["rights"] == [{"place": "the group кадры", "department": "hr", "level": 2}]
    told = CliRunner().invoke(app, ["access", "list", "борис", "--json"])
    assert json.loads(told.output)["documents"] == 5
    told = CliRunner().invoke(app, ["access", "classes"])
    assert "hr, level 3; documents: 1; read by вера" in told.output
