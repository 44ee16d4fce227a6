"""The assistant as a user starts it: `assistant serve --ingest --first-user admin`, a process of its own on free ports."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType

import httpx

READY_SECONDS = 120
# Tests and load ask and fail more in a minute than people do; those of the limits give their own.
ANY = {
    f"ASSISTANT_LIMITS__{name}": "0"
    for name in (
        "PER_MINUTE",
        "PER_DAY",
        "ADDRESS_PER_MINUTE",
        "ADDRESS_PER_DAY",
        "CONCURRENT_ANSWERS",
        "WRONG_PASSWORDS",
        "ADDRESS_WRONG_PASSWORDS",
    )
}


class AssistantProcess:
    """Started in `with`, ready when entered, stopped by its own process id."""

    def __init__(self, storage: Path, *, arguments: tuple[str, ...] = (), **environment: str) -> None:
        self.storage = storage
        self.output: list[str] = []
        self.url = ""
        self.password = ""
        self.ready_seconds = 0.0
        settings = {"ASSISTANT_STORAGE__PATH": str(storage), "ASSISTANT_CHROMA__PORT": "0", **ANY, **environment}
        self.environment = {**os.environ, **settings}
        command = ["serve", "--ingest", "--first-user", "admin", "--port", "0", *arguments]
        self._command = [sys.executable, "-m", "assistant", *command]

    def __enter__(self) -> AssistantProcess:
        start = time.monotonic()
        self.process = subprocess.Popen(
            self._command,
            cwd=self.storage.parent,  # where no developer's .env lies
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        ready = threading.Event()
        threading.Thread(target=self._read, args=(ready,), daemon=True).start()
        if not ready.wait(READY_SECONDS) or not self.url:
            self.__exit__(None, None, None)
            raise AssertionError("the assistant did not get ready:\n" + "".join(self.output))
        self.ready_seconds = time.monotonic() - start
        if self.password:
            self._choose_password()
        return self

    def _choose_password(self) -> None:
        """As the person does at the first sign-in with the one that was printed."""
        own = "a password of my own"
        with httpx.Client(base_url=self.url, headers={"origin": self.url}, trust_env=False, timeout=60) as client:
            client.post("/login", data={"name": "admin", "password": self.password})
            changed = client.post("/account/password", data={"old": self.password, "new": own, "again": own})
            assert changed.headers.get("location") == "/account?said=changed", changed.text
            client.post("/logout")
        self.password = own

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)

    def wait_for(self, text: str, seconds: float = 20) -> None:
        """Until a line with that text was printed."""
        deadline = time.monotonic() + seconds
        while not any(text in line for line in list(self.output)):
            assert time.monotonic() < deadline, "".join(self.output)
            time.sleep(0.05)

    def _read(self, ready: threading.Event) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line)
            if found := re.search(r"Password\s+(\S+)", line):
                self.password = found[1]
            if found := re.search(r"Ready: (http://\S+)", line):
                self.url = found[1]
                ready.set()
        ready.set()
