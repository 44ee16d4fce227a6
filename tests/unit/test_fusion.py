"""Fusion: a weighted sum of normalised scores and of what else speaks for a passage."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from assistant.ask.fusion import fuse
from assistant.index.evidence import Evidence
from assistant.settings import FusionWeights


def whole(
    bm25: Mapping[str, float], vector: Mapping[str, float], *, bm25_weight: float = 1.0, vector_weight: float = 1.0
) -> list[tuple[str, float]]:
    """Every passage has all the words."""
    evidence = dict.fromkeys({**bm25, **vector}, Evidence(coverage=1.0))
    return fuse(bm25, vector, evidence, FusionWeights(bm25=bm25_weight, vector=vector_weight))


def test_the_sum_is_weighted_and_bm25_is_divided_by_its_best() -> None:
    found = whole({"a": 8.0, "b": 4.0}, {"a": 0.1, "b": 0.9}, vector_weight=0.5)
    assert found == [("a", pytest.approx(1.05)), ("b", pytest.approx(0.95))]


def test_without_a_cosine_the_lowest_one_counts() -> None:
    """The vector search returned the best, so what it did not return is no better than its last."""
    found = dict(whole({"a": 2.0, "x": 1.0}, {"a": 0.8, "b": 0.3}))
    assert found == {"a": pytest.approx(1.8), "x": pytest.approx(0.8), "b": pytest.approx(0.3)}


def test_a_negative_cosine_is_not_lifted_above_what_was_not_found() -> None:
    found = dict(whole({"x": 1.0}, {"b": -0.2}, bm25_weight=0.0))
    assert found["x"] <= found["b"]


def test_the_size_of_bm25_scores_does_not_matter() -> None:
    small = whole({"a": 0.02, "b": 0.01}, {"b": 0.4})
    large = whole({"a": 200.0, "b": 100.0}, {"b": 0.4})
    assert small == [(key, pytest.approx(score)) for key, score in large]


def test_the_best_of_the_passages_that_have_few_of_the_words_counts_little() -> None:
    evidence = {"a": Evidence(coverage=0.2), "b": Evidence(coverage=0.1), "m": Evidence()}
    found = fuse({"a": 3.0, "b": 1.5}, {"m": 0.4}, evidence, FusionWeights(vector=1.0))
    assert dict(found) == {"a": pytest.approx(0.6), "b": pytest.approx(0.45), "m": pytest.approx(0.4)}


def test_a_title_that_the_question_names_and_near_words_count() -> None:
    evidence = {"a": Evidence(1.0), "b": Evidence(1.0, title=1.0), "c": Evidence(1.0, proximity=0.5)}
    found = fuse(dict.fromkeys("abc", 2.0), {}, evidence, FusionWeights(title=0.5, proximity=0.4))
    assert found == [("b", pytest.approx(1.5)), ("c", pytest.approx(1.2)), ("a", pytest.approx(1.0))]


def test_a_passage_of_which_nothing_is_known_counts_by_its_cosine() -> None:
    assert fuse({"a": 3.0}, {}, {}, FusionWeights()) == [("a", 0.0)]


def test_a_passage_in_another_language_has_a_part_of_the_keyword_score_and_never_more_than_all() -> None:
    evidence = {"a": Evidence(coverage=1.0), "b": Evidence()}
    weights = FusionWeights(bm25=2.0, vector=1.0)
    found = fuse({"a": 5.0}, {"a": 0.0, "b": 0.0}, evidence, weights, foreign={"a", "b"})
    assert found == [("a", pytest.approx(2.0)), ("b", pytest.approx(0.4))]


def test_either_side_alone_and_neither() -> None:
    assert whole({"a": 3.0}, {}, bm25_weight=2.0) == [("a", 2.0)]
    assert whole({}, {"a": 0.5, "b": 0.7}, vector_weight=2.0) == [("b", 1.4), ("a", 1.0)]
    assert whole({}, {}) == []


def test_equal_scores_come_in_a_fixed_order() -> None:
    forwards = whole({"b": 1.0, "a": 1.0, "c": 1.0}, {})
    backwards = whole({"c": 1.0, "a": 1.0, "b": 1.0}, {})
    assert [key for key, _ in forwards] == [key for key, _ in backwards] == ["a", "b", "c"]


def test_reciprocal_rank_is_that_of_llama_index() -> None:
    """What is in both lists comes first, whatever its scores: this is what the sum is compared with."""
    from assistant.evaluation.reciprocal_rank import reciprocal_rank

    assert reciprocal_rank({"a": 9.0, "b": 0.1}, {"c": 0.9, "b": 0.2}) == ["b", "a", "c"]
    assert reciprocal_rank({"a": 9.0}, {}) == ["a"]
    assert reciprocal_rank({}, {}) == []
