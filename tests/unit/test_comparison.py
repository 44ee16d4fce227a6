"""Intervals, and the regression gate over results made here."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assistant.errors import ConfigError
from assistant.evaluation.bootstrap import chance_of_no_loss, intervals, resampled_means
from assistant.evaluation.compare import ANSWERS, OVER_SETS, compare
from assistant.evaluation.report import print_comparison


class TestBootstrap:
    def test_interval_of_a_share_is_that_of_the_textbook(self) -> None:
        (low, high), *_ = intervals([[1.0]] * 80 + [[0.0]] * 20)
        assert (low, high) == (pytest.approx(0.72, abs=0.011), pytest.approx(0.88, abs=0.011))

    def test_equal_values_have_no_width(self) -> None:
        assert intervals([[0.5, 1.0]] * 7) == [[0.5, 0.5], [1.0, 1.0]]

    def test_the_same_every_time_and_paired_between_columns(self) -> None:
        values = np.random.default_rng(1).random((60, 1))
        means = resampled_means(np.hstack([values, values + 0.25]))
        assert means.shape == (10_000, 2)
        assert np.allclose(means[:, 1] - means[:, 0], 0.25)
        assert np.array_equal(means, resampled_means(np.hstack([values, values + 0.25])))
        assert not np.array_equal(means, resampled_means(np.hstack([values, values + 0.25]), stream=1))

    def test_more_questions_than_are_drawn_at_once(self) -> None:
        (low, high), *_ = intervals([[float(number % 2)] for number in range(9_000)])
        assert 0.48 < low < 0.495 < 0.505 < high < 0.52

    def test_chance_of_no_loss(self) -> None:
        assert chance_of_no_loss(np.full(9_999, -0.1)) == pytest.approx(1e-4)
        assert chance_of_no_loss(np.zeros(10_000)) == 1.0


Change = Callable[[int, dict[str, Any]], None]


def write(file: Path, change: Change | None = None, *, name: str = "home", questions: int = 120, **more: Any) -> Path:
    """A result of two languages and of random figures, the same at every call but for `change`."""
    chance = random.Random(1)
    rows = []
    for number in range(questions):
        figures = {"ndcg@10": round(chance.random(), 3)}
        row = {
            "id": f"q{number}",
            "lang": "ru" if number % 2 else "en",
            "asked": f"hash {number}",
            "answerable": number % 10 != 0,
            "refused": number % 10 == 0,
            "scores": {"bm25": dict(figures), "hybrid": dict(figures)} if number % 10 else {},
        }
        if change:
            change(number, row)
        rows.append(row)
    found = {"dataset": name, "corpus": "c1", "per_question": rows, **more}
    file.write_text(json.dumps(found), "utf-8")
    return file


def worse(by: float, share: int = 1, language: str = "") -> Change:
    def change(number: int, row: dict[str, Any]) -> None:
        if row["scores"] and number % share == 0 and language in ("", row["lang"]):
            row["scores"]["hybrid"]["ndcg@10"] -= by

    return change


class TestCompare:
    def test_the_same(self, tmp_path: Path) -> None:
        found = compare(write(tmp_path / "a.json"), write(tmp_path / "b.json"))
        assert not found.is_worse
        assert {one.verdict for one in found.differences} == {"same"}
        assert {(one.difference, *one.interval) for one in found.differences} == {(0.0, 0.0, 0.0)}

    def test_worse_is_found_although_the_figures_scatter(self, tmp_path: Path) -> None:
        """Means differ by a tenth of their standard deviation: only the pairs show it."""
        a, b = write(tmp_path / "a.json"), write(tmp_path / "b.json", worse(0.03))
        found = compare(a, b)
        assert found.is_worse
        assert not compare(b, a).is_worse
        assert {one.verdict for one in compare(b, a).differences if one.method == "hybrid"} == {"better"}
        overall = next(one for one in found.differences if one.counts and one.language is None)
        assert (overall.difference, overall.questions) == (pytest.approx(-0.03), 108)

    def test_one_language_is_enough(self, tmp_path: Path) -> None:
        def change(number: int, row: dict[str, Any]) -> None:
            worse(0.05, language="ru")(number, row)
            worse(-0.05, language="en")(number, row)

        found = compare(write(tmp_path / "a.json"), write(tmp_path / "b.json", change))
        verdicts = {one.language: one.verdict for one in found.differences if one.counts and one.figure != ANSWERS}
        assert verdicts == {None: "same", "en": "better", "ru": "worse"}
        assert found.is_worse

    def test_noise_and_a_few_questions_pass(self, tmp_path: Path) -> None:
        chance = random.Random(2)

        def noise(_: int, row: dict[str, Any]) -> None:
            if row["scores"]:
                row["scores"]["hybrid"]["ndcg@10"] += chance.gauss(0, 0.1)

        a = write(tmp_path / "a.json")
        assert not compare(a, write(tmp_path / "b.json", noise)).is_worse
        assert not compare(a, write(tmp_path / "b.json", worse(0.5, share=25))).is_worse

    def test_another_method_than_people_get_is_shown_and_does_not_count(self, tmp_path: Path) -> None:
        def change(_: int, row: dict[str, Any]) -> None:
            if row["scores"]:
                row["scores"]["bm25"]["ndcg@10"] -= 0.2

        found = compare(write(tmp_path / "a.json"), write(tmp_path / "b.json", change))
        assert {one.verdict for one in found.differences if one.method == "bm25"} == {"worse"}
        assert not found.is_worse

    def test_a_reranker_in_one_of_them_is_compared_with_what_people_got_before(self, tmp_path: Path) -> None:
        def change(_: int, row: dict[str, Any]) -> None:
            if row["scores"]:
                row["scores"]["reranked"] = {"ndcg@10": row["scores"]["hybrid"]["ndcg@10"] - 0.2}

        found = compare(write(tmp_path / "a.json"), write(tmp_path / "b.json", change))
        assert found.is_worse
        assert "reranked" not in {one.method for one in found.differences}

    def test_refusals_count(self, tmp_path: Path) -> None:
        def change(number: int, row: dict[str, Any]) -> None:
            row["refused"] = row["refused"] or number % 5 == 1

        found = compare(write(tmp_path / "a.json"), write(tmp_path / "b.json", change))
        assert [one.figure for one in found.differences if one.verdict == "worse" and one.language is None] == [ANSWERS]
        assert found.is_worse

    def test_questions_of_both_that_were_not_changed(self, tmp_path: Path) -> None:
        def change(number: int, row: dict[str, Any]) -> None:
            if number < 3:
                row["asked"] = "corrected"

        a, b = write(tmp_path / "a.json", questions=130), write(tmp_path / "b.json", change)
        found = compare(a, b)
        assert found.left_out == {"home": 13}
        assert max(one.questions for one in found.differences) == 117

    def test_lists_of_sets(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        sets = {name: json.loads(write(tmp_path / "x.json", name=name).read_text()) for name in ("x", "y", "z")}
        bad = json.loads(write(tmp_path / "x.json", worse(0.1), name="y").read_text())
        (tmp_path / "a.json").write_text(json.dumps([sets["x"], sets["y"]]))
        (tmp_path / "b.json").write_text(json.dumps([bad, sets["z"], sets["x"]]))
        found = compare(tmp_path / "a.json", tmp_path / "b.json")
        assert {one.dataset for one in found.differences if one.verdict == "worse" and one.dataset != OVER_SETS} == {
            "y"
        }
        assert found.left_out == {"z": 120}
        print_comparison(found)
        assert "B is worse than A beyond noise" in capsys.readouterr().out

    def test_a_small_loss_in_every_set_shows_in_their_mean(self, tmp_path: Path) -> None:
        """In each set alone it is noise."""
        for file in ("a.json", "b.json"):
            results = []
            for number in range(12):
                chance = random.Random(number)

                def noise(_: int, row: dict[str, Any], chance: random.Random = chance, file: str = file) -> None:
                    if row["scores"] and file == "b.json":
                        row["scores"]["hybrid"]["ndcg@10"] += chance.gauss(-0.012, 0.1)

                results.append(json.loads(write(tmp_path / "x.json", noise, name=f"set {number}").read_text()))
            (tmp_path / file).write_text(json.dumps(results))
        found = compare(tmp_path / "a.json", tmp_path / "b.json")
        assert {one.dataset for one in found.differences if one.counts and one.verdict == "worse"} == {OVER_SETS}
        assert found.is_worse

    def test_table_is_narrow(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COLUMNS", "100")
        name = "a set with a very long name"
        print_comparison(compare(write(tmp_path / "a.json", name=name), write(tmp_path / "b.json", name=name)))
        printed = capsys.readouterr().out
        assert max(len(line) for line in printed.splitlines()) <= 100
        assert "as configured" in printed

    @pytest.mark.parametrize(
        ("other", "said"),
        [
            ({"name": "office"}, "are of different sets"),
            ({"corpus": "c2"}, "the corpus of 'home' was changed"),
            ({"per_question": None}, "has no figures by question"),
            ({"per_question": [{"id": "q1"}]}, "a question of 'home' lacks 'asked'"),
        ],
    )
    def test_what_cannot_be_compared(self, tmp_path: Path, other: dict[str, Any], said: str) -> None:
        with pytest.raises(ConfigError, match=said):
            compare(write(tmp_path / "a.json"), write(tmp_path / "b.json", **other))

    def test_no_question_in_common(self, tmp_path: Path) -> None:
        def change(_: int, row: dict[str, Any]) -> None:
            row["id"] += " of another year"

        with pytest.raises(ConfigError, match="have no question in common"):
            compare(write(tmp_path / "a.json"), write(tmp_path / "b.json", change))

    @pytest.mark.parametrize(
        ("text", "said"), [("", "it is not JSON"), ("[]", "is not a result"), ("[1]", "is not a result")]
    )
    def test_files_that_are_no_results(self, tmp_path: Path, text: str, said: str) -> None:
        (tmp_path / "b.json").write_text(text)
        with pytest.raises(ConfigError, match=said):
            compare(write(tmp_path / "a.json"), tmp_path / "b.json")
        with pytest.raises(ConfigError, match="No such file"):
            compare(tmp_path / "none.json", tmp_path / "b.json")
