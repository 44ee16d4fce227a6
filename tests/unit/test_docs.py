"""The guides say what is true: settings, commands, files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from assistant.cli.main import app
from tests.settings_page import PAGE, page

ROOT = Path(__file__).resolve().parents[2]
GUIDES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_settings_page_is_made_from_the_settings() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: make docs"


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_commands_in_guides_exist(guide: Path) -> None:
    text = guide.read_text("utf-8")
    root = get_command(app)
    for line in re.findall(r"(?:^ {4}|`)(assistant [a-z][^`\n#]*)", text, re.MULTILINE):
        command = root
        for word in line.split()[1:]:
            children = getattr(command, "commands", {})
            if not children:
                break
            if word not in children and hasattr(command, "default_command"):
                command = children[command.default_command]  # `assistant eval data/eval`, beside `assistant eval tune`
                break
            if word not in children and getattr(command, "invoke_without_command", False):
                break  # `assistant doctor` is a command, and `assistant doctor index` another
            assert word in children, f"{guide.name}: {line}"
            command = children[word]
        known = {option for parameter in command.params for option in parameter.opts}
        for option in re.findall(r"(?<=\s)(--[a-z-]+|-[a-z])\b", line):
            assert option in known, f"{guide.name}: {line}: {option}"


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_files_named_in_guides_exist(guide: Path) -> None:
    text = guide.read_text("utf-8")
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (guide.parent / target).exists(), f"{guide.name}: {target}"
