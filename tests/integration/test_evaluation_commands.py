"""`assistant eval`, `eval --compare` and `eval tune` as commands: what they print, and their exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_evaluation import many

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(sys.platform == "win32", reason="managed Chroma needs Linux or macOS"),
]


def command(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    own = {"STORAGE__PATH": str(folder / "storage"), "CHROMA__PORT": "0", "EMBEDDING__PROVIDER": "hash"}
    return subprocess.run(
        [sys.executable, "-m", "assistant", "eval", *map(str, arguments)],
        env={**os.environ, "COLUMNS": "100", **{f"ASSISTANT_{name}": value for name, value in own.items()}},
        capture_output=True,
        text=True,
        timeout=200,
    )


def test_measure_compare_tune(tmp_path: Path) -> None:
    office = many(tmp_path / "office")
    done = command(tmp_path, office, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout)
    assert (result["dataset"], result["questions"]) == ("office", 80)
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(done.stdout, "utf-8")
    bad.write_text(json.dumps(_spoiled(result)), "utf-8")

    same = command(tmp_path, "--compare", good, good)
    assert (same.returncode, same.stderr) == (0, "")
    assert "B is not worse than A" in same.stdout
    worse = command(tmp_path, "--compare", good, bad, "--json")
    assert (worse.returncode, json.loads(worse.stdout)["worse"]) == (1, True)
    assert command(tmp_path, "--compare", bad, good).returncode == 0

    out = tmp_path / "new" / "proposal.yaml"
    tuned = command(tmp_path, "tune", office, "--out", out, "--json")
    assert tuned.returncode == 0, tuned.stderr
    found = json.loads(tuned.stdout)
    assert (found["datasets"], found["proposal"]) == (["office"], str(out))
    assert out.read_text("utf-8").startswith("# Proposed by `assistant eval tune`")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give a folder with questions.jsonl"),
        (["--compare", "none.json", "none.json"], "none.json can't be read: No such file"),
        (["no such folder"], "is not a labelled set"),
        (["tune", "no such folder"], "is not a labelled set"),
        (["tune"], "Missing argument"),
    ],
)
def test_wrong_use_is_exit_code_2(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = command(tmp_path, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (tmp_path / "storage").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--help"], ["assistant eval data/eval", "--compare", "--sample", "eval tune"]),
        (["tune", "--help"], ["assistant eval tune data/eval", "--chunking", "--out"]),
    ],
)
def test_help_has_an_example(tmp_path: Path, arguments: list[str], said: list[str]) -> None:
    done = command(tmp_path, *arguments)
    assert done.returncode == 0
    assert [word for word in said if word not in " ".join(done.stdout.split())] == []
    assert "measure" not in done.stdout.replace("Measure", "")


def _spoiled(result: dict[str, Any]) -> dict[str, Any]:
    rows = [
        {**row, "scores": {name: {**part, "ndcg@10": 0.0} for name, part in row["scores"].items()}}
        for row in result["per_question"]
    ]
    return {**result, "per_question": rows}
