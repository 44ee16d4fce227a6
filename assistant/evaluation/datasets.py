"""A labelled set: `questions.jsonl`, and `corpus.jsonl` unless its documents are the company's own."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, PositiveInt, StringConstraints, ValidationError

from assistant import resources
from assistant.ask.language import language_of
from assistant.errors import ConfigError, DocumentError

QUESTIONS, CORPUS = "questions.jsonl", "corpus.jsonl"

# Composed form, as in the catalog: a path that was typed on macOS must name the same document.
_Id = Annotated[str, StringConstraints(min_length=1), AfterValidator(lambda key: unicodedata.normalize("NFC", key))]
_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class _Line(BaseModel):
    id: _Id


class _QuestionLine(_Line):
    question: _Text
    gold: list[_Id]
    lang: str = ""
    rel: dict[_Id, PositiveInt] = {}


class _CorpusLine(_Line):
    text: _Text
    title: str = ""


@dataclass(frozen=True)
class Question:
    """`gold`: document → how relevant it is; empty when no document answers the question."""

    id: str
    text: str
    language: str
    gold: dict[str, int]


@dataclass(frozen=True)
class CorpusDocument:
    id: str
    title: str
    text: str


@dataclass(frozen=True)
class Dataset:
    """A checked labelled set; `corpus` is None when the gold documents are the company's own, by path."""

    name: str
    folder: Path
    questions: list[Question]
    corpus: list[CorpusDocument] | None


def read_dataset(folder: Path) -> Dataset:
    """Raises `ConfigError` when there is no such set, `DocumentError` with file and line when a line is wrong."""
    found = resources.locate(folder)
    if found is None or not (found / QUESTIONS).is_file():
        raise ConfigError(f"{folder} is not a labelled set: give a folder that holds {QUESTIONS}")
    found = found.resolve()
    corpus = None
    if (found / CORPUS).exists():
        lines = list(_lines(found / CORPUS, _CorpusLine))
        corpus = [CorpusDocument(line.id, " ".join(line.title.split()), line.text) for _, line in lines]
    known = {document.id for document in corpus} if corpus is not None else None
    questions = []
    for place, line in _lines(found / QUESTIONS, _QuestionLine):
        strange = [] if known is None else [key for key in line.gold if key not in known]
        if strange:
            raise DocumentError(f"{place}: gold '{strange[0]}' is not in {CORPUS}: correct the id or add the document")
        gold = {key: line.rel.get(key, 1) for key in line.gold}
        questions.append(Question(line.id, line.question, line.lang or language_of(line.question), gold))
    return Dataset(found.name, found, questions, corpus)


LineT = TypeVar("LineT", bound=_Line)


def _lines(file: Path, model: type[LineT]) -> Iterator[tuple[str, LineT]]:
    """(file:line, what it says), each line checked; blank lines are left out."""
    seen: dict[str, int] = {}
    try:
        lines = file.read_text("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise DocumentError(f"{file} is not UTF-8 ({error.reason}): save it as UTF-8") from error
    except OSError as error:
        raise DocumentError(f"{file} can't be read: {error.strerror or error}") from error
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        place = f"{file}:{number}"
        try:
            line = model.model_validate_json(text)
        except ValidationError as error:
            raise DocumentError(f"{place}: {_explain(error)}") from error
        if line.id in seen:
            raise DocumentError(f"{place}: the id '{line.id}' is used in line {seen[line.id]} already: ids are unique")
        seen[line.id] = number
        yield place, line
    if not seen:
        raise DocumentError(f"{file} is empty: write one JSON object a line")


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return f"not valid JSON ({first['msg'].partition(': ')[2]}): write one object a line"
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return f"'{key}' is missing: add it"
    return f"'{key}': {first['msg']}" if key else "a line is an object {…} with keys"
