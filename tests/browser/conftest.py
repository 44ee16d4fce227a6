"""One running assistant without a language model, and one Chromium, for all browser tests.

Both end with this package: Playwright keeps an event loop running in this thread, and asyncio's own tests come next.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.pages import CHROMIUM, chromium
from tests.conftest import need
from tests.servers.assistant_process import AssistantProcess


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    need(Path(CHROMIUM).exists(), "chromium (apt-get install chromium)")
    with chromium() as found:
        yield found


@pytest.fixture(scope="package")
def quoting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AssistantProcess]:
    """The default profile on a machine without a language model."""
    no_model = (
        '[{"provider": "ollama", "model": "qwen2.5:7b", "url": "http://127.0.0.1:9"}, {"provider": "extractive"}]'
    )
    with AssistantProcess(tmp_path_factory.mktemp("quoting") / "storage", ASSISTANT_LLMS=no_model) as server:
        yield server
