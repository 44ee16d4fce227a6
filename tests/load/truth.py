"""How much of documents with known text is found: `python -m tests.load.truth [--json] [--pages N] [--workers N]`.

Everything goes through the reading workers, as in an ingest. Documents are made anew in a temporary folder.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from assistant.ingest.pipeline import ReaderChoice
from assistant.ingest.reading import ReadTask, read_all
from assistant.settings import Ingest
from tests.truth.documents import Truth, digital_set, scanned_set
from tests.truth.measure import Score, score


def scores(truths: list[Truth], settings: Ingest) -> dict[str, Score]:
    """By kind. Raises `AssertionError` if a document could not be read."""
    by_key = {str(truth.file): truth for truth in truths}
    tasks = [ReadTask(key, truth.file, ReaderChoice(_reader(truth.file), {})) for key, truth in by_key.items()]
    found = {truth.kind: Score() for truth in truths}
    for result in read_all(tasks, settings=settings):
        assert result.error is None, f"{result.key}: {result.error}"
        found[by_key[result.key].kind].add(score(by_key[result.key], result.pages))
    return found


def timed(truths: list[Truth], settings: Ingest) -> dict[str, tuple[Score, float]]:
    """Score and seconds a page by kind; the second that a worker takes to start is counted in."""
    found = {}
    for kind in dict.fromkeys(truth.kind for truth in truths):
        start = time.perf_counter()
        total = scores([truth for truth in truths if truth.kind == kind], settings)[kind]
        found[kind] = (total, (time.perf_counter() - start) / total.pages)
    return found


def _reader(file: Path) -> str:
    return "pdf" if file.suffix == ".pdf" else "image"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--pages", type=int, default=2, help="pages of each scan; digital documents have five times more"
    )
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--kinds", nargs="*", default=[], help="scans to be made, all by default")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        truths = digital_set(Path(folder), 5 * arguments.pages)
        truths += scanned_set(Path(folder), arguments.pages, tuple(arguments.kinds))
        found = timed(truths, Ingest(workers=arguments.workers))
    rows = {kind: {**total.row(), "seconds_a_page": round(seconds, 3)} for kind, (total, seconds) in found.items()}
    if arguments.json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    print(f"{'':16}" + "".join(f"{name:>15}" for name in next(iter(rows.values()))))
    for kind, row in rows.items():
        print(f"{kind:16}" + "".join(f"{'' if value is None else value:>15}" for value in row.values()))


if __name__ == "__main__":
    main()
