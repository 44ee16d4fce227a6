"""Keeps an index in step with its sources: told by the system of changes in folders, and by comparing all of it at times.

Only the second finds changes on servers and on network shares, of which the system tells nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence, Set
from pathlib import Path
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING, NoReturn

from assistant.errors import AssistantError, ConfigError, PipelineError
from assistant.ingest.pipeline import Pipeline, file_of, load_pipeline
from assistant.ingest.sources import folder_of
from assistant.ingest.sources.item import composed, hidden
from assistant.ingest.sources.sidecars import is_metadata_file
from assistant.settings import Watch

if TYPE_CHECKING:
    from assistant.ingest.report import IngestReport

_LISTEN_SECONDS = 1.0  # at most, so that a signal is heeded soon
_BUSY_SECONDS = 10.0  # until another ingest is looked at again
_PATIENCE = 10  # times the debouncing: a folder that is never quiet is loaded nevertheless

Place = tuple[str, int, int]  # a folder with its device and inode: a share that is mounted is another folder


class _Busy(AssistantError):
    """Another ingest is running."""


def keep_in_step(
    pipelines: Sequence[str | Path],
    *,
    run: Callable[..., IngestReport],
    settings: Watch,
    stop: Event,
    say: Callable[[str], None],
) -> None:
    """Run each pipeline now, after changes in its folder, and at every sweep, until `stop` is set.

    `run` is `Assistant.ingest`. A run that fails is said, and tried again by the next sweep. Raises `PipelineError` and
    `ConfigError` for pipelines that are wrong at the start.
    """
    if not pipelines:
        raise ConfigError("there is nothing to watch: name a pipeline, or set ingest.pipelines")
    watcher = _Watcher([file_of(pipeline) for pipeline in pipelines], run, settings, stop, say)
    try:
        watcher.loop()
    except KeyboardInterrupt:  # ours: `stop` was set while a run was under way
        if not stop.is_set():
            raise


class _Watcher:
    def __init__(
        self,
        pipelines: Sequence[str],
        run: Callable[..., IngestReport],
        settings: Watch,
        stop: Event,
        say: Callable[[str], None],
    ) -> None:
        self._pipelines = {file: load_pipeline(file, embedding_identity="") for file in pipelines}
        self._ingest = run
        self._settings = settings
        self._stop = stop
        self._say = say
        self._next_sweep = dict.fromkeys(pipelines, 0.0)
        self._changed: dict[str, tuple[float, float]] = {}  # when the first and the last change was seen
        self._failed: dict[str, set[str]] = {}
        self._places: dict[str, Place | None] = {}
        self._changes: Iterator[Set[tuple[int, str]]] = iter(())
        self._is_strict = True

    def loop(self) -> None:
        while not self._stop.is_set():
            now = monotonic()
            for file in self._listen():
                first, _ = self._changed.get(file, (now, now))
                self._changed[file] = (first, monotonic())
            for file in self._pipelines:
                if self._is_due(file) and not self._stop.is_set():
                    self._run(file)

    def _is_due(self, file: str) -> bool:
        now = monotonic()
        if now >= self._next_sweep[file]:
            return True
        first, last = self._changed.get(file, (now, now))
        quiet = self._settings.debounce_seconds
        return file in self._changed and (now - last >= quiet or now - first >= quiet * _PATIENCE)

    # --- what the system tells

    def _listen(self) -> set[str]:
        """The pipelines whose folders changed within the next second."""
        self._follow()
        try:
            found = next(self._changes, None)
        except OSError as error:
            self._listen_to_less(error)
            return set()
        if found is None:
            self._stop.wait(_LISTEN_SECONDS)
        if any(path == place[0] for _, path in found or () for place in self._places.values() if place):
            self._places = {}  # the folder itself was removed: one that is there again may even have its inode
        return {file for _, path in found or () for file in self._pipelines if self._concerns(file, path)}

    def _follow(self) -> None:
        """Listen to the folders that are there now; one that came back is compared as a whole."""
        places = {file: _place(pipeline) for file, pipeline in self._pipelines.items()}
        if places == self._places:
            return
        for file, place in places.items():
            if place != self._places.get(file):
                self._next_sweep[file] = 0.0
        self._places = places
        self._is_strict = True
        self._changes = _changes(self._folders(), self._stop, is_strict=True)

    def _listen_to_less(self, error: OSError) -> None:
        """After too many folders for the system's limit, or one that this account may not read: to the others."""
        if not (self._is_strict and isinstance(error, PermissionError)):
            self._say(f"some changes are found by the sweep only: {error} (fs.inotify.max_user_watches may be too low)")
        self._changes = _changes(self._folders(), self._stop, is_strict=False) if self._is_strict else iter(())
        self._is_strict = False

    def _folders(self) -> list[str]:
        return sorted({place[0] for place in self._places.values() if place})

    def _concerns(self, file: str, changed: str) -> bool:
        """Whether a path may hold documents or metadata of the pipeline; programs' lock files come and go."""
        place = self._places.get(file)
        if place is None or not changed.startswith(place[0].rstrip(os.sep) + os.sep):
            return False
        path = composed(os.path.relpath(changed, place[0]))
        *folders, name = path.split(os.sep)
        if any(hidden(folder) for folder in folders):
            return False
        return is_metadata_file(name) or not (hidden(name) or self._pipelines[file].excludes(path))

    # --- one run

    def _run(self, file: str) -> None:
        self._changed.pop(file, None)
        wait = self._settings.sweep_minutes * 60
        try:
            self._pipelines[file] = load_pipeline(file, embedding_identity="")  # somebody may have edited it
            self._tell(file, self._ingest(file, progress=self._go_on, waiting=_refuse_to_wait))
        except _Busy:
            wait = _BUSY_SECONDS
        except AssistantError as error:
            again = f"{self._settings.sweep_minutes:g} minutes"
            self._say(f"{self._pipelines[file].name}: {error} (it is tried again in {again}, or after the next change)")
        self._next_sweep[file] = monotonic() + wait

    def _go_on(self, _: object) -> None:
        """Given as progress: the run ends here when it is to end; what was stored stays, and the next one goes on."""
        if self._stop.is_set():
            raise KeyboardInterrupt

    def _tell(self, file: str, report: IngestReport) -> None:
        """A line if something was done, and one for each failure that was not there before."""
        failed = {f"{failure.path}: {failure.error}" for failure in report.failed}
        new = sorted(failed - self._failed.get(file, set()))
        self._failed[file] = failed
        if report.added or report.updated or report.deleted or report.moved or report.renamed or new:
            self._say(report.summary())
        for failure in new:
            self._say(f"  FAILED {failure}")


def _place(pipeline: Pipeline) -> Place | None:
    """The pipeline's folder as it is now; None for a server, and for one that is not there."""
    try:
        folder = folder_of(pipeline)
        found = folder.stat() if folder else None
    except (PipelineError, OSError):
        return None
    return (str(folder), found.st_dev, found.st_ino) if found else None


def _changes(folders: list[str], stop: Event, *, is_strict: bool) -> Iterator[Set[tuple[int, str]]]:
    """What happens in the folders. Not strict, `watchfiles` keeps silent about folders that it can't listen to."""
    from watchfiles import watch

    if not folders:
        return iter(())
    return watch(
        *folders,
        watch_filter=None,
        debounce=int(_LISTEN_SECONDS * 1000),
        step=100,
        rust_timeout=int(_LISTEN_SECONDS * 500),
        yield_on_timeout=True,
        stop_event=stop,
        raise_interrupt=False,
        ignore_permission_denied=not is_strict,
    )


def _refuse_to_wait() -> NoReturn:
    raise _Busy("another ingest is running")
