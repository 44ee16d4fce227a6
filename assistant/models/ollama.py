"""Language models are pulled by their own server."""

from __future__ import annotations

import httpx

from assistant.errors import ModelUnavailable
from assistant.models.pull import Progress
from assistant.parts.llms import without_userinfo
from assistant.settings import Llm, Settings

DEFAULT_URL = "http://127.0.0.1:11434"
_SECONDS = 300.0  # without a word: verifying gigabytes takes a while


def server_of(name: str, settings: Settings) -> str | None:
    """The Ollama server that a language model is to be pulled by; None for a name that is none of Ollama's."""
    ollama = [llm for llm in settings.llms if llm.provider == "ollama"]
    named = next((llm for llm in ollama if llm.model == name), None)
    if named is None and ":" not in name:
        return None
    chosen = named or next(iter(ollama), Llm(provider="ollama"))
    return chosen.url or DEFAULT_URL


def pull_llm(name: str, url: str, progress: Progress | None = None) -> None:
    """Have the server fetch it; a broken-off pull goes on where it was. Raises `ModelUnavailable`."""
    from ollama import Client, ResponseError

    shown, status = without_userinfo(url), None
    try:
        for step in Client(url, timeout=httpx.Timeout(_SECONDS, connect=10), trust_env=False).pull(name, stream=True):
            status = step.status
            if progress and step.digest and step.total:
                progress(step.digest.removeprefix("sha256:")[:12], step.completed or 0, step.total)
    except ResponseError as error:
        raise ModelUnavailable(f"Ollama at {shown} can't pull '{name}': {without_userinfo(error.error)}") from error
    except (httpx.HTTPError, ConnectionError, ValueError) as error:
        reason = without_userinfo((str(error) or type(error).__name__).splitlines()[0])
        raise ModelUnavailable(f"Ollama at {shown} broke off or does not answer ({reason}): run it again") from error
    if status != "success":
        raise ModelUnavailable(f"Ollama at {shown} broke off while pulling '{name}': run it again")
