"""No passage loses its end in silence: sizes beyond the embedding model's window are refused, what is beyond it is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.errors import PipelineError
from assistant.settings import Embedding
from assistant.wiring import build
from tests.integration import company
from tests.integration.tiny_models import write_encoder

pytestmark = pytest.mark.server
WINDOW = 62  # tokens: 64 less the marks at both ends


def test_sizes_and_passages_beyond_the_window(tmp_path: Path) -> None:
    docs = company.write_documents(tmp_path / "docs")
    long = "Отпуск двадцать восемь дней. " * 40
    (docs / "hr/long.md").write_text(f"# Отпуск\n\n{long}", "utf-8")
    settings = company.settings(
        tmp_path / "storage", embedding=Embedding(model=str(write_encoder(tmp_path / "encoder")))
    )
    with build(settings) as assistant:
        pipeline = company.recipe(tmp_path / "company.yaml", docs, chunk_size=WINDOW + 1)
        with pytest.raises(PipelineError, match=f"chunk_size 63 is more than .* set it to at most {WINDOW} tokens"):
            assistant.ingest(pipeline)

        company.recipe(pipeline, docs, chunk_size=WINDOW)
        report = assistant.ingest(pipeline)
        assert report.warnings == []
        reasons = company.reasons(report)
        assert set(reasons) == {
            "it/VPN.pdf",
            "it/passwords.docx",
        }  # words unknown to the tiny tokenizer are many tokens
        assert all("title and section take" in reason for reason in reasons.values())
        assert report.chunks_embedded > 10

        whole = pipeline.read_text("utf-8").replace("  - SentenceSplitter: {chunk_size: 62, chunk_overlap: 0}\n", "")
        assert "SentenceSplitter" not in whole
        pipeline.write_text(whole, "utf-8")
        warnings = {warning.path: warning.error for warning in assistant.ingest(pipeline).warnings}
        said = f"of 1 passages the embedding model reads the first {WINDOW} tokens only: set a smaller chunk_size"
        assert warnings["hr/long.md"] == said
        assert "notice.md" not in warnings
