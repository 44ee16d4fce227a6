"""How much of the passages is found on their pages: `python -m tests.load.boxes FOLDER`. Prints figures, asserts nothing.

Every PDF below FOLDER is read and cut as the default pipeline does, without recognition of scans; then each passage is
looked for on its page in the processes that draw pages. Passages of garbled or scanned pages, which have no text to find,
are counted apart.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.errors import AssistantError, DocumentError
from assistant.ingest.drawing import Drawing
from assistant.ingest.pipeline import ReaderChoice, load_pipeline
from assistant.ingest.reading import ReadTask, read_all
from assistant.ingest.splitting import split
from assistant.settings import Ingest, Ocr

_ENOUGH = 0.9  # share of a passage's words with a box, for it to be found


@dataclass(frozen=True)
class Found:
    """One passage on its page."""

    file: str
    page: int
    words: int
    share: float
    has_text: bool
    seconds: float


def main(folder: Path, pipeline: Path, workers: int, *, as_json: bool) -> None:
    settings = Ingest(workers=workers, ocr=Ocr(enabled=False))
    drawing = Drawing(settings)
    refused: dict[str, str] = {}
    try:
        found = list(_passages(folder, pipeline, settings, drawing, refused))
    finally:
        drawing.close()
    figures = _figures(found, refused)
    print(json.dumps(figures, ensure_ascii=False, indent=2) if as_json else _page(figures))


def _passages(
    folder: Path, pipeline: Path, settings: Ingest, drawing: Drawing, refused: dict[str, str]
) -> Iterator[Found]:
    recipe = load_pipeline(pipeline, embedding_identity="")
    files = sorted(folder.rglob("*.pdf"))
    for result in read_all([ReadTask(str(file), file, ReaderChoice("pdf", {})) for file in files], settings=settings):
        if result.error:
            refused[result.key] = result.error
            continue
        sha256 = hashlib.sha256(Path(result.key).read_bytes()).hexdigest()
        try:
            _, nodes = split(recipe, "document", Path(result.key).stem, result.pages)
        except DocumentError as error:
            refused[result.key] = str(error)
            continue
        for node in nodes:
            page, begun = int(node.metadata["page_label"]), time.perf_counter()
            try:
                view = drawing.look(result.key, sha256, page, page, node.text)
            except AssistantError as error:
                refused[result.key] = str(error)
                break
            seconds = time.perf_counter() - begun
            if not re.search(r"\w", re.sub(r"!?\[[^\]]*\]\([^)]*\)", "", node.text)):
                continue  # the place of a picture
            yield Found(result.key, page, len(node.text.split()), view.share, view.has_text, seconds)


def _figures(found: list[Found], refused: dict[str, str]) -> dict[str, Any]:
    with_text = [one for one in found if one.has_text]
    by_file: defaultdict[str, list[Found]] = defaultdict(list)
    for one in with_text:
        by_file[one.file].append(one)
    worst = sorted(by_file.items(), key=lambda pair: sum(one.share >= _ENOUGH for one in pair[1]) / len(pair[1]))
    words = sum(one.words for one in with_text)
    times = sorted(one.seconds for one in found)
    return {
        "files": len({one.file for one in found}),
        "passages": len(found),
        "without_text_on_the_page": len(found) - len(with_text),
        "found": sum(one.share >= _ENOUGH for one in with_text),
        "share_found": round(sum(one.share >= _ENOUGH for one in with_text) / max(1, len(with_text)), 4),
        "share_of_words": round(sum(one.share * one.words for one in with_text) / max(1, words), 4),
        "nothing_found": sum(one.share == 0 for one in with_text),
        "ms_median": round(1000 * times[len(times) // 2], 1) if times else None,
        "ms_p95": round(1000 * times[int(0.95 * len(times))], 1) if times else None,
        "worst": [
            {
                "file": file,
                "passages": len(ones),
                "found": sum(one.share >= _ENOUGH for one in ones),
                "lowest": round(min(one.share for one in ones), 3),
                "lowest_page": min(ones, key=lambda one: one.share).page,
            }
            for file, ones in worst[:12]
        ],
        "refused": refused,
    }


def _page(figures: dict[str, Any]) -> str:
    lines = [
        f"{figures['passages']} passages of {figures['files']} PDFs; on pages without a text layer: "
        f"{figures['without_text_on_the_page']}",
        f"of the others found (90 % of the words boxed): {figures['found']}, {figures['share_found']:.4f}; "
        f"words boxed: {figures['share_of_words']:.4f}; nothing found: {figures['nothing_found']}",
        f"one search: median {figures['ms_median']} ms, p95 {figures['ms_p95']} ms",
        "the files with most passages not found:",
    ]
    lines += [
        f"  {one['found']:4} of {one['passages']:4}, lowest {one['lowest']} on page {one['lowest_page']}: "
        f"{Path(one['file']).name}"
        for one in figures["worst"]
    ]
    lines.append(f"not read: {len(figures['refused'])}")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pipeline", type=Path, default=Path("pipelines/default.yaml"))
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    main(options.folder, options.pipeline, options.workers, as_json=options.json)
