"""How quick the configured embedding model is: `python -m tests.load.embedding`. Prints figures, asserts nothing.

Passages of the sample company in batches, and single questions from text to vector, by the clock and by processor time
(on a busy machine the clock also shows who else was running).
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

from llama_index.core.base.embeddings.base import BaseEmbedding

from assistant.index_wiring import _embed_model
from assistant.settings_loader import load_settings
from assistant.wiring import prepare_storage

ROOT = Path(__file__).resolve().parents[2]
QUESTIONS = ROOT / "data" / "eval" / "questions.jsonl"
CHARS = 900  # of a passage


def main(profile: str | None, passages: int, questions: int) -> None:
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
    texts = _passages(passages)
    model.get_text_embedding_batch(texts[: embedding.batch_size])
    begun, used = time.perf_counter(), time.process_time()
    model.get_text_embedding_batch(texts)
    seconds, used = time.perf_counter() - begun, time.process_time() - used
    print(
        f"{len(texts)} passages of {CHARS} characters: {len(texts) / seconds:.0f}/s, {len(texts) / used:.0f} a CPU-second"
    )
    asked = [json.loads(line)["question"] for line in QUESTIONS.read_text("utf-8").splitlines()]
    _latency(model, [asked[number % len(asked)] for number in range(questions)])


def _passages(count: int) -> list[str]:
    """Real text, each passage another one."""
    files = sorted((ROOT / "data" / "docs").rglob("*.md")) + sorted((ROOT / "docs").glob("*.md"))
    text = " ".join(file.read_text("utf-8") for file in files)
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
    options = parser.parse_args()
    main(options.profile, options.passages, options.questions)
