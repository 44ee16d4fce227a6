"""What is read of real files: `python -m tests.load.files FOLDER`. Prints figures, asserts nothing.

FOLDER holds `manifest.jsonl`, one line a file: `file`, `kind`, `lang`, `tags`, and where they are known `expected` (a
file with its text) and `open_password`. Every file goes through the worker processes of an ingest.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from assistant.ingest.pipeline import load_pipeline
from assistant.ingest.reading import ReadResult, ReadTask, read_all
from assistant.settings import Ingest

_WORD = re.compile(r"[^\W_]{2,}")
_CYRILLIC = re.compile(r"[А-Яа-яЁё]{3,}")
_HUNG = ("took longer than", "crashed")
_TEXT_PARTS = re.compile(r"(content|word/document|xl/sharedStrings|xl/worksheets/\w+|ppt/slides/\w+)\.xml")


@dataclass(frozen=True)
class Outcome:
    file: dict[str, Any]
    location: Path
    result: ReadResult

    @property
    def text(self) -> str:
        return "\n".join(page.text for page in self.result.pages)

    @property
    def read(self) -> bool:
        return self.result.error is None

    @property
    def counts(self) -> bool:
        """Whether somebody could read it. Left out are files that are locked with a password that nobody tells, are
        tagged as broken or empty, are pictures, or hold no word as far as anything but the readers can tell.
        """
        if self.read:
            return True
        reason, tags = self.result.error or "", set(self.file["tags"])
        if "needs a password" in reason:
            return self.file.get("open_password") is not None
        if tags & {"corrupt", "empty"}:
            return False
        return "no text was found" not in reason or self._has_words()

    def _has_words(self) -> bool:
        if self.file["kind"] == "pdf":
            return (self.file.get("text_layer_chars") or 0) > 1
        if not self.location.read_bytes().startswith(b"PK"):
            return "image" not in self.file["tags"]
        with zipfile.ZipFile(self.location) as archive:
            parts = [archive.read(name).decode() for name in archive.namelist() if _TEXT_PARTS.fullmatch(name)]
        return bool(_WORD.search(re.sub(r"<[^>]*>", " ", " ".join(parts))))


def main(folder: Path, workers: int, *, as_json: bool) -> None:
    files = [json.loads(line) for line in (folder / "manifest.jsonl").read_text("utf-8").splitlines()]
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as cache:
        outcomes = list(_outcomes(folder, files, workers, Path(cache)))
    seconds = time.perf_counter() - begun
    figures = {
        "files": len(outcomes),
        "seconds": round(seconds, 1),
        **_share(outcomes),
        "hangs_or_crashes": [o.file["file"] for o in outcomes if any(word in (o.result.error or "") for word in _HUNG)],
        "by_format": _by_format(folder, outcomes),
        "scans": _scans(outcomes),
        "failed": [
            {"file": o.file["file"], "reason": o.result.error, "readable": o.counts} for o in outcomes if not o.read
        ],
        "warnings": [{"file": o.file["file"], "warning": o.result.warning} for o in outcomes if o.result.warning],
    }
    print(json.dumps(figures, ensure_ascii=False, indent=1) if as_json else _page(figures))


def _outcomes(folder: Path, files: list[dict[str, Any]], workers: int, cache: Path) -> Iterable[Outcome]:
    readers = load_pipeline("pipelines/default.yaml", embedding_identity="none").readers
    passwords = {file["open_password"] for file in files if file.get("open_password")}
    settings = Ingest(workers=workers, passwords=[SecretStr(password) for password in sorted(passwords)])
    by_name = {file["file"]: file for file in files}
    tasks = []
    for name in by_name:
        if choice := readers.get(Path(name).suffix.lower()):
            tasks.append(ReadTask(name, folder / name, choice))
        else:
            yield Outcome(by_name[name], folder / name, ReadResult(name, [], error="no reader for this kind of file"))

    def tick(name: str, seconds: float) -> None:
        if seconds > 5 and sys.stderr.isatty():
            print(f"\r{seconds:5.0f} s {name[:100]:100}", end="", file=sys.stderr)

    for result in read_all(tasks, settings=settings, cache=cache, tick=tick):
        yield Outcome(by_name[result.key], folder / result.key, result)


def _share(outcomes: list[Outcome]) -> dict[str, Any]:
    readable = [outcome for outcome in outcomes if outcome.counts]
    read = sum(outcome.read for outcome in readable)
    return {"readable": len(readable), "read": read, "share_of_readable": round(read / len(readable), 4)}


def _by_format(folder: Path, outcomes: list[Outcome]) -> list[dict[str, Any]]:
    rows = []
    for kind in sorted({outcome.file["kind"] for outcome in outcomes}):
        mine = [outcome for outcome in outcomes if outcome.file["kind"] == kind]
        recalls = [
            _recall((folder / outcome.file["expected"]).read_text("utf-8", "replace"), outcome.text)
            for outcome in mine
            if outcome.file.get("expected") and outcome.read
        ]
        rows.append(
            {
                "format": kind,
                "files": len(mine),
                "read": sum(outcome.read for outcome in mine),
                "refused": sum(not outcome.read for outcome in mine),
                "with_expected": len(recalls),
                "recall": round(sum(recalls) / len(recalls), 4) if recalls else None,
                "lowest": round(min(recalls), 4) if recalls else None,
            }
        )
    return rows


def _recall(expected: str, found: str) -> float:
    """The share of the expected words, as often as they stand there, that were found."""
    wanted, got = Counter(_words(expected)), Counter(_words(found))
    return (wanted & got).total() / wanted.total() if wanted else 1.0


def _words(text: str) -> list[str]:
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)  # a link's address is no word of the document
    text = re.sub(r"<!--.*?-->|<[^>\n]{1,200}>", " ", text).replace("\\_", "_")
    return [word.lower().replace("ё", "е") for word in _WORD.findall(text)]


def _scans(outcomes: list[Outcome]) -> dict[str, Any]:
    """Russian words of scans that a dictionary has. A repaired word was none before it: it had Latin letters."""
    import pymorphy3

    known_word = pymorphy3.MorphAnalyzer().word_is_known
    known = words = repaired = pages = 0
    for outcome in outcomes:
        if outcome.file["lang"] != "ru" or not outcome.read:
            continue
        for page in outcome.result.pages:
            if page.confidence is None:
                continue
            found = _CYRILLIC.findall(page.text)
            pages += 1
            words += len(found)
            known += sum(known_word(word.lower()) for word in found)
            repaired += page.repaired
    share = (
        {"after_repair": round(known / words, 4), "before_repair": round((known - repaired) / words, 4)}
        if words
        else {}
    )
    return {"pages_by_ocr": pages, "cyrillic_words": words, "repaired_words": repaired, **share}


def _page(figures: dict[str, Any]) -> str:
    lines = [f"{figures['files']} files in {figures['seconds']} s"]
    lines.append(f"{'format':8}{'files':>6}{'read':>6}{'refused':>9}{'expected':>10}{'recall':>9}{'lowest':>9}")
    for row in figures["by_format"]:
        recall, lowest = (
            f"{value:9.4f}" if value is not None else f"{'-':>9}" for value in (row["recall"], row["lowest"])
        )
        lines.append(
            f"{row['format']:8}{row['files']:6}{row['read']:6}{row['refused']:9}{row['with_expected']:10}{recall}{lowest}"
        )
    lines.append(
        f"read {figures['read']} of {figures['readable']} readable files: {figures['share_of_readable']:.4f}; "
        f"hangs and crashes: {len(figures['hangs_or_crashes'])} {' '.join(figures['hangs_or_crashes'])}"
    )
    lines.append("Russian scans: " + ", ".join(f"{key} {value}" for key, value in figures["scans"].items()))
    lines.append("not read ('-': locked, broken, without words or a picture without text, so not counted as readable):")
    for failure in sorted(figures["failed"], key=lambda failure: not failure["readable"]):
        lines.append(f"  {' ' if failure['readable'] else '-'} {failure['file']}: {failure['reason']}")
    lines += [f"  ! {warning['file']}: {warning['warning']}" for warning in figures["warnings"]]
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    main(options.folder, options.workers, as_json=options.json)
