"""Figures by hand, and labelled sets that are wrong."""

from __future__ import annotations

import json
from math import log2
from pathlib import Path
from typing import Any

import pytest

from assistant.errors import AssistantError, ConfigError, DocumentError
from assistant.evaluation.datasets import read_dataset
from assistant.evaluation.metrics import mean, percentile, refusal, score
from assistant.evaluation.report import print_result

QUESTION = {"id": "q1", "question": "Где ключ?", "lang": "ru", "gold": ["a"], "answers": ["под ковриком"]}
PASSAGE = {"id": "a", "title": "Дом", "text": "Ключ под ковриком.", "lang": "ru"}


def write_set(folder: Path, *, questions: list[Any], corpus: list[Any] | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    for name, lines in (("questions.jsonl", questions), ("corpus.jsonl", corpus)):
        if lines is not None:
            texts = [line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines]
            (folder / name).write_text("\n".join(texts) + "\n", "utf-8")
    return folder


class TestScore:
    def test_gold_first(self) -> None:
        found = score(["a", "b", "c"], {"a": 1})
        assert found == {"hit@1": 1.0, "hit@5": 1.0, "mrr@10": 1.0, "ndcg@10": 1.0, "recall@20": 1.0}

    def test_gold_third_and_one_of_two(self) -> None:
        found = score(["x", "y", "a", "z"], {"a": 1, "b": 1})
        assert found["hit@1"] == 0.0
        assert found["hit@5"] == 1.0
        assert found["mrr@10"] == pytest.approx(1 / 3)
        assert found["ndcg@10"] == pytest.approx((1 / log2(4)) / (1 + 1 / log2(3)))
        assert found["recall@20"] == 0.5

    @pytest.mark.parametrize(
        ("place", "hit5", "mrr", "ndcg", "recall"),
        [(5, 1.0, 0.2, 1 / log2(6), 1.0), (6, 0.0, 1 / 6, 1 / log2(7), 1.0), (10, 0.0, 0.1, 1 / log2(11), 1.0)]
        + [(11, 0.0, 0.0, 0.0, 1.0), (20, 0.0, 0.0, 0.0, 1.0), (21, 0.0, 0.0, 0.0, 0.0)],
    )
    def test_cut_offs(self, place: int, hit5: float, mrr: float, ndcg: float, recall: float) -> None:
        ranking = [f"x{number}" for number in range(30)]
        ranking[place - 1] = "gold"
        found = score(ranking, {"gold": 1})
        assert found["hit@1"] == 0.0
        assert (found["hit@5"], found["recall@20"]) == (hit5, recall)
        assert found["mrr@10"] == pytest.approx(mrr)
        assert found["ndcg@10"] == pytest.approx(ndcg)

    def test_nothing_found(self) -> None:
        assert set(score([], {"a": 1}).values()) == {0.0}

    def test_graded(self) -> None:
        found = score(["a", "x", "b"], {"a": 1, "b": 4})
        assert found["ndcg@10"] == pytest.approx((1 + 4 / 2) / (4 + 1 / log2(3)))
        assert score(["b", "a"], {"a": 1, "b": 4})["ndcg@10"] == 1.0

    def test_more_gold_than_ten_can_be_perfect(self) -> None:
        documents = [str(number) for number in range(12)]
        assert score(documents, dict.fromkeys(documents, 1))["ndcg@10"] == 1.0


def test_mean_of_questions_and_of_none() -> None:
    found = mean([score(["a"], {"a": 1}), score(["b", "a"], {"a": 1})])
    assert (found["hit@1"], found["mrr@10"]) == (0.5, 0.75)
    assert set(mean([]).values()) == {None}


def test_refusal() -> None:
    answerable_refused, answerable, unanswerable_refused, unanswerable = (
        (True, True),
        (True, False),
        (False, True),
        (False, False),
    )
    pairs = [answerable_refused, *[answerable] * 3, *[unanswerable_refused] * 3, unanswerable]
    assert refusal(pairs) == {
        "precision": 0.75,
        "recall": 0.75,
        "refused": 4,
        "unanswerable": 4,
        "false_refusals": 1,
    }
    assert refusal([answerable])["precision"] is None
    assert refusal([answerable])["recall"] is None


def test_percentile() -> None:
    values = [float(number) for number in range(1, 101)]
    assert (percentile(values, 0.5), percentile(values, 0.95)) == (50.0, 95.0)
    assert (percentile([7.0], 0.95), percentile([], 0.5)) == (7.0, None)


class TestReadDataset:
    def test_with_a_corpus(self, tmp_path: Path) -> None:
        graded = {"id": "q2", "question": "Where is the key?", "gold": ["a"], "rel": {"a": 3}, "scope": "home"}
        unanswerable = {"id": "q3", "question": "Кто?", "lang": "ru", "gold": []}
        folder = write_set(tmp_path, questions=[QUESTION, "", graded, unanswerable], corpus=[PASSAGE])
        found = read_dataset(folder)
        assert [question.gold for question in found.questions] == [{"a": 1}, {"a": 3}, {}]
        assert [question.language for question in found.questions] == ["ru", "en", "ru"]
        assert found.corpus is not None
        assert (found.name, found.corpus[0].title) == (tmp_path.name, "Дом")

    def test_paths_are_compared_in_composed_form(self, tmp_path: Path) -> None:
        question = {**QUESTION, "gold": ["company/\u0438\u0306.pdf"]}  # a typed on macOS й
        found = read_dataset(write_set(tmp_path, questions=[question]))
        assert found.corpus is None
        assert list(found.questions[0].gold) == ["company/\u0439.pdf"]

    def test_shipped_questions_are_right(self) -> None:
        found = read_dataset(Path(__file__).parents[2] / "data" / "eval")
        assert found.corpus is None
        assert sum(not question.gold for question in found.questions) > 10

    @pytest.mark.parametrize(
        ("questions", "said"),
        [
            ([QUESTION, '{"id": "q2", "question"'], r"questions\.jsonl:2: not valid JSON"),
            (['["q1"]'], r"questions\.jsonl:1: a line is an object"),
            ([{"id": "q1", "question": "?"}], r"questions\.jsonl:1: 'gold' is missing"),
            ([{**QUESTION, "question": " "}], r"questions\.jsonl:1: 'question': String should have at least 1"),
            ([{**QUESTION, "gold": "a"}], r"questions\.jsonl:1: 'gold': .*array"),
            ([{**QUESTION, "rel": {"a": 0}}], r"questions\.jsonl:1: 'rel\.a': .*greater than 0"),
            ([QUESTION, "", QUESTION], r"questions\.jsonl:3: the id 'q1' is used in line 1"),
            ([{**QUESTION, "gold": ["b"]}], r"questions\.jsonl:1: gold 'b' is not in corpus\.jsonl"),
            ([""], r"questions\.jsonl is empty"),
        ],
    )
    def test_wrong_lines_are_named(self, tmp_path: Path, questions: list[Any], said: str) -> None:
        with pytest.raises(DocumentError, match=said) as caught:
            read_dataset(write_set(tmp_path, questions=questions, corpus=[PASSAGE]))
        assert "\n" not in str(caught.value)

    def test_wrong_passage_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(DocumentError, match=r"corpus\.jsonl:1: 'text'"):
            read_dataset(write_set(tmp_path, questions=[QUESTION], corpus=[{"id": "a", "title": "Дом", "text": ""}]))

    def test_not_utf8(self, tmp_path: Path) -> None:
        (tmp_path / "questions.jsonl").write_bytes(b'{"id": "\xff"}')
        with pytest.raises(DocumentError, match="is not UTF-8"):
            read_dataset(tmp_path)

    @pytest.mark.parametrize("name", ["", "no such folder"])
    def test_no_set(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(ConfigError, match=r"is not a labelled set: give a folder that holds questions\.jsonl"):
            read_dataset(tmp_path / name)
        assert issubclass(ConfigError, AssistantError)


def test_table_fits_into_100_columns(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    figures = {"hit@1": 0.5, "hit@5": 0.75, "mrr@10": 0.6, "ndcg@10": 0.7, "recall@20": 1.0}
    method = {**figures, "by_language": {"en": {"ndcg@10": None}, "ru": {"ndcg@10": 0.7}}}
    missed = {"id": "q1", "question": "Где [bold]ключ[/bold] " + "от двери " * 20, "lang": "ru", "gold": ["a"]}
    print_result(
        {
            "dataset": "home",
            "questions": 3,
            "documents": 2,
            **figures,
            "by_language": {"en": {}, "ru": {}},
            "by_method": {"bm25": method, "vector": method, "hybrid": method, "reranked": None},
            "refusal": refusal([(True, False)]),
            "p50_ms": 5.0,
            "p95_ms": 9.0,
            "absent": [],
            "indexed": {"failed": [{"path": "b", "error": "no text was found in it"}]},
            "missed": [missed] * 12,
            "false_refusals": [],
        }
    )
    printed = capsys.readouterr().out
    assert max(len(line) for line in printed.splitlines()) <= 100
    assert "0.750" in printed
    assert "reranked" not in printed
    assert "[bold]ключ" in printed
    assert "… and 2 more" in printed
    assert "Could not be indexed: b: no text" in printed
