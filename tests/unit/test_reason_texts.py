"""Every reason that ours can give has Russian words: found in the sources, so that a new one without them fails here."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.ui.reason_texts import RUSSIAN, reason_text

PACKAGE = Path(__file__).parents[2] / "assistant"
FILES = [PACKAGE / "parts" / "ocr_data.py", PACKAGE / "parts" / "pdf_files.py"]
FILES += [file for folder in ("parts/readers", "ingest") for file in sorted((PACKAGE / folder).rglob("*.py"))]
TREES = {file: ast.parse(file.read_text("utf-8")) for file in FILES}
# Where a reason stands: arguments of these, by position; these keywords; these lists; what these functions return.
POSITIONS = {"DocumentError": 0, "Refused": 0, "MetadataRefused": 0, "PassingTrouble": 0, "_failed": 1, "_refuse": 2}
KEYWORDS = {"error", "warning", "problem"}
LISTS = {"problems", "lacking"}
NAMES = {"problem", "wrong", "reason", "_failure"}
FUNCTIONS = {"problem", "_prepare", "_too_slow", "_too_large", "reason"}
# Runs that fail as a whole are said on the page too; what is wrong in a pipeline's file is for whoever edits it.
WHOLE_RUNS = {
    "ingest/sources/local.py": "PipelineError",
    "ingest/sources/loaded.py": "PipelineError",
    "ingest/sources/remote.py": "PipelineError",
    "ingest/loading.py": "ModelUnavailable",
    "ingest/reading.py": "AssistantError",
}
# Those whose first words are put together elsewhere than where they are raised.
PUT_TOGETHER = {
    "{place}: {wrong}": ["it says of itself: ☐", "☐, metadata_rules: ☐"],
    "{key}: {error.errors()[0]['msg'].removeprefix('Value error, ')}": ["☐: '☐' is not a day such as 2026-01-31"],
    "{server.shown}": ["☐ of pipeline '☐'"],
}
ELSEWHERE = {  # not made there, or a part of another
    "not valid YAML",
    "write `key: value` lines, such as `date: 2026-01-31`",
    "pipeline '{name}': {n} of {all} documents are gone from the source. Is it mounted, and is no other pipeline file of "
    "the same name? Nothing was changed. If they were deleted on purpose, run again with --accept-deletions",
    "the vector store failed: {why}; run the same command again",
    "Permission denied",
    "No such file or directory",
    "Input/output error",
    "No space left on device",
}
CONSTANTS = {
    target.id: node.value
    for tree in TREES.values()
    for node in tree.body
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    for target in node.targets
    if isinstance(target, ast.Name)
}


def places(file: Path) -> Iterator[ast.expr]:
    """The expressions that stand where a reason stands."""
    whole_run = WHOLE_RUNS.get(file.relative_to(PACKAGE).as_posix())
    for node in ast.walk(TREES[file]):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            position = 0 if name == whole_run else POSITIONS.get(name, len(node.args))
            yield from node.args[position : position + 1]
            if name == "append" and ast.unparse(node.func).split(".")[-2] in LISTS:
                yield node.args[0]
            yield from (keyword.value for keyword in node.keywords if keyword.arg in KEYWORDS)
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).split(".")[-1] in NAMES:
            yield node.value
        elif isinstance(node, ast.FunctionDef) and node.name in FUNCTIONS:
            yield from (part.value for part in ast.walk(node) if isinstance(part, ast.Return) and part.value)


def sentences(found: ast.expr) -> Iterator[str]:
    """What an expression says, ☐ for each value; nothing for what was said elsewhere and is handed on."""
    if isinstance(found, ast.Constant) and isinstance(found.value, str):
        yield found.value
    elif isinstance(found, ast.JoinedStr):
        yield from _filled(found)
    elif isinstance(found, ast.BoolOp):
        yield from (sentence for part in found.values for sentence in sentences(part))
    elif isinstance(found, ast.IfExp):
        yield from (*sentences(found.body), *sentences(found.orelse))
    elif isinstance(found, ast.Subscript):
        yield from sentences(found.value)
    elif isinstance(found, ast.Name) and found.id in CONSTANTS:
        yield from sentences(CONSTANTS[found.id])


def _filled(found: ast.JoinedStr) -> list[str]:
    pieces = [""]
    for part in found.values:
        if isinstance(part, ast.Constant):
            texts = [str(part.value)]
        else:
            assert isinstance(part, ast.FormattedValue)
            texts = PUT_TOGETHER.get(f"{{{ast.unparse(part.value)}}}") or list(sentences(part.value)) or ["☐"]
        pieces = [piece + text for piece in pieces for text in texts]
    return PUT_TOGETHER.get(ast.unparse(found)[2:-1], pieces)


SAID = sorted({sentence for file in FILES for place in places(file) for sentence in sentences(place) if sentence})


def english_of(sentence: str) -> set[str]:
    """The patterns that a sentence is one of."""
    escaped = ((english, re.sub(r"\\{\w+\\}", ".+", re.escape(english))) for english in RUSSIAN)
    return {english for english, pattern in escaped if re.fullmatch(pattern, sentence)}


@pytest.mark.parametrize("sentence", [sentence for sentence in SAID if sentence != "☐: ☐"])
def test_a_reason_of_ours_has_russian_words(sentence: str) -> None:
    shown = reason_text(sentence, "ru")
    assert re.search("[а-яё]", shown), f"add it to assistant/ui/reason_texts.py: {sentence}"
    assert shown.count("☐") == sentence.count("☐"), "a value is lost"
    assert reason_text(sentence, "en") == sentence


def test_every_pattern_is_a_reason_of_ours() -> None:
    assert len(SAID) > 70, "the walk over the sources finds them"
    used = set().union(*map(english_of, SAID))
    assert set(RUSSIAN) - used == ELSEWHERE


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("it needs a password (ingest.passwords)", "Нужен пароль (ingest.passwords)"),
        ("it can't be read: Permission denied", "Прочитать его нельзя: нет прав"),
        (
            "not all of it could be read: смета.docx: it needs a password (ingest.passwords); "
            "it could not be read (OSError: x; y); the next run tries again; odd",
            "Прочитано не всё: смета.docx: нужен пароль (ingest.passwords); "
            "прочитать его не удалось (OSError: x; y); следующая загрузка попробует снова; odd",
        ),
        (
            "it holds more than 5 characters (ingest.limits.text_chars)",
            "Знаков в нём больше 5 (ingest.limits.text_chars)",
        ),
        ("something that nobody has heard of", "something that nobody has heard of"),
        ("a.txt: it is quite odd", "a.txt: it is quite odd"),
        ("", ""),
        (None, ""),
    ],
)
def test_what_a_person_reads(reason: str | None, shown: str) -> None:
    assert reason_text(reason, "ru") == shown
