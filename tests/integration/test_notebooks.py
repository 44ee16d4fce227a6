"""The notebooks, each run from its first cell to its last: on a fresh checkout, and beside a running server."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from assistant.settings import Chroma, Settings, Storage
from assistant.wiring import build
from tests.integration.test_evaluation import state
from tests.servers.assistant_process import AssistantProcess

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(sys.platform == "win32", reason="managed Chroma needs Linux or macOS"),
]


@pytest.fixture(autouse=True)
def _own_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSISTANT_STORAGE__PATH", str(tmp_path / "storage"))
    monkeypatch.setenv("ASSISTANT_CHROMA__PORT", "0")
    for name in ("IPYTHONDIR", "MPLCONFIGDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))


def run(file: Path) -> list[Any]:
    """The cells after running all of them; an error in one is raised."""
    notebook = nbformat.read(file, as_version=4)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(FOLDER)}}).execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def text_of(cells: list[Any]) -> str:
    outputs = [output for cell in cells for output in cell.outputs]
    return "\n".join(str(output.get("text", "") or output.get("data", {}).get("text/plain", "")) for output in outputs)


def pictures_of(cells: list[Any]) -> int:
    return sum("image/png" in output.get("data", {}) for cell in cells for output in cell.outputs)


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_on_the_sample_in_a_fresh_checkout(file: Path, tmp_path: Path) -> None:
    cells = run(file)
    said = text_of(cells)
    assert "indexed apart in" in said
    assert pictures_of(cells) >= 1
    assert re.search(r"^--- (pipelines|configs)/default\.yaml\n\+\+\+ ", said, re.MULTILINE) or "are the best" in said
    assert not (tmp_path / "storage" / "assistant.db").exists()


def test_beside_a_running_server_nothing_of_the_company_changes(tmp_path: Path) -> None:
    """The notebooks that ask the store do it while the server has it open; catalog, vectors and word index stay."""
    settings = Settings(storage=Storage(path=tmp_path / "storage"), chroma=Chroma(port=0))
    with AssistantProcess(tmp_path / "storage"):
        with build(settings) as company:
            before = state(company)
        for name in ("02_retrieval", "03_failures"):
            assert "the company's own store" in text_of(run(FOLDER / f"{name}.ipynb")), name
        with build(settings) as company:
            assert state(company) == before
    assert len(before[0]["documents"]) == 23


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_stored_without_output(file: Path) -> None:
    cells = [cell for cell in nbformat.read(file, as_version=4).cells if cell.cell_type == "code"]
    assert cells
    assert [cell.outputs for cell in cells if cell.outputs or cell.execution_count is not None] == []
