"""What an import costs: no folder, no environment, and no heavy library for a mere --help."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = (
    "torch",
    "gradio",
    "llama_index",
    "chromadb",
    "sentence_transformers",
    "transformers",
    "bm25s",
    "sqlalchemy",
    "mcp",
)


def python(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder / "home"), "PYTHONPATH": str(ROOT), **variables}
    (folder / "home").mkdir()
    (folder / "work").mkdir()
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder / "work",
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )


def test_importing_every_module_makes_nothing_and_reads_no_environment(importing: subprocess.Popen[str]) -> None:
    printed, complaint = importing.communicate(timeout=110)
    assert importing.returncode == 0, complaint
    said = json.loads(printed.splitlines()[-1])
    assert said["modules"] > 60
    assert said["readers"] == []
    assert said["made"] == []


@pytest.mark.parametrize("arguments", [["--help"], ["ask", "--help"], ["eval", "--help"], ["eval", "tune", "--help"]])
def test_help_imports_nothing_heavy(
    tmp_path: Path, arguments: list[str], record_property: pytest.RecordProperty
) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = python("-X", "importtime", "-m", "assistant", *arguments, folder=tmp_path)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    record_property("cpu_seconds", round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2))
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "assistant.cli.main" in imported
    assert [name for name in imported if name.split(".")[0] in HEAVY] == []
    assert "Usage" in done.stdout
    assert list((tmp_path / "work").iterdir()) == []


def test_help_names_every_command_of_the_design(tmp_path: Path) -> None:
    shown = python("-m", "assistant", "--help", folder=tmp_path, COLUMNS="120").stdout
    commands = set(re.findall(r"^[│|\s]*([a-z]+)\s{2,}", shown, re.MULTILINE))
    assert {"serve", "ingest", "documents", "search", "ask", "eval", "users", "doctor"} <= commands


def test_wrong_use_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        python("-m", "assistant", "users", "list", folder=tmp_path, ASSISTANT_SERVER__PROT="1")
    assert failed.value.returncode == 2
    assert failed.value.stderr.count("\n") == 1
    assert "did you mean ASSISTANT_SERVER__PORT?" in failed.value.stderr
    assert list((tmp_path / "work").iterdir()) == []
