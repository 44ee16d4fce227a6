"""Installed as a wheel, in an empty folder: configs, pipeline, prompts, sample and bundled model are found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.server

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return next(folder.glob("*.whl"))


def test_everything_shipped_is_in_it(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for part in (
        "configs/default.yaml",
        "pipelines/default.yaml",
        "prompts/answer.ru.md",
        "data/models/static-bilingual/model.safetensors",
        "data/eval/questions.jsonl",
    ):
        assert f"assistant/shipped/{part}" in names
    assert any(name.endswith("templates/login.html") for name in names)
    assert any(name.endswith("static/follow.js") for name in names)
    assert not any(name.startswith(("tests/", "storage/")) for name in names)


def test_it_loads_and_answers_anywhere(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(site), str(wheel)]
    subprocess.run(install, check=True, capture_output=True, timeout=120)
    work = tmp_path / "work"
    work.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(site), "ASSISTANT_CHROMA__PORT": "0"}
    environment |= {"ASSISTANT_LLMS": '[{"provider": "extractive"}]', "HOME": str(tmp_path)}

    def run(*arguments: str) -> str:
        command = [sys.executable, "-P", *arguments]
        done = subprocess.run(
            command, cwd=work, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = run("-c", "import assistant; print(assistant.__file__)")
    assert Path(where.strip()).is_relative_to(site)
    report = json.loads(run("-m", "assistant", "ingest", "--json"))
    assert report["added"] == report["seen"] >= 20
    answer = json.loads(run("-m", "assistant", "ask", "Как настроить VPN?", "--json"))
    assert answer["grounded"] is True
    assert "OpenVPN" in answer["answer"]
    assert sorted(path.name for path in work.iterdir()) == ["storage"]
