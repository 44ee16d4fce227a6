"""The index that serves, for everybody who asks: made once for each generation, and followed when another one takes over."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.errors import AssistantError, IndexSwitched, ModelUnavailable, OtherModel, StorageError
from assistant.index.generations import FAILED, EmbeddingChoice, Generation, Generations

if TYPE_CHECKING:
    from llama_index.core.base.embeddings.base import BaseEmbedding

    from assistant.ask.retrieval import Retriever
    from assistant.ask.service import AskService
    from assistant.index.catalog import Catalog
    from assistant.index.consistency import Consistency
    from assistant.index.keyword import KeywordIndex
    from assistant.index.search import Search
    from assistant.index.vector_cache import VectorCache
    from assistant.index.writer import Writer
    from assistant.ingest.pipeline import Pipeline
    from assistant.ingest.service import IngestService


_LINGER_SECONDS = 60.0  # from being handed out to the begin of the question, with much to spare


@dataclass(frozen=True, kw_only=True)
class Index:
    """Everything that belongs to one generation. A question that began on it is answered by it to the end."""

    generation: Generation
    catalog: Catalog
    keyword: KeywordIndex
    search: Search
    writer: Writer
    vectors: VectorCache
    embed_model: Callable[[], BaseEmbedding]
    retriever: Retriever
    ask_service: AskService
    ingest_service: IngestService
    consistency: Consistency

    def pipeline(self, file: str | Path) -> Pipeline:
        """A pipeline (a file, or `hr` for pipelines/hr.yaml) for this generation's model. Raises `PipelineError`."""
        from assistant.ingest.pipeline import file_of, load_pipeline
        from assistant.parts.embeddings import LazyTokenizer

        identity = self.generation.embedding.identity
        return load_pipeline(file_of(file), embedding_identity=identity, tokenizer=LazyTokenizer(self.embed_model))

    def warm_up(self) -> None:
        """Load its model and its words, so that the first question does not wait. Without its model words will do.

        Raises `ConfigError` for a glossary that is wrong.
        """
        with suppress(ModelUnavailable):
            self.embed_model().get_query_embedding("готово")
        self.keyword.current()
        self.search.glossary()

    def close(self) -> None:
        self.search.close()
        self.vectors.close()


class Serving:
    """Hands out the index of the generation that serves; asks the database at every call, so a switch needs no restart."""

    def __init__(
        self, generations: Generations, configured: EmbeddingChoice, make: Callable[[Generation], Index]
    ) -> None:
        self.generations = generations
        self.configured = configured
        self.make = make
        self._making = threading.Lock()
        self._held: Index | None = None
        self._counting = threading.Lock()  # over what follows
        self._asking = Counter[int]()  # questions that run, by their index's id()
        self._replaced: list[Index] = []
        self._ripe: set[int] = set()  # replaced long enough ago that nobody begins a question on it any more
        self._was_in_step = False

    def __call__(self) -> Index:
        """The new one's model is loaded before the old one is let go; meanwhile the others who ask are given the old one."""
        wanted = self.generation()
        held = self._held
        if held is not None and held.generation.is_same_index(wanted):
            return held
        must_wait = held is None or not self._is_there(held.generation)
        if not self._making.acquire(blocking=must_wait):
            assert held is not None
            return held
        try:
            if self._held is None or not self._held.generation.is_same_index(wanted):
                with suppress(StorageError):  # a database that may only be read
                    self.generations.adopt(self.configured)
                index = self.make(wanted)
                if self._held is not None:
                    with suppress(AssistantError):  # whoever asks is told
                        index.warm_up()
                before, self._held = self._held, index
                if before is not None:
                    self._retire(before)
            return self._held
        finally:
            self._making.release()

    @contextmanager
    def asking(self, index: Index) -> Iterator[None]:
        """While a question runs on an index, it is not closed, though another one has taken over."""
        with self._counting:
            self._asking[id(index)] += 1
        try:
            yield
        finally:
            with self._counting:
                self._asking[id(index)] -= 1
            self._close_unused()

    def begin_writing(self) -> None:
        """For an ingest that has the lock: what makes the vectors is noted with the first of them. Raises `OtherModel`."""
        self.check_model()
        found = self.generation()
        if self.generations.serving().embedding.identity != found.embedding.identity:
            self.generations.note_embedding(found.number, found.embedding)

    def generation(self) -> Generation:
        """The one that serves, with the model to use for it."""
        found = self.generations.serving()
        self._was_in_step |= found.embedding.identity == self.configured.identity
        return self.generations.with_embedding(found, self.configured)

    def check_model(self) -> None:
        """Raises `OtherModel` when the settings name another model than the one that serves was made with.

        Not in a process whose settings were right until a switch: it follows the switch.
        """
        made = self.generation().embedding
        if made.identity == self.configured.identity or self._was_in_step:
            return
        same = " (its files or text_instruction were others than now)" if made.name == self.configured.name else ""
        raise OtherModel(
            f"the store was made with the embedding model {made.name}{same}: run `assistant reindex` to move to "
            f"{self.configured.name}, or set embedding.model back"
        )

    def check_serves(self, generation: Generation) -> None:
        """For who has the lock of ingests now. Raises `IndexSwitched` when there was a switch before."""
        if not generation.is_same_index(self.generation()):
            raise IndexSwitched("another generation of the index serves by now: run the same command again")

    def close(self) -> None:
        with self._counting:
            left, self._replaced = self._replaced, []
        for index in (*left, *filter(None, [self._held])):
            index.close()

    def _retire(self, index: Index) -> None:
        """Its threads, sockets and files go when the last question that began on it has ended, and its model with them."""

        def ripen() -> None:
            with self._counting:
                self._ripe.add(id(index))
            self._close_unused()

        with self._counting:
            self._replaced.append(index)
        timer = threading.Timer(_LINGER_SECONDS, ripen)
        timer.daemon = True
        timer.start()

    def _close_unused(self) -> None:
        with self._counting:
            unused = [one for one in self._replaced if id(one) in self._ripe and not self._asking[id(one)]]
            self._replaced = [one for one in self._replaced if not any(one is index for index in unused)]
            for index in unused:
                self._ripe.discard(id(index))
                del self._asking[id(index)]
        for index in unused:
            index.close()

    def _is_there(self, generation: Generation) -> bool:
        found = (one.state for one in self.generations.all() if one.number == generation.number)
        return next(found, FAILED) != FAILED
