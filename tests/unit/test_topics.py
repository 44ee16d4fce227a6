"""Grouping of unanswered questions: sensible on a small labelled set, by the bundled model, and the same at every call."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from assistant.parts.embeddings import EMBEDDINGS
from assistant.review.topics import UNRELATED, Topic, topics

LINES = (Path(__file__).parents[1] / "data" / "topics.jsonl").read_text("utf-8").splitlines()
QUESTIONS = [json.loads(line)["question"] for line in LINES]
LABELS = [json.loads(line)["topic"] for line in LINES]


@pytest.fixture(scope="module")
def vectors() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Of the questions, and of what has nothing in common."""
    model = EMBEDDINGS.build("huggingface", model="data/models/static-bilingual")

    def of(texts: list[str]) -> NDArray[np.float32]:
        return np.array(model.get_text_embedding_batch(texts), dtype=np.float32)

    return of(QUESTIONS), of(list(UNRELATED))


def precision_and_recall(found: list[Topic]) -> tuple[float, float]:
    """Of pairs of questions that are in one topic."""
    topic = {member: number for number, one in enumerate(found) for member in one.members}
    pairs = list(combinations(range(len(QUESTIONS)), 2))
    together = [pair for pair in pairs if topic[pair[0]] == topic[pair[1]]]
    same = [pair for pair in pairs if LABELS[pair[0]] == LABELS[pair[1]]]
    right = len(set(together) & set(same))
    return right / len(together), right / len(same)


def test_topics_hold_what_belongs_together(vectors: tuple[NDArray[np.float32], NDArray[np.float32]]) -> None:
    precision, recall = precision_and_recall(topics(QUESTIONS, *vectors))
    print(f"pairs: precision {precision:.3f}, recall {recall:.3f}")
    assert precision >= 0.9
    assert recall >= 0.4
    _, by_vectors = precision_and_recall(topics(QUESTIONS, *vectors, words_share=0.0))
    assert recall > by_vectors, "words add to the vectors"


def test_each_question_is_in_one_topic_and_the_largest_comes_first(
    vectors: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> None:
    found = topics(QUESTIONS, *vectors)
    assert sorted(member for one in found for member in one.members) == list(range(len(QUESTIONS)))
    sizes = [len(one.members) for one in found]
    assert sizes == sorted(sizes, reverse=True)
    assert found == topics(QUESTIONS, *vectors)


def test_the_typical_question_is_most_like_the_others() -> None:
    questions = ["принтер не печатает", "принтер печатает криво", "не печатает принтер в бухгалтерии", "обед"]
    towards = np.array([[1, 0.1, 0], [1, 0.5, 0], [1, 0.0, 0], [0, 0, 1]], dtype=np.float32)
    (first, second) = topics(questions, towards, np.eye(3, dtype=np.float32))
    assert set(first.members) == {0, 1, 2}
    assert first.typical == 0
    assert second.members == (3,)


def test_nothing_and_one_question_are_no_trouble() -> None:
    unrelated = np.eye(3, dtype=np.float32)
    assert topics([], np.zeros((0, 3), dtype=np.float32), unrelated) == []
    assert topics(["обед"], np.zeros((1, 3), dtype=np.float32), unrelated) == [Topic((0,))]
    same = np.ones((3, 3), dtype=np.float32)
    assert topics(["обед"] * 3, same, unrelated) == [Topic((0, 1, 2))]


def test_a_model_that_finds_everything_alike_joins_no_strangers() -> None:
    """Large models give 0.4 and more to questions that have nothing in common."""
    rng = np.random.default_rng(7)
    common = np.ones(64)

    def near(count: int) -> NDArray[np.float32]:
        return np.array([common + rng.normal(size=64) for _ in range(count)], dtype=np.float32)

    assert len(topics(["обед", "пропуск", "отпуск", "принтер"], near(4), near(6))) == 4
