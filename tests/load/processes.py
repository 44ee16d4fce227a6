"""What a command costs with all the processes under it: wall and CPU seconds, and memory over time.

CPU: every 0.2 s user + system time of each process of the tree is noted, and the last value of each counts, also of
those that have ended or outlive the command. What a process does after its last sample is missed: less than 0.2 s for
each. So the sum is compared with what the system itself accounts to the command when it ends (`wait4`: the command and
the descendants that it waited for), and the greater of the two counts. Both are in the JSON.

Memory: the proportional set size (PSS) of each process, which counts a shared page once in all, added up once a second
(the first ten seconds: five times). What lives shorter than that is missed.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import psutil

TICK = 0.2  # seconds
_KINDS = {"chroma": ("chroma",), "readers": ("spawn_main", "forkserver", "resource_tracker")}


@dataclass(frozen=True)
class Moment:
    """Megabytes of the whole tree, and of the kinds of its processes, so many seconds after the start."""

    seconds: float
    tree_mb: float
    kinds_mb: dict[str, float]


@dataclass
class Usage:
    """`cpu` is the greater of `cpu_sampled` and `cpu_waited`; `cpu_of` splits what was sampled."""

    wall: float = 0.0
    cpu: float = 0.0
    cpu_sampled: float = 0.0
    cpu_waited: float = 0.0
    cpu_of: dict[str, float] = field(default_factory=dict)
    peak_mb: float = 0.0
    peak_of: dict[str, float] = field(default_factory=dict)
    main_peak_rss_mb: float = 0.0
    processes: int = 0
    curve: list[Moment] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        rounded: dict[str, Any] = _rounded(asdict(self))
        return rounded


@dataclass(frozen=True)
class Finished:
    code: int
    output: str
    errors: str
    usage: Usage


def measured(command: list[str], folder: Path, *, environment: dict[str, str], name: str, limit: float) -> Finished:
    """Run a command in `folder` and watch it; its output stays in `<folder>/<name>.out` and `.err`."""
    with (folder / f"{name}.out").open("w+") as out, (folder / f"{name}.err").open("w+") as err:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        watch = _Watch(process.pid, start)
        late = threading.Timer(limit, process.kill)
        late.daemon = True
        late.start()
        try:
            _, status, resources = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        finally:
            late.cancel()
            watch.stop()
        process.returncode = os.waitstatus_to_exitcode(status)
        watch.usage.wall = time.perf_counter() - start
        watch.usage.cpu_waited = resources.ru_utime + resources.ru_stime
        watch.usage.cpu = max(watch.usage.cpu_sampled, watch.usage.cpu_waited)
        return Finished(process.returncode, _whole(out), _whole(err), watch.usage)


def _whole(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


class _Watch:
    """Samples the tree under a process in a thread of its own."""

    def __init__(self, root: int, start: float) -> None:
        self.usage = Usage()
        self._root, self._start = root, start
        self._known: dict[tuple[int, float], psutil.Process] = {}
        self._cpu: dict[tuple[int, float], float] = {}
        self._kind: dict[tuple[int, float], str] = {}
        self._weighed = float("-inf")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()
        self._sample()  # those that outlive the command
        for key, seconds in self._cpu.items():
            kind = self._kind[key]
            self.usage.cpu_of[kind] = self.usage.cpu_of.get(kind, 0.0) + seconds
        self.usage.cpu_sampled = sum(self._cpu.values())
        self.usage.processes = len(self._cpu)

    def _run(self) -> None:
        while not self._ended.wait(TICK):
            self._sample()
            now = time.perf_counter() - self._start
            if now - self._weighed >= (TICK if now < 10 else 1.0):
                self._weighed = now
                self._weigh(now)

    def _sample(self) -> None:
        with contextlib.suppress(psutil.Error):
            root = psutil.Process(self._root)
            for process in [root, *root.children(recursive=True)]:
                self._known.setdefault((process.pid, process.create_time()), process)
        for key, process in list(self._known.items()):
            try:
                times = process.cpu_times()
                self._cpu[key] = max(self._cpu.get(key, 0.0), times.user + times.system)
                if self._kind.get(key, "others") == "others":  # a fork has its parent's command line at first
                    self._kind[key] = self._kind_of(process)
            except psutil.Error:
                self._kind.setdefault(key, "others")
                self._known.pop(key)

    def _kind_of(self, process: psutil.Process) -> str:
        if process.pid == self._root:
            return "main"
        line = " ".join(process.cmdline())
        return next((kind for kind, marks in _KINDS.items() if any(mark in line for mark in marks)), "others")

    def _weigh(self, now: float) -> None:
        kinds: dict[str, float] = {}
        for key, process in self._known.items():
            kind = self._kind.get(key, "others")
            kinds[kind] = kinds.get(kind, 0.0) + _pss_mb(process.pid)
            if kind == "main":
                with contextlib.suppress(psutil.Error):
                    rss = process.memory_info().rss / 2**20
                    self.usage.main_peak_rss_mb = max(self.usage.main_peak_rss_mb, rss)
        total = sum(kinds.values())
        self.usage.curve.append(Moment(now, total, kinds))
        self.usage.peak_mb = max(self.usage.peak_mb, total)
        for kind, size in kinds.items():
            self.usage.peak_of[kind] = max(self.usage.peak_of.get(kind, 0.0), size)


def _pss_mb(pid: int) -> float:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except OSError:  # it has ended, or this is not Linux
        with contextlib.suppress(psutil.Error):
            return float(psutil.Process(pid).memory_info().rss) / 2**20
    return 0.0


def points(curve: list[Moment], number: int = 10) -> list[Moment]:
    """So many moments spread over the run, the last one among them."""
    step = max(1.0, len(curve) / number)
    return [curve[min(len(curve), round((place + 1) * step)) - 1] for place in range(min(number, len(curve)))]


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return round(value, 2) if isinstance(value, float) else value
