"""What changes in the store of `tests.load.rights` while people ask, and what a run reports."""

from __future__ import annotations

import random
import threading
from collections import Counter
from dataclasses import dataclass, field

from assistant.access.principal import AccessClass
from assistant.assistant import Assistant
from assistant.index.writer import Version, Writer
from assistant.records.tables import DocumentRow
from tests.load.made_store import version_of, writer_of
from tests.load.rights_oracle import Truth
from tests.load.rights_people import WORDS, World, text


@dataclass
class Report:
    seed: int
    questions: Counter[str] = field(default_factory=Counter)  # by way: a method, or http
    passages: int = 0
    empty: int = 0
    behind: int = 0  # asked while the word index was behind the catalog
    changes: Counter[str] = field(default_factory=Counter)
    again: int = 0  # requests that were sent once more: the connection broke
    reranked: int = 0
    forbidden: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        ways = ", ".join(f"{way} {count}" for way, count in sorted(self.questions.items()))
        changes = ", ".join(f"{kind} {count}" for kind, count in sorted(self.changes.items()))
        return (
            f"seed {self.seed}: {self.questions.total()} questions ({ways}), {self.passages} passages, {self.empty} without "
            f"any; meanwhile {changes}; {self.behind} asked while the word index was behind, {self.reranked} "
            f"reranked, {self.again} requests sent again\n"
            f"forbidden passages: {len(self.forbidden)}"
        )


def put(
    assistant: Assistant,
    writer: Writer,
    row: DocumentRow,
    number: int,
    edition: int,
    access_class: tuple[str, int],
    content: str,
) -> None:
    from llama_index.core.schema import TextNode

    class_id = assistant.catalog.class_id(AccessClass(*access_class))
    version: Version = version_of(row, number, class_id, edition, [content, f"{content} {WORDS[number % len(WORDS)]}"])
    vectors = assistant.embed_model().get_text_embedding_batch([chunk["text"] for chunk in version.chunks])
    writer.begin([version])
    nodes = [
        TextNode(id_=chunk["id"], text="", embedding=vector)
        for chunk, vector in zip(version.chunks, vectors, strict=True)
    ]
    writer.add(class_id, list(nodes))
    writer.commit([version])


class Mover(threading.Thread):
    """Changes documents until it is told to stop."""

    def __init__(
        self,
        assistant: Assistant,
        truth: Truth,
        people: World,
        chance: random.Random,
        report: Report,
        stop: threading.Event,
        pause: float,
    ) -> None:
        super().__init__(daemon=True)
        self._wanted, self._pause = people.classes + people.later, pause
        self._assistant, self._truth, self._chance = assistant, truth, chance
        self._report, self._stop_asked, self._writer = report, stop, writer_of(assistant)
        self._editions = iter(range(1, 1_000_000))
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            while not self._stop_asked.wait(self._pause):
                self._change()
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits for the thread
            self.error = error

    def _change(self) -> None:
        roll, held = self._chance.random(), self._truth.now()
        number = self._chance.randrange(len(self._truth._spans))
        path, wanted = f"{number}.md", self._chance.choice(self._wanted)
        if path not in held:
            self._replace(number, path, wanted, DocumentRow(id=f"d{number}"), "put back")
        elif roll < 0.7:
            self._move(path, wanted, settle=roll < 0.2)
        elif roll < 0.85:
            self._replace(number, path, wanted, self._assistant.catalog.document(f"d{number}"), "replaced")
        elif roll < 0.95:
            with self._truth.changing(path, None):
                self._writer.remove([f"d{number}"])
            self._report.changes["taken out"] += 1
        else:
            self._assistant.keyword.refresh()
            self._report.changes["word index"] += 1

    def _move(self, path: str, wanted: tuple[str, int], *, settle: bool) -> None:
        catalog = self._assistant.catalog
        row = catalog.document(f"d{path.removesuffix('.md')}")
        with self._truth.changing(path, wanted):
            catalog.change_class([(row, catalog.class_id(AccessClass(*wanted)))])
        self._report.changes["moved"] += 1
        if settle:
            self._writer.settle(row)

    def _replace(self, number: int, path: str, wanted: tuple[str, int], row: DocumentRow, kind: str) -> None:
        with self._truth.changing(path, wanted):
            put(self._assistant, self._writer, row, number, next(self._editions), wanted, text(self._chance))
        self._report.changes[kind] += 1
