"""How quick the configured embedding model is: `python -m tests.load.embedding`. Prints figures, asserts nothing.

Passages of the sample company in batches, and single questions from text to vector, by the clock and by processor time
(on a busy machine the clock also shows who else was running). For a static model the same with sentence-transformers'
own encoding, which ours takes the place of. `--text FOLDER` takes the passages from its .md, .txt and .jsonl files.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding

from assistant.index_wiring import _embed_model
from assistant.settings_loader import load_settings
from assistant.wiring import prepare_storage

ROOT = Path(__file__).resolve().parents[2]
QUESTIONS = ROOT / "data" / "eval" / "questions.jsonl"
CHARS = 900  # of a passage


def main(profile: str | None, passages: int, questions: int, folder: Path | None) -> None:
    settings = load_settings(profile)
    storage = prepare_storage(settings.storage.path)
    start = time.perf_counter()
    model = _embed_model(settings.embedding, storage)
    size = len(model.get_query_embedding("готово"))
    embedding = settings.embedding
    print(
        f"{embedding.model} on {embedding.device}, dtype {embedding.dtype}, {embedding.threads} thread(s), {size} dimensions"
    )
    print(f"loaded, with the libraries, in {time.perf_counter() - start:.1f} s")
    texts = _passages(passages, folder)
    model.get_text_embedding_batch(texts[: embedding.batch_size])
    ours = _rate("ours", texts, lambda: model.get_text_embedding_batch(texts))
    if getattr(model, "_static", None):
        options: dict[str, Any] = {"batch_size": embedding.batch_size, "show_progress_bar": False}
        theirs = _rate("sentence-transformers", texts, lambda: model._model.encode(texts, **options))  # type: ignore[attr-defined]
        print(f"ours / theirs: {ours / theirs:.2f}")
    asked = [json.loads(line)["question"] for line in QUESTIONS.read_text("utf-8").splitlines()]
    _latency(model, [asked[number % len(asked)] for number in range(questions)])


def _rate(name: str, texts: list[str], encode: Callable[[], object]) -> float:
    """Passages a CPU-second."""
    begun, used = time.perf_counter(), time.process_time()
    encode()
    seconds, used = time.perf_counter() - begun, time.process_time() - used
    speed = f"{len(texts) / seconds:.0f}/s, {len(texts) / used:.0f} a CPU-second"
    print(f"{name}: {len(texts)} passages of {CHARS} characters: {speed}")
    return len(texts) / used


def _passages(count: int, folder: Path | None) -> list[str]:
    """Real text, each passage another one."""
    places = [folder] if folder else [ROOT / "data" / "docs", ROOT / "docs"]
    files = [file for place in places for kind in ("md", "txt", "jsonl") for file in sorted(place.rglob(f"*.{kind}"))]
    text = " ".join(file.read_text("utf-8", "replace") for file in files)
    step = max(1, (len(text) - CHARS) // count)
    return [text[number * step % (len(text) - CHARS) :][:CHARS] for number in range(count)]


def _latency(model: BaseEmbedding, questions: list[str]) -> None:
    clock, used = [], []
    for question in questions:
        start, begun = time.perf_counter(), time.thread_time()
        model.get_query_embedding(question)
        used.append((time.thread_time() - begun) * 1000)
        clock.append((time.perf_counter() - start) * 1000)
    for what, times in (("by the clock", sorted(clock)), ("processor time", sorted(used))):
        p95 = times[int(len(times) * 0.95)]
        print(f"a question, text to vector, {what}: p50 {statistics.median(times):.2f} ms, p95 {p95:.2f} ms")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile")
    parser.add_argument("--passages", type=int, default=4096)
    parser.add_argument("--questions", type=int, default=1000)
    parser.add_argument("--text", type=Path)
    options = parser.parse_args()
    main(options.profile, options.passages, options.questions, options.text)
