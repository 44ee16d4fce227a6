"""A real PostgreSQL in a folder of its own, on a free loopback port, ended with the test that started it."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def binaries() -> Path | None:
    """Where `initdb`, `postgres` and `pg_isready` are: Debian's newest, or what is on the PATH."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if folders:
        return folders[-1].parent
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """The SQLAlchemy URL of an empty database. PostgreSQL refuses root, so root starts it as another account."""
    found = binaries()
    assert found is not None
    account = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
    options = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
    data = folder / "postgres"
    data.mkdir()
    if account:
        os.chown(data, account.pw_uid, account.pw_gid)
        for parent in (folder, *folder.parents):  # pytest's folders are the caller's alone
            if parent.owner() == "root" and not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    initdb = [str(found / "initdb"), "-D", str(data), "-U", "assistant", "-A", "trust", "-E", "UTF8", "--no-sync"]
    subprocess.run(initdb, check=True, capture_output=True, env=environment, cwd="/", **options)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    flags = ["-h", "127.0.0.1", "-p", str(port), "-k", "", "-c", "fsync=off"]
    server = subprocess.Popen(
        [str(found / "postgres"), "-D", str(data), *flags],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd="/",
        **options,
    )
    try:
        ready = [str(found / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port), "-t", "1"]
        for _ in range(100):
            if subprocess.run(ready, check=False, env=environment).returncode == 0:
                break
            assert server.poll() is None, "PostgreSQL ended while it started"
        yield f"postgresql+psycopg://assistant@127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        server.wait(20)
