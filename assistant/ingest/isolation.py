"""A reading worker's own limits: no network, no output, bounded memory and files. Called in the worker, once."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from assistant.errors import StorageError

_NEW_USER, _NEW_NET = 0x10000000, 0x40000000  # <linux/sched.h>


@contextmanager
def folder_of_workers(cache: Path | None) -> Iterator[str]:
    """For their temporary files, such as attachments: a worker that is killed leaves its own behind, and a run all of them.

    Beside the cache, where the next run finds it: there is one at a time.
    """
    if cache is None:
        with tempfile.TemporaryDirectory(prefix="reading-") as folder:
            yield folder
        return
    kept = cache.with_name("reading")
    try:
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StorageError(f"{kept} can't be written: {error.strerror or error}") from error
    try:
        yield str(kept)
    finally:
        shutil.rmtree(kept, ignore_errors=True)


def isolate(memory_mb: int, temporary: str | None = None) -> bool:
    """What the system does not offer is left out: the readers themselves fetch nothing, this is the second lock.

    `temporary` is the folder for temporary files. True if the process has no network any more.
    """
    if temporary is not None:
        os.environ["TMPDIR"] = tempfile.tempdir = temporary
    os.environ["HF_HUB_OFFLINE"] = "1"  # no library fetches models when it fails to read a file
    os.environ["OMP_THREAD_LIMIT"] = "1"
    _silence()
    if hasattr(os, "nice"):
        os.nice(5)
    is_apart = sys.platform == "linux" and leave_network()
    _limit(memory_mb)
    return is_apart


def leave_network() -> bool:
    """Into a network namespace of its own, where not even loopback is up; True if the kernel allowed it.

    Root may do it at once, others by a user namespace of their own (user_namespaces(7)).
    """
    user, group = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_NET) == 0:
        return True
    if libc.unshare(_NEW_USER | _NEW_NET) != 0:
        return False
    with suppress(OSError):  # the same numbers inside, for libraries that ask who they are
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    return True


def _silence() -> None:
    """Libraries of other languages print where our JSON and progress go, also pieces of the file."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)


def _limit(memory_mb: int) -> None:
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
