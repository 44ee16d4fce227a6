"""Reading in worker processes with limits: a file that hangs, crashes or eats memory costs only itself."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.errors import DocumentError
from assistant.ingest.pipeline import ReaderChoice
from assistant.settings import IngestLimits

if TYPE_CHECKING:
    from pebble import ProcessFuture, ProcessPool


@dataclass(frozen=True)
class ReadTask:
    """One file to be read; `key` comes back with the result."""

    key: str
    location: Path
    reader: ReaderChoice


@dataclass(frozen=True)
class Page:
    """Markdown of a page (label as printed or counted), or of a whole document without pages."""

    label: str | None
    text: str


@dataclass(frozen=True)
class ReadResult:
    key: str
    pages: list[Page]
    error: str | None = None


def read_all(tasks: Iterable[ReadTask], *, workers: int, limits: IngestLimits) -> Iterator[ReadResult]:
    """Results in the order of the tasks; a bounded number are under way, so memory stays flat."""
    queue = iter(tasks)
    first = list(islice(queue, 1))
    if not first:
        return
    pool = _pool(workers, limits)
    try:
        running: list[tuple[ReadTask, ProcessFuture]] = []
        for task in [*first, *islice(queue, 2 * workers - 1)]:
            running.append((task, _schedule(pool, task, limits)))
        while running:
            task, future = running.pop(0)
            yield _result(task, future, limits)
            running += [(later, _schedule(pool, later, limits)) for later in islice(queue, 1)]
    finally:
        pool.stop()  # not close: whoever stops taking results does not wait for the files under way
        pool.join()


def _pool(workers: int, limits: IngestLimits) -> ProcessPool:
    import multiprocessing

    from pebble import ProcessPool

    # spawn: a fork would inherit the parent's threads, locks and database connections
    return ProcessPool(
        max_workers=workers,
        max_tasks=200,
        initializer=_limit_worker,
        initargs=[limits.memory_mb],
        context=multiprocessing.get_context("spawn"),
    )


def _schedule(pool: ProcessPool, task: ReadTask, limits: IngestLimits) -> ProcessFuture:
    arguments = [str(task.location), task.reader.name, task.reader.options, limits.model_dump()]
    return pool.schedule(_read, args=arguments, timeout=limits.seconds)


def _result(task: ReadTask, future: ProcessFuture, limits: IngestLimits) -> ReadResult:
    from pebble import ProcessExpired

    try:
        pages = [Page(label, text) for label, text in future.result()]
    except FutureTimeoutError:
        return ReadResult(task.key, [], f"reading took longer than {limits.seconds:.0f} s (ingest.limits.seconds)")
    except ProcessExpired:
        return ReadResult(task.key, [], "the reader crashed on it")
    except MemoryError:
        return ReadResult(task.key, [], f"reading needs more than {limits.memory_mb} MB (ingest.limits.memory_mb)")
    except DocumentError as error:
        return ReadResult(task.key, [], str(error))
    except Exception as error:  # noqa: BLE001 - one file's failure, whatever it is, must not stop the others
        return ReadResult(task.key, [], f"the reader failed on it: {type(error).__name__}: {error}"[:500])
    return ReadResult(task.key, pages)


def _limit_worker(memory_mb: int) -> None:
    """Runs once in each worker."""
    os.environ["HF_HUB_OFFLINE"] = "1"  # no library fetches models when it fails to read a file
    os.environ["OMP_THREAD_LIMIT"] = "1"
    os.nice(5)
    try:
        import resource
    except ImportError:  # not on Windows
        return
    wanted = {
        resource.RLIMIT_AS: memory_mb << 20,
        resource.RLIMIT_FSIZE: 256 << 20,
        resource.RLIMIT_CORE: 0,
    }
    for kind, value in wanted.items():
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)  # the machine's own limit may be lower
        resource.setrlimit(kind, (value, value))


def _read(
    location: str, reader: str, options: dict[str, Any], limits_dict: dict[str, Any]
) -> list[tuple[str | None, str]]:
    """Runs in a worker. Plain strings go back: no class of a parser library crosses the border."""
    from assistant.parts.readers import READERS

    limits = IngestLimits.model_validate(limits_dict)
    file = Path(location)
    _guard_size(file, limits)
    documents = READERS.build(reader, **options).load_data(file)
    if len(documents) > limits.pages:
        raise DocumentError(f"it has more than {limits.pages} pages (ingest.limits.pages)")
    if sum(len(document.text) for document in documents) > limits.text_chars:
        raise DocumentError(f"it holds more than {limits.text_chars} characters (ingest.limits.text_chars)")
    return [(document.metadata.get("page_label"), document.text) for document in documents]


def _guard_size(file: Path, limits: IngestLimits) -> None:
    size = file.stat().st_size
    if size == 0:
        raise DocumentError("the file is empty")
    if size > limits.file_mb << 20:
        raise DocumentError(f"it is larger than {limits.file_mb} MB (ingest.limits.file_mb)")
    if file.suffix.lower() in (".docx", ".pptx", ".xlsx", ".odt") and zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > limits.unpacked_mb << 20:
            raise DocumentError(f"it unpacks to more than {limits.unpacked_mb} MB (ingest.limits.unpacked_mb)")
