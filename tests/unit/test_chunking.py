"""Other cuts of a pipeline: what of its text changes, and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.errors import ConfigError
from assistant.evaluation.chunking import Cut, cut_of, recut
from assistant.evaluation.parameters import PARAMETERS, Parameter, changed, differing, known
from assistant.ingest.pipeline import load_pipeline
from assistant.settings import FusionWeights, Retrieval

SHIPPED = Path(__file__).parents[2] / "pipelines" / "default.yaml"


def lines(text: str) -> list[str]:
    return text.splitlines()


def test_shipped_pipeline_cut_as_it_is_cut() -> None:
    assert recut(SHIPPED, cut_of(SHIPPED)) == SHIPPED.read_text("utf-8")


def test_sizes_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "other.yaml"
    file.write_text(recut(SHIPPED, Cut(200, 10)), "utf-8")
    assert cut_of(file) == Cut(200, 10)
    pairs = zip(lines(SHIPPED.read_text("utf-8")), lines(file.read_text("utf-8")), strict=True)
    different = [(a.split()[1], b.split("#")[0].strip()) for a, b in pairs if a != b]
    assert different == [
        ("TableRows:", "- TableRows: {chunk_size: 200}"),
        ("SentenceSplitter:", "- SentenceSplitter: {chunk_size: 200, chunk_overlap: 10}"),
    ]


def test_parsers(tmp_path: Path) -> None:
    file = tmp_path / "other.yaml"
    file.write_text(recut(SHIPPED, Cut(200, 10, "TokenTextSplitter", sections=False)), "utf-8")
    names = [type(step).__name__ for step in load_pipeline(file, embedding_identity="x").transformations]
    assert names == ["TableRows", "TokenTextSplitter"]
    assert cut_of(file) == Cut(200, 10, "TokenTextSplitter", sections=False)


def test_pipeline_without_sizes(tmp_path: Path) -> None:
    file = tmp_path / "other.yaml"
    file.write_text("transformations: [MarkdownSections]\n")
    with pytest.raises(ConfigError, match="there is no chunking to try"):
        cut_of(file)


class TestParameters:
    def test_each_line_is_a_setting_or_left_out(self) -> None:
        assert {"weights.vector", "candidates"} <= {parameter.name for parameter in known()}
        unknown = Parameter("weights.colour", (1.0,))
        assert known((*PARAMETERS, unknown)) == known()

    @pytest.mark.parametrize("parameter", known(), ids=lambda parameter: parameter.name)
    def test_every_value_may_be_set(self, parameter: Parameter) -> None:
        found = [parameter.of(changed(Retrieval(), parameter.name, value)) for value in parameter.values]
        assert found == list(parameter.values)
        assert len(set(found)) == len(found)

    def test_differing(self) -> None:
        other = Retrieval(candidates=20, weights=FusionWeights(vector=2.0))
        assert differing(Retrieval(), other) == {"weights.vector": (1.6, 2.0), "candidates": (50, 20)}
        assert differing(other, other) == {}
