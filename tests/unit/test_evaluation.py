"""Figures by hand, and labelled sets that are wrong."""

from __future__ import annotations

import json
import re
from math import log2
from pathlib import Path
from typing import Any

import pytest

from assistant.errors import AssistantError, ConfigError, DocumentError
from assistant.evaluation.datasets import is_for_choosing, read_dataset, sets_in
from assistant.evaluation.metrics import mean, ndcg, percentile, refusal, score
from assistant.evaluation.report import language_means, print_result, print_results

QUESTION = {"id": "q1", "question": "Где ключ?", "lang": "ru", "gold": ["a"], "answers": ["под ковриком"]}
PASSAGE = {"id": "a", "title": "Дом", "text": "Ключ под ковриком.", "lang": "ru"}


def write_set(folder: Path, *, questions: list[Any], corpus: list[Any] | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
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

    def test_grades_and_depth_are_not_those_of_llama_index(self) -> None:
        """Why nDCG is ours: theirs takes any gold document for the same, and all of them for the ideal of the first ten."""
        from llama_index.core.evaluation.retrieval.metrics import NDCG

        gold = {str(number): number + 1 for number in range(12)}
        best = sorted(gold, key=lambda key: -gold[key])
        theirs = NDCG().compute(expected_ids=best, retrieved_ids=best[:10]).score
        assert ndcg(best, gold) == 1.0
        assert theirs < 0.95
        alike = {"a": 1, "b": 1}
        for ranking in (["a", "b"], ["x", "b", "a"], ["b"]):
            same = NDCG().compute(expected_ids=["a", "b"], retrieved_ids=ranking).score
            assert ndcg(ranking, alike) == pytest.approx(same)

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

    def test_a_gold_document_twice_is_one(self, tmp_path: Path) -> None:
        found = read_dataset(write_set(tmp_path, questions=[{**QUESTION, "gold": ["a", "a"]}], corpus=[PASSAGE]))
        assert score(["a"], found.questions[0].gold)["recall@20"] == 1.0

    def test_sample_and_halves_are_the_same_every_time(self, tmp_path: Path) -> None:
        questions = [{**QUESTION, "id": f"q{number}"} for number in range(200)]
        found = read_dataset(write_set(tmp_path, questions=questions, corpus=[PASSAGE]))
        chosen = [{one.id for one in found.sampled(count).questions} for count in (10, 50, 500, None)]
        assert [len(ids) for ids in chosen] == [10, 50, 200, 200]
        assert chosen[0] < chosen[1]
        assert chosen[0] == {one.id for one in found.sampled(10).questions}
        half = {one.id for one in found.questions if is_for_choosing(one)}
        assert 80 < len(half) < 120
        assert {one.id for one in found.sampled(50).questions if is_for_choosing(one)} == half & chosen[1]
        assert 10 < len(half & chosen[1]) < 40

    def test_sets_in_a_folder(self, tmp_path: Path) -> None:
        for name in ("b", "a"):
            write_set(tmp_path / name, questions=[QUESTION], corpus=[PASSAGE])
        (tmp_path / "notes").mkdir()
        assert [path.name for path in sets_in(tmp_path)] == ["a", "b"]
        assert sets_in(tmp_path / "a") == sets_in(tmp_path / "notes") == []

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


def result(name: str = "home", missed: list[Any] | None = None, **more: Any) -> dict[str, Any]:
    figures: dict[str, Any] = {"hit@1": 0.5, "hit@5": 0.75, "mrr@10": 0.6, "ndcg@10": 0.7, "recall@20": 1.0}
    figures["intervals"] = dict.fromkeys(figures, [0.25, 0.8125])
    nothing = {"ndcg@10": None, "intervals": {"ndcg@10": None}}
    method = {**figures, "by_language": {"en": nothing, "ru": {"ndcg@10": 0.7, "intervals": {"ndcg@10": [0.5, 0.9]}}}}
    return {
        "dataset": name,
        "questions": 3,
        "documents": 2,
        **figures,
        "by_language": {"en": nothing, "ru": figures},
        "by_method": {"bm25": method, "vector": method, "hybrid": method, "reranked": None},
        "refusal": refusal([(True, False)]),
        "p50_ms": 5.0,
        "p95_ms": 9.0,
        "absent": [],
        "indexed": {"failed": [{"path": "b", "error": "no text was found in it"}]},
        "missed": missed or [],
        "false_refusals": [],
        "hybrid_minus_bm25": {"ndcg@10": 0.0123, "interval": [-0.01, 0.034]},
        **more,
    }


def test_table_fits_into_100_columns(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    missed = {"id": "q1", "question": "Где [bold]ключ[/bold] " + "от двери " * 20, "lang": "ru", "gold": ["a"]}
    print_result(result(missed=[missed] * 12))
    printed = capsys.readouterr().out
    assert max(len(line) for line in printed.splitlines()) <= 100
    assert "0.750" in printed
    assert "0.25–0.81" in printed
    assert "reranked" not in printed
    assert "[bold]ключ" in printed
    assert "… and 2 more" in printed
    assert "Could not be indexed: b: no text" in printed


def test_table_of_many_sets(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    second = result("a set with a very long name indeed", hybrid_minus_bm25={"ndcg@10": None, "interval": None})
    second["by_method"]["reranked"] = second["by_method"]["hybrid"] | {"ndcg@10": 0.9}
    print_results([result(), second])
    printed = capsys.readouterr().out
    assert max(len(line) for line in printed.splitlines()) <= 100
    assert "+0.012 [-0.010, +0.034]" in printed
    assert "0.900" in printed
    assert re.search(r"mean ru +2 sets +0\.700 +0\.700 +0\.700", printed)


def test_means_are_over_sets_that_have_the_language() -> None:
    other = result("other")
    other["by_method"]["hybrid"]["by_language"]["ru"]["ndcg@10"] = 0.9
    other["by_method"]["hybrid"] = {**other["by_method"]["hybrid"]}
    other["by_language"]["en"] = {"ndcg@10": None}
    found = language_means([result(), other])
    assert (found["ru"]["sets"], found["ru"]["hybrid"]) == (2, 0.8)
    assert (found["en"]["sets"], found["en"]["hybrid"]) == (0, None)
