"""What documents and people have written can't command a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assistant.cli.context import note, print_json, told
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
