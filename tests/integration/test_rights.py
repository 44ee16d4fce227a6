"""A small run of `tests.load.rights`, and that its oracle sees what it is there to see."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.access.policy import Policy
from assistant.ask.retrieval import Retriever
from assistant.settings import Reranker
from tests.integration.tiny_models import write_cross_encoder
from tests.load import rights

pytestmark = pytest.mark.server
SEED = 20240918


@pytest.mark.parametrize("seed", [SEED, SEED + 1], ids=["a department for everyone", "none"])
def test_nothing_forbidden_while_documents_change_hands(tmp_path: Path, seed: int) -> None:
    report = rights.run(tmp_path, seed=seed, questions=250)
    assert report.forbidden == [], str(report)
    assert report.questions.total() == 250
    assert report.passages > 500
    assert report.behind > 50, "the word index followed too quickly to be a trap"
    assert {"moved", "replaced"} <= report.changes.keys()
    assert (report.empty > 0) == bool(seed % 2)


def test_the_oracle_sees_a_policy_that_is_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Policy, "may_read", lambda *_: True)
    assert rights.run(tmp_path, seed=SEED, questions=20).forbidden


def test_the_oracle_sees_a_missing_last_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both indexes ask permitted classes only, but they are behind the catalog."""
    monkeypatch.setattr(Retriever, "_readable", lambda self, _person, ids: self._catalog.passages(ids))
    assert rights.run(tmp_path, seed=SEED, questions=150).forbidden


def test_nothing_forbidden_over_forty_classes_with_a_reranker(tmp_path: Path) -> None:
    """People have grants too; the cross-encoder is a real one, small and untrained."""
    model = str(write_cross_encoder(tmp_path / "encoder"))
    reranker = Reranker(provider="flag_embedding", model=model, candidates=8, budget_ms=0)
    report = rights.run(tmp_path, seed=SEED, questions=150, classes=40, reranker=reranker)
    assert report.forbidden == [], str(report)
    assert report.passages > 500
    assert report.reranked > 100
