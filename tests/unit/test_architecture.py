"""The rules of the code, kept over its syntax trees: directions of imports, who touches Chroma, sizes, what is banned."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "assistant"
FILES = sorted(PACKAGE.rglob("*.py"))
MAX_FILE, MAX_FUNCTION = 300, 60

BASE = {
    "errors",
    "registry",
    "resources",
    "signs",
    "settings",
    "settings_security",
    "settings_ldap",
    "settings_oidc",
    "settings_secrets",
    "yaml_lines",
}
STORE = BASE | {"access", "records", "parts", "index"}
JOURNEYS = STORE | {"ask", "ingest"}
# What each part of the package may import beside itself (docs/design: arrows point down).
MAY_IMPORT: dict[str, set[str]] = {
    "__init__": set(),
    "errors": set(),
    "registry": {"errors"},
    "resources": {"errors"},
    "signs": set(),
    "settings_secrets": {"errors"},
    "yaml_lines": {"errors", "registry"},
    "settings_block": set(),
    "settings_ldap": {"settings_block"},
    "settings_oidc": {"settings_block"},
    "settings_security": {"settings_block", "settings_ldap", "settings_oidc"},
    "settings": {"settings_block", "settings_security"},
    "settings_loader": BASE,
    "parts": BASE,
    "access": BASE,
    "records": BASE | {"access", "parts"},  # parts: what a directory says of somebody
    "accounts": BASE | {"access", "records", "parts"},
    "index": STORE,
    "ask": STORE,
    "ingest": STORE,
    "conversations": STORE | {"ask"},  # what is kept are the events of an answer
    "review": STORE | {"ask", "conversations"},  # of everybody's questions, for engineers and administrators
    "serving": JOURNEYS,
    "ingesting": JOURNEYS | {"serving"},
    "explaining": JOURNEYS | {"serving"},  # by which rule somebody reads a document, and what he would find
    "auditing": STORE | {"ask", "__init__"},
    "assistant": JOURNEYS
    | {"serving", "ingesting", "auditing", "accounts", "conversations", "review", "explaining", "__init__"},
    "compat": BASE | {"settings_loader", "wiring", "assistant", "access", "ask"},
    "contracts": {"assistant", "ask", "access", "conversations"},
    "index_wiring": JOURNEYS | {"serving"},
    "account_wiring": BASE | {"access", "accounts", "records", "parts"},
    "wiring": JOURNEYS
    | {
        "account_wiring",
        "assistant",
        "ingesting",
        "auditing",
        "serving",
        "index_wiring",
        "conversations",
        "review",
        "explaining",
    },
    "operations": BASE | {"assistant", "index", "__init__"},
    "models": BASE | {"settings_loader", "parts", "ingest"},
    "evaluation": JOURNEYS | {"assistant", "wiring", "settings_loader"},
    "ui": {"assistant", "contracts", "errors", "settings"},
    "mcp_server": {"assistant", "contracts", "errors", "ui", "__init__"},
    "web": {
        "assistant",
        "contracts",
        "errors",
        "settings",
        "settings_secrets",
        "wiring",
        "operations",
        "ui",
        "__init__",
    },
    # It asks as people and programs do, at every door: so it knows the doors.
    "verification": JOURNEYS | {"assistant", "mcp_server"},
    "reindex": JOURNEYS | {"serving", "assistant", "evaluation"},
    "cli": BASE
    | {
        "settings_loader",
        "assistant",
        "contracts",
        "wiring",
        "account_wiring",  # as wiring is: it opens what a command needs
        "operations",
        "evaluation",
        "models",
        "reindex",
        "ui",
        "verification",
        "web",
        "mcp_server",
    },
    "__main__": {"cli"},
}
# Command line, page and HTTP see the service, events and errors, and these values that the service takes or gives.
VALUES = {
    "assistant.accounts.own",
    "assistant.accounts.service.Visitor",
    "assistant.accounts.look_up.LookedUp",
    "assistant.access.caller",
    "assistant.access.principal",
    "assistant.ask.events",
    "assistant.ask.language.language_of",
    "assistant.ask.retrieval.Retrieved",
    "assistant.conversations.views",
    "assistant.explaining.service.Explanation",
    "assistant.explaining.view_as.ViewAs",
    "assistant.index.catalog.Passage",
    "assistant.ingest.report",
    "assistant.ingest.watch",
    "assistant.ingest.progress",
    "assistant.ingest.upload",
    "assistant.parts.pdf_view.PageView",
    "assistant.records.audit_record.AuditRecord",
    "assistant.records.statistics.Figures",
    "assistant.records.tokens.MAX_DAYS",
    "assistant.records.tokens.SCOPES",
    "assistant.records.account_tables.UserRow",
    "assistant.records.passwords.generate_password",
    "assistant.review.service",
    "assistant.review.statistics",
    "assistant.serving.Index",
}
BANNED = {"pickle", "cPickle", "dill", "marshal", "shelve", "joblib"}  # loading them runs what a file says


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"), str(file))


def imports(file: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything that is imported, also inside functions."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{place(file, node)}: a relative import"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def place(file: Path, node: ast.stmt | ast.expr | int) -> str:
    return f"{file.relative_to(PACKAGE.parent)}:{node if isinstance(node, int) else node.lineno}"


def part(file: Path) -> str:
    """The folder or module directly below `assistant`."""
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def part_of(name: str) -> str:
    inside = name.split(".")[1]
    return inside if (PACKAGE / inside).is_dir() or (PACKAGE / f"{inside}.py").is_file() else "__init__"


def is_value(name: str) -> bool:
    return any(name == value or name.startswith(f"{value}.") for value in VALUES)


def test_every_part_of_the_package_has_its_place() -> None:
    assert {part(file) for file in FILES} <= set(MAY_IMPORT)


@pytest.mark.parametrize("name", sorted(MAY_IMPORT))
def test_imports_point_down(name: str) -> None:
    """ask and ingest do not know each other; nobody but the edges knows the edges."""
    allowed = MAY_IMPORT[name] | {name}
    wrong = [
        f"{place(file, line)}: {imported}"
        for file in FILES
        if part(file) == name
        for line, imported in imports(file)
        if imported.startswith("assistant.")
        and part_of(imported) not in allowed
        and not (name in ("cli", "web", "ui", "mcp_server") and is_value(imported))
    ]
    assert wrong == []


def test_the_picture_has_no_circle() -> None:
    """With the allowed imports themselves: a part is never allowed to import what may import it."""

    def below(name: str, path: tuple[str, ...] = ()) -> None:
        assert name not in path, f"{' → '.join((*path, name))}"
        for lower in MAY_IMPORT[name] - {name}:
            below(lower, (*path, name))

    for name in MAY_IMPORT:
        below(name)


def test_only_index_and_parts_know_chroma() -> None:
    wrong = [
        place(file, line)
        for file in FILES
        for line, name in imports(file)
        if re.match(r"chromadb\b|llama_index\.vector_stores\.chroma\b", name) and part(file) not in ("index", "parts")
    ]
    assert wrong == []


def test_chroma_is_always_a_server() -> None:
    """Two processes on one PersistentClient path lose vectors, and an EphemeralClient loses all of them."""
    assert uses("PersistentClient") + uses("EphemeralClient") == []


def uses(name: str) -> list[str]:
    found = []
    for file in FILES:
        for node in ast.walk(tree(file)):
            named = getattr(node, "id", None) == name or getattr(node, "attr", None) == name
            if isinstance(node, ast.expr) and named:
                found.append(place(file, node))
        found += [place(file, line) for line, imported in imports(file) if imported.endswith(f".{name}")]
    return found


def test_documents_leave_through_doors_that_are_recorded() -> None:
    """What the edges call writes the audit itself: a new route can't forget it. `documents show` does it by hand."""
    inner = [
        found for name in ("measured", "retrieve", "candidates", "ask_service", "passages_of") for found in uses(name)
    ]
    edges = ("assistant/cli/", "assistant/web/", "assistant/ui/", "assistant/mcp_server")
    assert [found.split(":")[0] for found in inner if found.startswith(edges)] == ["assistant/cli/documents.py"]


