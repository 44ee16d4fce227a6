"""What every test stands on: no inherited settings, no way out to the network, and a word for what is missing."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

TEST_ALL = "ASSISTANT_TEST_ALL"


def need(condition: object, what: str) -> None:
    """Skip without `what`; with ASSISTANT_TEST_ALL=1, where everything must be there, fail."""
    if condition:
        return
    if os.environ.get(TEST_ALL) == "1":
        pytest.fail(f"{what} is missing, and {TEST_ALL}=1 wants every test to run", pytrace=False)
    pytest.skip(f"needs {what}")


SHARED = Path(__file__).parents[2] / "shared" / "data" / "files"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Real files that are not ours to pass on lie beside the checkout, or not: a clone without them is complete."""
    if SHARED.is_dir():
        return
    left_out = [item for item in items if item.get_closest_marker("shared")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(autouse=True)
def _no_inherited_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own ASSISTANT_… variables decide nothing here."""
    for name in list(os.environ):
        if name.upper().startswith("ASSISTANT_") and name != TEST_ALL:
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unit tests reach this machine only; names are not looked up either."""
    if "unit" not in request.path.parts:
        return
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def connect_here(self: socket.socket, address: Any) -> None:  # noqa: ANN401 - depends on the socket's family
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_here(address[0]):
            raise PermissionError(f"a unit test tried to reach {address}")
        connect(self, address)

    def look_up_here(host: Any, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - as the standard library's
        if host is not None and not _is_here(host):
            raise PermissionError(f"a unit test tried to look up {host}")
        return look_up(host, *arguments, **options)

    monkeypatch.setattr(socket.socket, "connect", connect_here)
    monkeypatch.setattr(socket, "getaddrinfo", look_up_here)


def _is_here(host: str | bytes) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if name in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A storage that has loaded the sample company of `data/docs`; its Chroma server runs as long as the session."""
    from assistant.wiring import build
    from tests.integration import company

    storage = tmp_path_factory.mktemp("sample") / "storage"
    with build(company.settings(storage)) as assistant:
        assert not assistant.ingest(company.ROOT / "pipelines" / "default.yaml").failed
        yield storage
