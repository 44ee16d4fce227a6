"""A labelled set: `questions.jsonl`, and `corpus.jsonl` unless its documents are the company's own."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, PositiveInt, StringConstraints, ValidationError

from assistant import resources
from assistant.ask.language import language_of
from assistant.errors import ConfigError, DocumentError

QUESTIONS, CORPUS = "questions.jsonl", "corpus.jsonl"

# Composed form, as in the catalog: a path that was typed on macOS must name the same document.
Id = Annotated[str, StringConstraints(min_length=1), AfterValidator(lambda key: unicodedata.normalize("NFC", key))]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Line(BaseModel):
    id: Id


class _QuestionLine(Line):
    question: Text
    gold: list[Id]
    lang: str = ""
    labelled: bool = True  # false: nobody has said yet which documents answer it
    rel: dict[Id, PositiveInt] = {}


class _CorpusLine(Line):
    text: Text
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
    corpus_hash: str | None = None

    def sampled(self, count: int | None) -> Dataset:
        """With `count` of the questions: the same ones at every call, and those of a smaller sample among them."""
        if count is None or count >= len(self.questions):
            return self
        chosen = {one.id for one in sorted(self.questions, key=lambda one: _hash("sample", one.id))[:count]}
        return replace(self, questions=[one for one in self.questions if one.id in chosen])


def is_for_choosing(question: Question) -> bool:
    """Half of the questions, by a hash of the id: settings are chosen on them and reported on the others."""
    return int(_hash("half", question.id), 16) % 2 == 0


def fingerprint(question: Question) -> str:
    """Of what is asked and what is right: two results may be compared on questions where it is the same."""
    return _hash(question.text, *(f"{key}\t{gain}" for key, gain in sorted(question.gold.items())))[:12]


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def sets_in(folder: Path) -> list[Path]:
    """The folders of the sets in a folder, by name; empty when it is a set itself, or nothing of the kind."""
    found = resources.locate(folder)
    if found is None or (found / QUESTIONS).is_file():
        return []
    return sorted(path.parent for path in found.glob(f"*/{QUESTIONS}"))


def read_dataset(folder: Path) -> Dataset:
    """Raises `ConfigError` when there is no such set, `DocumentError` with file and line when a line is wrong."""
    found = resources.locate(folder)
    if found is None or not (found / QUESTIONS).is_file():
        raise ConfigError(f"{folder} is not a labelled set: give a folder that holds {QUESTIONS}")
    found = found.resolve()
    corpus, corpus_hash = None, None
    if (found / CORPUS).exists():
        lines = list(checked_lines(found / CORPUS, _CorpusLine))
        corpus = [CorpusDocument(line.id, " ".join(line.title.split()), line.text) for _, line in lines]
        corpus_hash = _hash(*(f"{one.id}\t{one.title}\t{one.text}" for one in corpus))[:12]
    known = {document.id for document in corpus} if corpus is not None else None
    questions = []
    for place, line in checked_lines(found / QUESTIONS, _QuestionLine):
        if not line.labelled:
            continue
        strange = [] if known is None else [key for key in line.gold if key not in known]
        if strange:
            raise DocumentError(f"{place}: gold '{strange[0]}' is not in {CORPUS}: correct the id or add the document")
        gold = {key: line.rel.get(key, 1) for key in line.gold}
        questions.append(Question(line.id, line.question, line.lang or language_of(line.question), gold))
    if not questions:
        raise ConfigError(
            f"{found / QUESTIONS} has no labelled question: write the documents' paths into 'gold' and remove 'labelled'"
        )
    return Dataset(found.name, found, questions, corpus, corpus_hash)


class HalfLine(Line):
    """Of a set that was made in two parts: rules and thresholds were found on one, and tried on the other."""

    part: Literal["develop", "held-out"]


LineT = TypeVar("LineT", bound=Line)
HalfT = TypeVar("HalfT", bound=HalfLine)


def lines_of_part(file: Path, model: type[HalfT], part: str, *, example: str, what: str) -> list[HalfT]:
    """The checked lines of a part, or of `all`; `what`, `example`: for messages. Raises `ConfigError`, `DocumentError`."""
    place = resources.locate(file)
    if place is None or not place.is_file():
        raise ConfigError(f"{file} is not there: give a file like {example}")
    found = [line for _, line in checked_lines(place, model) if part in ("all", line.part)]
    if not found:
        raise ConfigError(f"{file} has no {what} of the part '{part}'")
    return found


def checked_lines(file: Path, model: type[LineT]) -> Iterator[tuple[str, LineT]]:
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
