"""Fusion: a weighted sum of normalised scores."""

from __future__ import annotations

import pytest

from assistant.ask.fusion import fuse


def test_the_sum_is_weighted_and_bm25_is_divided_by_its_best() -> None:
    found = fuse({"a": 8.0, "b": 4.0}, {"a": 0.1, "b": 0.9}, bm25_weight=1.0, vector_weight=0.5)
    assert found == [("a", pytest.approx(1.05)), ("b", pytest.approx(0.95))]


def test_without_a_cosine_the_lowest_one_counts() -> None:
    """The vector search returned the best, so what it did not return is no better than its last."""
    found = dict(fuse({"a": 2.0, "x": 1.0}, {"a": 0.8, "b": 0.3}, bm25_weight=1.0, vector_weight=1.0))
    assert found == {"a": pytest.approx(1.8), "x": pytest.approx(0.8), "b": pytest.approx(0.3)}


def test_a_negative_cosine_is_not_lifted_above_what_was_not_found() -> None:
    found = dict(fuse({"x": 1.0}, {"b": -0.2}, bm25_weight=0.0, vector_weight=1.0))
    assert found["x"] <= found["b"]


def test_the_size_of_bm25_scores_does_not_matter() -> None:
    small = fuse({"a": 0.02, "b": 0.01}, {"b": 0.4}, bm25_weight=1.0, vector_weight=1.0)
    large = fuse({"a": 200.0, "b": 100.0}, {"b": 0.4}, bm25_weight=1.0, vector_weight=1.0)
    assert small == [(key, pytest.approx(score)) for key, score in large]


def test_either_side_alone_and_neither() -> None:
    assert fuse({"a": 3.0}, {}, bm25_weight=2.0, vector_weight=1.0) == [("a", 2.0)]
    assert fuse({}, {"a": 0.5, "b": 0.7}, bm25_weight=1.0, vector_weight=2.0) == [("b", 1.4), ("a", 1.0)]
    assert fuse({}, {}, bm25_weight=1.0, vector_weight=1.0) == []


def test_equal_scores_come_in_a_fixed_order() -> None:
    forwards = fuse({"b": 1.0, "a": 1.0, "c": 1.0}, {}, bm25_weight=1.0, vector_weight=1.0)
    backwards = fuse({"c": 1.0, "a": 1.0, "b": 1.0}, {}, bm25_weight=1.0, vector_weight=1.0)
    assert [key for key, _ in forwards] == [key for key, _ in backwards] == ["a", "b", "c"]
