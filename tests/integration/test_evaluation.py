"""`assistant eval` for real: a small labelled set through the ingest service, a managed Chroma and the retriever."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import pytest

from assistant.access.principal import AccessClass
from assistant.assistant import Assistant
from assistant.errors import IndexNotReady
from assistant.evaluation.run import evaluate_dataset, print_result
from assistant.settings import Chroma, Database, Embedding, Llm, Settings, Storage
from assistant.wiring import build
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
        assert set(result["by_method"][method]) == {*KEYS[3:8], "by_language"}
        assert set(result["by_method"][method]["by_language"]["ru"]) == {"ndcg@10"}
    assert result["refusal"]["unanswerable"] == 2
    assert result["refusal"]["recall"] == 1.0
    assert 0 < result["p50_ms"] <= result["p95_ms"]
    assert result["indexed"]["added"] == 12
    assert fingerprints(settings.storage.path) == before

    again = evaluate_dataset(settings, dataset)

    assert (again["indexed"]["added"], again["indexed"]["updated"], again["indexed"]["unchanged"]) == (0, 0, 12)
    steady = [key for key in result if key not in ("p50_ms", "p95_ms", "indexed")]
    assert {key: again[key] for key in steady} == {key: result[key] for key in steady}


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


def test_gold_document_that_cannot_be_found_is_named(settings: Settings, tmp_path: Path) -> None:
    corpus = [{"id": "a", "title": "Дом", "text": "Ключ"}, {"id": "b", "title": "", "text": "# Только заголовок"}]
    questions = [{"id": "q1", "question": "Где ключ?", "gold": ["a", "b"], "answers": []}]
    result = evaluate_dataset(settings, write_set(tmp_path / "home", questions=questions, corpus=corpus))
    assert result["absent"] == ["b"]
    assert (result["hit@1"], result["recall@20"]) == (1.0, 0.5)
