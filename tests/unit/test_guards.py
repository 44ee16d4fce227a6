"""The guards of `tests/conftest.py` themselves."""

from __future__ import annotations

import os
import socket

import pytest

from tests.conftest import TEST_ALL, need


def test_a_unit_test_reaches_no_other_machine() -> None:
    with pytest.raises(PermissionError, match=r"192\.0\.2\.1"), socket.socket() as outside:
        outside.connect(("192.0.2.1", 80))
    with pytest.raises(PermissionError, match="example"):
        socket.create_connection(("example.com", 80), timeout=1)


def test_a_unit_test_reaches_this_machine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("localhost", port), timeout=5) as connection:
            assert connection.getpeername()[1] == port


def test_no_setting_is_inherited() -> None:
    assert [name for name in os.environ if name.upper().startswith("ASSISTANT_") and name != TEST_ALL] == []


def test_what_is_missing_is_skipped_or_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TEST_ALL, raising=False)
    need(condition=True, what="nothing")
    with pytest.raises(pytest.skip.Exception, match="needs a font"):
        need([], "a font")
    monkeypatch.setenv(TEST_ALL, "1")
    with pytest.raises(pytest.fail.Exception, match="a font is missing"):
        need([], "a font")
