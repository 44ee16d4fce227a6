"""Imports every module in another process while the other unit tests run: it takes many seconds of a core."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import TEST_ALL

ROOT = Path(__file__).parents[2]
WAITING = "test_importing_every_module_makes_nothing_and_reads_no_environment"

IMPORT_ALL = """
import importlib, json, os, pkgutil, sys

class Watched(dict):
    '''os.environ that notes when one of our modules reads it while it is imported.'''
    readers = []

    def note(self):
        frame = sys._getframe(2)
        while frame and frame.f_globals.get("__name__") in ("os", "_collections_abc", "posixpath", "pathlib"):
            frame = frame.f_back
        name = frame.f_globals.get("__name__", "") if frame else ""
        if name.split(".")[0] == "assistant":
            self.readers.append(f"{name}:{frame.f_lineno}")

    def __getitem__(self, key): self.note(); return super().__getitem__(key)
    def get(self, key, default=None): self.note(); return super().get(key, default)
    def __contains__(self, key): self.note(); return super().__contains__(key)
    def __setitem__(self, key, value): self.note(); os.putenv(key, value); super().__setitem__(key, value)
    def setdefault(self, key, default=None): self.note(); return super().setdefault(key, default)
    def __iter__(self): self.note(); return super().__iter__()
    def copy(self): self.note(); return dict(self)

os.environ = Watched(os.environ)
import assistant
# Migrations run under Alembic only. The other one takes five seconds of torch's time: with ASSISTANT_TEST_ALL=1.
left_out = ["assistant.records.migrations."] + ["assistant.parts.local_embedding"] * (sys.argv[1] != "1")
names = [
    module.name
    for module in pkgutil.walk_packages(assistant.__path__, "assistant.")
    if not module.name.startswith(tuple(left_out))
]
for name in names:
    importlib.import_module(name)
print(json.dumps({"modules": len(names), "readers": Watched.readers, "made": os.listdir()}))
"""


@pytest.fixture(scope="session", autouse=True)
def importing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """The process, started with the first test if a test that waits for it was chosen."""
    if WAITING not in {item.name for item in request.session.items}:
        yield None
        return
    folder = tmp_path_factory.mktemp("importing")
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder.parent), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", IMPORT_ALL, os.environ.get(TEST_ALL, "")],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