def test_nothing_that_is_stored_can_run_code() -> None:
    wrong = [place(file, line) for file in FILES for line, name in imports(file) if name.split(".")[0] in BANNED]
    for file in FILES:
        for node in ast.walk(tree(file)):
            if isinstance(node, ast.keyword) and (node.arg, getattr(node.value, "value", None)) in (
                ("allow_pickle", True),
                ("trust_remote_code", True),
                ("shell", True),
            ):
                wrong.append(place(file, node.value))
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("eval", "exec"):
                wrong.append(place(file, node))
    assert wrong == []
    assert uses("unsafe_load") + uses("full_load") == []


def test_the_global_settings_of_llama_index_are_not_used() -> None:
    """They ask for OpenAI; models are passed along."""
    wrong = [place(file, n) for file in FILES for n, name in imports(file) if name == "llama_index.core.Settings"]
    assert wrong == []


def test_the_modules_print_nothing() -> None:
    wrong = [
        place(file, node)
        for file in FILES
        if part(file) != "cli"
        for node in ast.walk(tree(file))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"
    ]
    assert wrong == []


def test_nothing_is_left_for_later() -> None:
    wrong = [
        place(file, number)
        for file in [*FILES, *PACKAGE.rglob("*.html"), *PACKAGE.rglob("*.mako")]
        for number, line in enumerate(file.read_text("utf-8").split("\n"), start=1)
        if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line)
    ]
    assert wrong == []


def test_files_are_short() -> None:
    lengths = {str(file.relative_to(PACKAGE)): len(file.read_text("utf-8").splitlines()) for file in FILES}
    assert {name: length for name, length in lengths.items() if length > MAX_FILE} == {}


def test_functions_are_short() -> None:
    """Lines of the body without docstring, blanks and comments; a migration is a list of tables, not read as a function."""
    wrong = {
        f"{place(file, node)} {node.name}": length
        for file in FILES
        if "migrations" not in file.parts
        for node in ast.walk(tree(file))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := body_length(file, node)) > MAX_FUNCTION
    }
    assert wrong == {}


def body_length(file: Path, function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = function.body[0]
    start = (first.end_lineno or 0) if ast.get_docstring(function) else first.lineno - 1
    lines = file.read_text("utf-8").splitlines()[start : function.end_lineno]
    return sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in lines)


def test_a_broad_except_stands_at_the_edges_only() -> None:
    """The command line, the HTTP handler, the page, each file that is read, each part whose health is looked at, and
    each server of a directory: one that fails must not hide the others. Elsewhere it cleans up and raises again.
    """
    wrong = [
        place(file, node.body[0])
        for file in FILES
        for node in ast.walk(tree(file))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or getattr(node.type, "id", "") in ("Exception", "BaseException"))
        and not (isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None)
        and part(file) not in ("cli", "web", "ui")
        and str(file.relative_to(PACKAGE))
        not in (
            "ingest/reading.py",
            "ingest/worker.py",
            "operations/health.py",
            "operations/background.py",
            "parts/sign_in/ldap_servers.py",
        )
    ]
    assert wrong == []
