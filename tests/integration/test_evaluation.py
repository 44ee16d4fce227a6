"""`assistant eval` for real: a small labelled set through the ingest service, a managed Chroma and the retriever."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from assistant.access.principal import LOCAL_OPERATOR, AccessClass
from assistant.ask.events import Source
from assistant.ask.retrieval import ranked
from assistant.assistant import Assistant
from assistant.errors import ConfigError, IndexNotReady
from assistant.evaluation.asking import opened
from assistant.evaluation.chunking import Cut
from assistant.evaluation.datasets import read_dataset
from assistant.evaluation.parameters import Parameter
from assistant.evaluation.proposal import proposal
from assistant.evaluation.report import print_result, print_results
from assistant.evaluation.run import evaluate, evaluate_dataset
from assistant.evaluation.tune import tune
from assistant.evaluation.workbench import Workbench
from assistant.settings import Chroma, Database, Embedding, FusionWeights, Llm, Retrieval, Settings, Storage
from assistant.wiring import build
from tests.integration.company import snapshot
from tests.unit.test_evaluation import write_set

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(sys.platform == "win32", reason="managed Chroma needs Linux or macOS"),
]
PASSAGES = [
    ("leave", "ru", "Отпуск", "Ежегодный отпуск длится двадцать восемь календарных дней."),
    ("sick", "ru", "Больничный", "Больничный лист оплачивают в день зарплаты."),
    ("vpn", "ru", "Удалённый доступ", "Для подключения к сети установите клиент VPN и импортируйте профиль."),
    ("mail", "ru", "Почта", "Размер вложения в письме не больше двадцати пяти мегабайт."),
    ("helmet", "ru", "Каска", "На складе каску выдаёт кладовщик под подпись."),
    ("trip", "ru", "Командировка", "Суточные в командировке составляют тысячу рублей."),
    ("referral", "en", "Referrals", "A referral bonus is paid after the probation period."),
    ("laptop", "en", "Laptops", "Laptops are replaced every four years by the support desk."),
    ("invoice", "en", "Invoices", "Invoices are paid on Thursdays by the accounting team."),
    ("door", "en", "Doors", "The warehouse door closes at seven in the evening."),
    ("coffee", "en", "", "# Coffee\n\nThe coffee machine is cleaned on Fridays."),
    ("parking/a#1", "en", "Parking", "Parking places are given out by the office manager."),
]
QUESTIONS = [
    ("q1", "ru", "Сколько дней длится ежегодный отпуск?", ["leave"]),
    ("q2", "ru", "Какой размер вложения в письме?", ["mail"]),
    ("q3", "ru", "Какие суточные в командировке?", ["trip"]),
    ("q4", "en", "When is the referral bonus paid?", ["referral"]),
    ("q5", "en", "Who gives out parking places?", ["parking/a#1"]),
    ("q6", "en", "When is the coffee machine cleaned?", ["coffee"]),
    ("q7", "ru", "Где проводят чемпионат мира по хоккею?", []),
    ("q8", "en", "Explain quantum chromodynamics renormalization", []),
]
KEYS = ["dataset", "questions", "documents", "hit@1", "hit@5", "mrr@10", "ndcg@10", "recall@20"]
KEYS += ["by_language", "by_method", "refusal", "p50_ms", "p95_ms"]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    corpus = [{"id": key, "title": title, "text": text, "lang": lang} for key, lang, title, text in PASSAGES]
    questions = [
        {"id": key, "question": text, "lang": lang, "gold": gold, "answers": []} for key, lang, text, gold in QUESTIONS
    ]
    return write_set(tmp_path / "office", questions=questions, corpus=corpus)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        storage=Storage(path=tmp_path / "storage"),
        chroma=Chroma(port=0),
        embedding=Embedding(provider="hash"),
        llms=[Llm(provider="echo")],
    )


def load_company_document(assistant: Assistant, folder: Path) -> None:
    folder.mkdir()
    (folder / "Отпуск.md").write_text("# Отпуск\n\nКомпания даёт отпуск: тридцать дней.\n", "utf-8")
    report = assistant.ingest("pipelines/default.yaml", directory=folder, access_class=AccessClass("company", 1))
    assert report.added == 1


def fingerprints(storage: Path) -> dict[str, str]:
    """Of everything that belongs to the company, logs and locks apart."""
    files = [file for file in storage.rglob("*") if file.is_file()]
    kept = [file for file in files if file.relative_to(storage).parts[0] not in ("eval", "logs", "run", "cache")]
    return {str(file.relative_to(storage)): hashlib.sha256(file.read_bytes()).hexdigest() for file in kept}


def state(assistant: Assistant) -> tuple[Any, ...]:
    """All that catalog, Chroma and word index hold, and how often the catalog was changed. Chroma's own files it
    touches by being opened.
    """
    index = assistant.keyword.current()
    return snapshot(assistant), assistant.catalog.chunks_version(), index and (index.store, index.version)


def test_own_corpus_apart_from_the_company(settings: Settings, dataset: Path, tmp_path: Path) -> None:
    with build(settings) as company:
        load_company_document(company, tmp_path / "docs")
    before = fingerprints(settings.storage.path)
    assert "assistant.db" in before

    result = evaluate_dataset(settings, dataset)

    assert list(result)[: len(KEYS)] == KEYS
    assert (result["dataset"], result["questions"], result["documents"]) == ("office", 8, 12)
    assert result["hit@5"] == result["recall@20"] == 1.0
    assert result["hit@1"] >= 0.8
    assert result["by_language"]["ru"]["questions"] == result["by_language"]["en"]["questions"] == 3
    assert result["by_method"]["reranked"] is None
    for method in ("bm25", "vector", "hybrid"):
        assert set(result["by_method"][method]) == {*KEYS[3:8], "by_language", "intervals"}
        assert set(result["by_method"][method]["by_language"]["ru"]) == {"ndcg@10", "intervals"}
        low, high = result["by_method"][method]["intervals"]["ndcg@10"]
        assert low <= result["by_method"][method]["ndcg@10"] <= high
    assert result["refusal"]["unanswerable"] == 2
    assert result["refusal"]["recall"] == 1.0
    assert 0 < result["p50_ms"] <= result["p95_ms"]
    assert result["indexed"]["added"] == 12
    assert [row["id"] for row in result["per_question"]] == [key for key, *_ in QUESTIONS]
    assert result["per_question"][0]["scores"]["hybrid"]["hit@5"] == 1.0
    assert (result["per_question"][6]["scores"], result["per_question"][6]["refused"]) == ({}, True)
    assert fingerprints(settings.storage.path) == before

    again = evaluate_dataset(settings, dataset)

    assert (again["indexed"]["added"], again["indexed"]["updated"], again["indexed"]["unchanged"]) == (0, 0, 12)
    steady = [key for key in result if key not in ("p50_ms", "p95_ms", "indexed")]
    assert {key: again[key] for key in steady} == {key: result[key] for key in steady}


@pytest.mark.parametrize("method", ["bm25", "vector", "hybrid"])
async def test_ranking_of_candidates_is_that_of_a_search(settings: Settings, tmp_path: Path, method: str) -> None:
    """What tuning ranks in memory is what people get, also with fewer candidates."""
    used = settings.model_copy(update={"retrieval": Retrieval(candidates=3)})
    with opened(used, read_dataset(many(tmp_path / "many"))) as (assistant, _):
        for _, _, question, _ in QUESTIONS:
            whole = await assistant.search(question, LOCAL_OPERATOR, k=3, method=method)
            candidates = await assistant.retriever.candidates(question, LOCAL_OPERATOR, k=10)
            found = ranked(candidates.first(3), used.retrieval, method)[:3]
            assert _scores(found) == pytest.approx(_scores(whole.sources))


def _scores(sources: Iterable[Source]) -> dict[str, float]:
    """By passage, those with a cosine: the others are all alike at 0, and Chroma returns any of them."""
    return {one.passage.chunk: one.score for one in sources if (one.scores.vector or 0.0) > 0.05}


def test_another_database_and_server_are_not_used(settings: Settings, dataset: Path) -> None:
    elsewhere = settings.model_copy(
        update={
            "database": Database(url="postgresql+psycopg://nobody@127.0.0.1:1/nothing"),
            "chroma": Chroma(mode="server", port=1),
        }
    )
    assert evaluate_dataset(elsewhere, dataset)["documents"] == 12


def test_company_documents_by_path(settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    questions: list[dict[str, Any]] = [
        {"id": "q1", "question": "Сколько дней отпуск?", "lang": "ru", "gold": ["Отпуск.md"], "answers": []},
        {"id": "q2", "question": "Who cleans windows?", "lang": "en", "gold": ["gone.md"], "answers": []},
    ]
    labelled = write_set(tmp_path / "golden", questions=questions)
    with pytest.raises(IndexNotReady, match="run `assistant ingest` first"):
        evaluate_dataset(settings, labelled)
    with build(settings) as company:
        load_company_document(company, tmp_path / "docs")

    result = evaluate_dataset(settings, labelled)

    assert (result["documents"], result["hit@1"], result["indexed"]) == (1, 0.5, None)
    assert result["absent"] == ["gone.md"]
    assert [question["id"] for question in result["missed"]] == ["q2"]
    assert result["false_refusals"][0]["id"] == "q2"
    assert not (settings.storage.path / "eval").exists()
    print_result(result)
    assert "gone.md" in capsys.readouterr().out


def test_folder_of_sets(settings: Settings, dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = [{"id": "a", "title": "Дом", "text": "Ключ под ковриком"}]
    questions = [{"id": f"q{number}", "question": "Где ключ?", "gold": ["a"]} for number in range(9)]
    write_set(tmp_path / "sets" / "home", questions=questions, corpus=corpus)
    (tmp_path / "sets" / "office").symlink_to(dataset)
    found = evaluate(settings, tmp_path / "sets", sample=4)
    assert isinstance(found, list)
    assert [(one["dataset"], one["questions"]) for one in found] == [("home", 4), ("office", 4)]
    assert found[0]["hybrid_minus_bm25"] == {"ndcg@10": 0.0, "interval": [0.0, 0.0]}
    print_results(found)
    assert "mean ru" in capsys.readouterr().out


class TestTune:
    WEIGHTS = Parameter("weights.vector", (0.0, 1.0, 2.0))

    def test_chooses_on_one_half_and_reports_the_other(self, settings: Settings, tmp_path: Path) -> None:
        """A start that ignores words and vectors, so that passages come in the order of their ids, is left."""
        nothing = FusionWeights(bm25=0.0, vector=0.0, title=0.0, proximity=0.0)
        wrong = Retrieval(weights=nothing)
        start = settings.model_copy(update={"retrieval": wrong})
        found = tune(start, [many(tmp_path / "many")], parameters=(self.WEIGHTS,))
        assert found.proposed.retrieval.weights == nothing.model_copy(update={"vector": 1.0})
        assert found.train[1] > found.train[0]
        overall = found.changes[0]
        assert overall.proposed > overall.present
        assert found.is_better
        assert found.train_questions + overall.questions == 60
        text = proposal(found)
        assert yaml.safe_load(text) == {"retrieval": {"weights": {"vector": found.proposed.retrieval.weights.vector}}}
        assert all(line.startswith("#") for line in text.splitlines()[:5])

    def test_word_index_and_chunks_are_tried_apart(self, settings: Settings, tmp_path: Path) -> None:
        with build(settings) as company:
            load_company_document(company, tmp_path / "docs")
        before = fingerprints(settings.storage.path)
        rebuilding = Parameter("weights.bm25", (0.5, 1.0), rebuilds=True)
        found = tune(settings, [many(tmp_path / "many")], chunking=True, parameters=(rebuilding,), cuts=(Cut(16, 0),))
        assert fingerprints(settings.storage.path) == before
        assert {name for name, *_ in found.tried} == {"weights.bm25", "chunk_size/chunk_overlap"}
        assert found.as_json()["dev"][0]["name"] == "all"

    def test_on_the_company_itself_nothing_changes(self, settings: Settings, tmp_path: Path) -> None:
        with build(settings) as company:
            load_company_document(company, tmp_path / "docs")
            before = state(company)
        questions = [
            {"id": f"q{number}", "question": "Сколько дней отпуск?", "gold": ["Отпуск.md"]} for number in range(9)
        ]
        rebuilding = Parameter("weights.bm25", (0.5, 1.0), rebuilds=True)
        found = tune(settings, [write_set(tmp_path / "golden", questions=questions)], parameters=(rebuilding,))
        assert found.values() == {}
        assert "keep the present settings" in proposal(found)
        with build(settings) as company:
            assert state(company) == before

    def test_too_few_questions(self, settings: Settings, tmp_path: Path) -> None:
        one = write_set(tmp_path / "one", questions=[{"id": "q1", "question": "Где ключ?", "gold": ["a.md"]}])
        with pytest.raises(ConfigError, match="'one' has too few questions to be split"):
            tune(settings, [one])


def test_workbench_knows_whose_documents_a_set_asks_for(settings: Settings, tmp_path: Path) -> None:
    questions = [{"id": "q1", "question": "Сколько дней отпуск?", "gold": ["Отпуск.md"]}]
    golden = read_dataset(write_set(tmp_path / "golden", questions=questions))
    other = read_dataset(write_set(tmp_path / "other", questions=[{**questions[0], "gold": ["Кадры.md"]}]))
    assert not Workbench(settings, golden).uses_company_store
    assert not settings.storage.path.exists()
    with build(settings) as company:
        load_company_document(company, tmp_path / "docs")
        before = state(company)
    bench = Workbench(settings, golden)
    assert bench.uses_company_store
    assert not Workbench(settings, other).uses_company_store
    assert bench.figures()["hit@1"] == bench.figures_by_rank()["hit@1"] == 1.0
    assert [one["k"] for one in bench.latencies([1, 5])] == [1, 5]
    bench.close()
    assert not bench.scratch.exists()
    with build(settings) as company:
        assert state(company) == before


def many(folder: Path) -> Path:
    """The set with every question ten times, so that both halves have all of them."""
    corpus = [{"id": key, "title": title, "text": text, "lang": lang} for key, lang, title, text in PASSAGES]
    questions = [
        {"id": f"{key}-{number}", "question": text, "lang": lang, "gold": gold}
        for key, lang, text, gold in QUESTIONS
        for number in range(10)
    ]
    return write_set(folder, questions=questions, corpus=corpus)


def test_gold_document_that_cannot_be_found_is_named(settings: Settings, tmp_path: Path) -> None:
    corpus = [{"id": "a", "title": "Дом", "text": "Ключ"}, {"id": "b", "title": "", "text": "# Только заголовок"}]
    questions = [{"id": "q1", "question": "Где ключ?", "gold": ["a", "b"], "answers": []}]
    result = evaluate_dataset(settings, write_set(tmp_path / "home", questions=questions, corpus=corpus))
    assert result["absent"] == ["b"]
    assert (result["hit@1"], result["recall@20"]) == (1.0, 0.5)
