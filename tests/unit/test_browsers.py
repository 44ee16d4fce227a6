"""Browsers by their own descriptions, as lists show them."""

from __future__ import annotations

import pytest

from assistant.web.browsers import browser_name

_CHROME = "(KHTML, like Gecko) Chrome/142.0.0.0"


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 {_CHROME} Safari/537.36", "Chrome, Windows"),
        (f"Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 {_CHROME} Safari/537.36 Edg/142.0", "Edge, Windows"),
        (
            f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 {_CHROME} YaBrowser/25.10 Safari/537.36",
            "Yandex Browser, Linux",
        ),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox, Linux"),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1 Version/26.0 Safari/605.1",
            "Safari, macOS",
        ),
        (f"Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 {_CHROME} Mobile Safari/537.36", "Chrome, Android"),
        ("python-httpx/0.28.1", "python-httpx/0.28.1"),
        ("x" * 300, "x" * 40),
        ("", ""),
    ],
)
def test_a_browser_has_a_name(user_agent: str, name: str) -> None:
    assert browser_name(user_agent) == name
