"""Documents of known text through the reading workers: what is found must stay as good as it was measured."""

from __future__ import annotations

import pytest

from assistant.errors import DocumentError
from assistant.parts.readers.ocr import language_data
from assistant.settings import Ingest, Ocr
from tests.conftest import need
from tests.load.truth import scores as scores_of
from tests.truth.documents import digital_set, fonts_are_here, scanned_set
from tests.truth.measure import Score, distance


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Score]:
    need(fonts_are_here(), "the DejaVu fonts (apt-get install fonts-dejavu-core)")
    try:
        language_data(Ocr())
    except DocumentError as missing:
        need(False, str(missing))
    folder = tmp_path_factory.mktemp("truth")
    truths = digital_set(folder, 3)
    kinds = ("scan 150 ru", "scan 200 en", "sideways ru", "tiff ru", "mixed ru")
    scans = scanned_set(folder, 1, kinds)
    for truth in truths:
        truth.kind = f"digital: {truth.kind}"
    return scores_of(truths + scans, Ingest(workers=2))


def test_digital_documents(scores: dict[str, Score]) -> None:
    chosen = {kind: score for kind, score in scores.items() if kind.startswith("digital")}
    assert len(chosen) == 5
    assert {kind: score.recall for kind, score in chosen.items() if score.recall < 0.99} == {}
    assert {kind: score.cer for kind, score in chosen.items() if score.cer > 0.01 and "rotated" not in kind} == {}


def test_scanned_documents(scores: dict[str, Score]) -> None:
    chosen = {kind: score for kind, score in scores.items() if not kind.startswith("digital")}
    assert len(chosen) == 5
    assert {kind: score.recall for kind, score in chosen.items() if score.recall < 0.97} == {}
    assert {kind: score.cer for kind, score in chosen.items() if score.cer > 0.03} == {}


def test_tables_and_page_numbers(scores: dict[str, Score]) -> None:
    cells = {kind: score.cell_recall for kind, score in scores.items() if score.cells}
    assert len(cells) == 2
    assert {kind: share for kind, share in cells.items() if share < 0.98} == {}
    assert {kind: score.pages_right for kind, score in scores.items() if score.pages_right < score.pages} == {}


def test_the_measure_itself() -> None:
    assert distance("приказ", "приказ") == 0
    assert distance("приказ", "прикaз №") == 3
    assert distance("", "abc") == 3
    assert distance("kitten" * 40, "sitting" * 40) == 120
