"""Fusion: a weighted sum of normalised scores."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from assistant.ask.fusion import fuse


def whole(
    bm25: Mapping[str, float], vector: Mapping[str, float], *, bm25_weight: float = 1.0, vector_weight: float = 1.0
) -> list[tuple[str, float]]:
    """Every passage has all the words."""
    coverage = dict.fromkeys({**bm25, **vector}, 1.0)
    return fuse(bm25, vector, coverage=coverage, bm25_weight=bm25_weight, vector_weight=vector_weight)


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
    found = fuse(
        {"a": 3.0, "b": 1.5}, {"m": 0.4}, coverage={"a": 0.2, "b": 0.1, "m": 0.0}, bm25_weight=1.0, vector_weight=1.0
    )
    assert dict(found) == {"a": pytest.approx(0.6), "b": pytest.approx(0.45), "m": pytest.approx(0.4)}


def test_a_passage_that_is_gone_has_no_coverage() -> None:
    assert fuse({"a": 3.0}, {}, coverage={}, bm25_weight=1.0, vector_weight=1.0) == [("a", 0.0)]


def test_a_passage_in_another_language_has_a_part_of_the_keyword_score_and_never_more_than_all() -> None:
    vector = {"a": 0.0, "b": 0.0}
    coverage = {"a": 1.0, "b": 0.0}
    found = fuse({"a": 5.0}, vector, coverage=coverage, foreign={"a", "b"}, bm25_weight=2.0, vector_weight=1.0)
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
