"""From 👎, or a question without an answer, to a labelled question: lines of a `questions.jsonl` for `assistant eval`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock

from assistant.errors import DocumentError, StorageError
from assistant.records.tables import FeedbackRow, MessageRow
from assistant.records.texts import folded


def add_to_golden(
    file: Path,
    message: MessageRow,
    gold: Sequence[str] | None,
    feedback: FeedbackRow | None = None,
    *,
    note: Callable[[], None],
) -> bool:
    """Append the question; False when the file has it already. Raises `StorageError`, `DocumentError`.

    `gold` are paths of the documents that answer it; none of them: no document does. None: nobody has looked yet, and the
    evaluation leaves the line out until somebody has written them in. `note` is called before a line is written.
    """
    line = _line(message, gold, feedback)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_name(f".{file.name}.lock")):
            known = list(_known(file))
            question = folded(message.question)
            if any(one.get("id") == line["id"] or folded(str(one.get("question"))) == question for one in known):
                return False
            note()
            ends_open = known and not file.read_bytes().endswith(b"\n")
            with file.open("a", encoding="utf-8") as out:
                out.write(("\n" if ends_open else "") + json.dumps(line, ensure_ascii=False) + "\n")
    except OSError as error:
        raise StorageError(f"{file} can't be written: {error.strerror or error}") from error
    return True


def _line(message: MessageRow, gold: Sequence[str] | None, feedback: FeedbackRow | None) -> dict[str, Any]:
    note = "; ".join(part for part in (feedback.reason, feedback.comment) if part) if feedback else ""
    line: dict[str, Any] = {
        "id": f"feedback-{message.id}",
        "question": message.question,
        "lang": message.language,
        "gold": list(gold or ()),
    }
    return line | ({"labelled": False} if gold is None else {}) | ({"note": note} if note else {})


def _known(file: Path) -> Iterator[dict[str, Any]]:
    if not file.exists():
        return
    for number, text in enumerate(file.read_text("utf-8-sig").split("\n"), start=1):
        if not text.strip():
            continue
        try:
            line = json.loads(text)
        except ValueError as error:
            raise DocumentError(f"{file}:{number} is not valid JSON: correct it first") from error
        if isinstance(line, dict):
            yield line
