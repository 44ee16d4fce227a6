"""A reading worker's own limits: no network, no output, bounded memory and files. Called in the worker, once."""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress
from pathlib import Path

_NEW_USER, _NEW_NET = 0x10000000, 0x40000000  # <linux/sched.h>


def isolate(memory_mb: int) -> bool:
    """What the system does not offer is left out: the readers themselves fetch nothing, this is the second lock.

    True if the process has no network any more.
    """
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
