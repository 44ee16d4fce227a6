"""What documents and people have written can't command a terminal."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from rich.table import Table

from assistant.cli.context import note, print_json, show, told
from assistant.signs import without_unseen

DATA = Path(__file__).parents[1] / "data" / "injections.jsonl"
TEXTS = [json.loads(line)["text"] for line in DATA.read_text("utf-8").splitlines()]
COMMANDS = [
    chr(number)
    for number in (*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
]


def test_no_command_reaches_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    for text in TEXTS:
        told(text)
        note(text)
        print_json({text: [text]})
    printed = capsys.readouterr()
    assert not [sign for sign in COMMANDS if sign in printed.out + printed.err]


def test_json_is_still_the_text_itself(capsys: pytest.CaptureFixture[str]) -> None:
    print_json(TEXTS)
    assert json.loads(capsys.readouterr().out) == TEXTS


def test_what_is_seen_stays() -> None:
    text = "Ёлка — «да», №5\tтабуляция\n日本 😀"
    assert without_unseen(text) == text


@pytest.mark.parametrize("name", ["[draft] plan.md", "it/a[/b].md", "[link=https://evil.example]x", ":bomb: x"])
def test_a_table_shows_names_as_they_are(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("path", box=None)
    table.add_row(name)
    show(table, width=80)
    assert capsys.readouterr().out.split("\n")[1].strip() == name


def test_no_command_prints_what_others_have_written_past_these_doors() -> None:
    """Tables and plain words alike, but in a place that shows nothing of others."""
    commands = Path(__file__).parents[2] / "assistant" / "cli"
    own = {"context.py", "ingest_view.py", "doctor.py", "models.py", "reindex.py"}  # the bars of progress, on stderr
    tables = {file.name for file in commands.glob("*.py") if "Console(" in file.read_text("utf-8")}
    assert tables <= own
    for name in ("look_up.py", "explaining.py", "conversations.py", "documents.py"):
        assert not re.search(r"(?<!_)\bprint\(", (commands / name).read_text("utf-8")), name
