"""A canary document in every access class, loaded as any document is, and removed again, also after a killed run."""

from __future__ import annotations

import re
import secrets
import shutil
import string
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from assistant.access.principal import AccessClass
from assistant.assistant import Assistant
from assistant.errors import StorageError
from assistant.parts.sign_in import LOCAL

NAME = "access-verify"  # of the pipeline, the accounts and the folder: by it a later run finds what a killed one left
NOBODY, FRESH = AccessClass(NAME, 1), AccessClass(NAME, 2)  # no account of the company has this department
_LETTERS = 14
_ACCOUNT = re.compile(rf"{NAME}-\d+-[0-9a-f]{{8}}")  # one of a company may begin with the same words


@dataclass(frozen=True)
class Canary:
    """A document of one class. Its `key` is asked for; the other words are in no question, so who sees one was told it."""

    access_class: AccessClass
    document: str
    chunk: str
    key: str
    marks: tuple[str, ...]  # in its text, its title, its file name

    def is_in(self, text: str) -> bool:
        return any(mark in text for mark in self.marks)

    @property
    def name(self) -> str:
        return f"{self.access_class.department} / {self.access_class.level}"


def plant(assistant: Assistant) -> list[Canary]:
    """In each class that the catalog has, in one that nobody has, and in one that was not there before the first run.

    Raises `StorageError` when one could not be loaded: what is not there is not found, which would prove nothing.
    """
    classes = sorted({*assistant.catalog.classes().values(), NOBODY, FRESH})
    folder = _folder(assistant)
    folder.mkdir(parents=True)
    words = {access_class: tuple(_word() for _ in range(4)) for access_class in classes}
    for key, in_text, in_title, in_name in words.values():
        text = f"# {in_title}\n\n{key} {in_text}.\n"
        (folder / f"{in_name}.md").write_text(text, encoding="utf-8")
    recipe = folder.with_suffix(".yaml")
    recipe.write_text(yaml.safe_dump(_recipe(folder, words), allow_unicode=True), encoding="utf-8")
    report = assistant.ingest(recipe)
    if report.failed or report.added != len(classes):
        reasons = "; ".join(f"{failure.path}: {failure.error}" for failure in report.failed[:3])
        raise StorageError(f"{report.added} of {len(classes)} canary documents were loaded: {reasons}")
    catalog = assistant.catalog
    rows = {row.path: row.id for row in catalog.documents(pipeline=NAME)}
    found = []
    for access_class, (key, *marks) in words.items():
        document = rows[f"{marks[2]}.md"]
        found.append(Canary(access_class, document, catalog.passages_of(document)[0].chunk, key, tuple(marks)))
    return found


def account_name(number: int) -> str:
    """By which `clear` knows it again."""
    return f"{NAME}-{number}-{secrets.token_hex(4)}"


def clear(assistant: Assistant) -> None:
    """Accounts with all that is theirs, documents, files: of this run, or of one that was killed."""
    for row in assistant.users.rows():
        if row.source == LOCAL and _ACCOUNT.fullmatch(row.name):
            assistant.users.remove(row.name)
    if documents := [row.id for row in assistant.catalog.documents(pipeline=NAME)]:
        assistant.ingest_service.remove(documents)
    folder = _folder(assistant)
    shutil.rmtree(folder, ignore_errors=True)
    folder.with_suffix(".yaml").unlink(missing_ok=True)


def _folder(assistant: Assistant) -> Path:
    return assistant.settings.storage.path.expanduser().resolve() / "run" / NAME


def _word() -> str:
    """Of letters alone: no format writes them otherwise, and no search cuts them."""
    return "zq" + "".join(secrets.choice(string.ascii_lowercase) for _ in range(_LETTERS))


def _recipe(folder: Path, words: dict[AccessClass, tuple[str, ...]]) -> dict[str, Any]:
    rules = [
        {"match": f"/{in_name}.md", "department": access_class.department, "level": access_class.level}
        for access_class, (*_, in_name) in words.items()
    ]
    return {
        "name": NAME,
        "source": {"directory": str(folder)},
        "readers": {".md": "markdown"},
        "transformations": [{"SentenceSplitter": {"chunk_size": 200, "chunk_overlap": 0}}],
        "access": rules,
    }
