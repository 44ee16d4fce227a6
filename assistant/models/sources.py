"""Where a model is fetched from: a hub (or its mirror), a folder, a server that fsspec speaks to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from assistant.errors import AssistantError, ConfigError, ModelUnavailable, NotFound
from assistant.parts.llms import without_userinfo

_PIECE = 1 << 20
_SECONDS = 60.0  # without a byte


@dataclass(frozen=True)
class RemoteFile:
    """A file of a model; `digest` is what the hub says of its content: sha256 of a large one, Git's sha1 of a small one."""

    name: str
    size: int
    digest: str = ""


class Source(Protocol):
    """`shown` names it without passwords; `revision` is the commit, where there is one."""

    shown: str
    revision: str
    errors: tuple[type[Exception], ...]

    def files(self) -> list[RemoteFile]:
        """All files of the model. Raises `AssistantError`, or one of `errors`."""
        ...

    def open(self, name: str, offset: int) -> AbstractContextManager[Iterator[bytes]]:
        """The content of a file from a byte on. Raises one of `errors`."""
        ...

    def explained(self, error: Exception) -> AssistantError:
        """One of `errors` as a sentence."""
        ...


def source_of(name: str, origin: str | None, revision: str | None) -> Source:
    """`origin` is a folder, a hub's address (http, https), an address of another protocol, or none: the hub."""
    if origin is None or origin.startswith(("http://", "https://")):
        return Hub(name, origin, revision)
    if revision is not None:
        raise ConfigError("--revision is for a hub: a folder has one version only")
    if "://" in origin:
        return Server(origin)
    folder = Path(origin).expanduser().resolve()
    if not folder.is_dir():
        raise ConfigError(f"--from {origin} is no folder: name the folder that holds config.json")
    return Server(f"file://{folder}")


class Hub:
    """The Hugging Face hub or a mirror of it, by huggingface_hub.

    Its `snapshot_download` compares sizes only, and begins a file of gigabytes anew after a kill: files are streamed here.
    """

    def __init__(self, name: str, endpoint: str | None, revision: str | None) -> None:
        import httpx2
        from huggingface_hub import HfApi, constants
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

        self._name = name
        self._endpoint = (endpoint or constants.ENDPOINT).rstrip("/")
        # The token of this account's login is for the hub; another server gets one only if it was given for this run.
        token = None if self._endpoint == "https://huggingface.co" else os.environ.get("HF_TOKEN") or False
        self._api = HfApi(endpoint=self._endpoint, token=token)
        self._wanted = revision or constants.DEFAULT_REVISION
        self.revision = ""
        self.shown = without_userinfo(self._endpoint)
        self.errors: tuple[type[Exception], ...] = (
            HfHubHTTPError,
            HFValidationError,
            httpx2.HTTPError,
            OfflineModeIsEnabled,
        )

    def files(self) -> list[RemoteFile]:
        from huggingface_hub.hf_api import RepoFile

        with online():
            self.revision = (
                self._api.model_info(self._name, revision=self._wanted, timeout=_SECONDS).sha or self._wanted
            )
            tree = list(self._api.list_repo_tree(self._name, recursive=True, revision=self.revision))
        found = [item for item in tree if isinstance(item, RepoFile)]
        return [RemoteFile(file.path, file.size, file.lfs.sha256 if file.lfs else file.blob_id) for file in found]

    @contextmanager
    def open(self, name: str, offset: int) -> Iterator[Iterator[bytes]]:
        from huggingface_hub import get_session, hf_hub_url
        from huggingface_hub.utils._headers import build_hf_headers
        from huggingface_hub.utils._http import hf_raise_for_status

        url = hf_hub_url(self._name, name, revision=self.revision, endpoint=self._endpoint)
        headers = build_hf_headers(token=self._api.token) | {"Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        with online(), get_session().stream("GET", url, headers=headers, timeout=_SECONDS) as response:
            hf_raise_for_status(response)
            pieces = response.iter_raw()  # as it comes: what a larger buffer holds is lost when the connection breaks
            yield pieces if response.status_code == 206 or not offset else _skipped(pieces, offset)

    def explained(self, error: Exception) -> AssistantError:
        from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

        if isinstance(error, GatedRepoError):
            return ModelUnavailable(
                f"{self.shown} gives '{self._name}' only to those who accepted its conditions: accept them there, and "
                "set HF_TOKEN"
            )
        if isinstance(error, RevisionNotFoundError):
            return NotFound(f"{self.shown} has no revision '{self._wanted}' of '{self._name}'")
        if isinstance(error, RepositoryNotFoundError):
            return NotFound(
                f"{self.shown} has no model '{self._name}': check its name (for a private one set HF_TOKEN)"
            )
        if (response := getattr(error, "response", None)) is not None:
            return ModelUnavailable(f"{self.shown} answered {response.status_code} for '{self._name}': try again later")
        reason = (str(error) or type(error).__name__).splitlines()[0]
        return ModelUnavailable(
            f"{self.shown} can't be reached ({reason}): run it again, it goes on from there; without internet, fetch "
            "the model elsewhere and use --from FOLDER, or --from https://MIRROR"
        )


class Server:
    """A folder of this machine, or of a server: by the same fsspec protocols as a pipeline's source."""

    revision = ""

    def __init__(self, url: str) -> None:
        from assistant.ingest.secrets import expanded
        from assistant.ingest.sources.names import protocol_problem, without_password
        from assistant.ingest.sources.server import Server as FsspecServer

        url = expanded(url)
        if problem := protocol_problem(url):
            raise ConfigError(f"--from: {problem}")
        self.shown = without_password(url).removeprefix("file://")
        address, login = _login(url) if url.startswith("webdav") else (url, {})
        self._server = FsspecServer(address, login, self.shown)
        self.errors = self._server.errors

    def files(self) -> list[RemoteFile]:
        found, folders = [], [""]
        while folders:
            folder = folders.pop()
            for name, info in self._server.list(folder):
                whole = f"{folder}/{name}".lstrip("/")
                if info.get("type") == "directory":
                    folders.append(whole)
                else:
                    found.append(RemoteFile(whole, int(info.get("size") or 0)))
        return found

    @contextmanager
    def open(self, name: str, offset: int) -> Iterator[Iterator[bytes]]:
        with self._server.open(name) as content:
            content.seek(offset)
            yield iter(lambda: content.read(_PIECE), b"")

    def explained(self, error: Exception) -> AssistantError:
        return ModelUnavailable(f"{self.shown} can't be read: {self._server.reason(error)}")


@contextmanager
def online() -> Iterator[None]:
    """Loading models never leaves this machine; fetching one is the only thing that does, and only inside this."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = False
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _skipped(pieces: Iterator[bytes], offset: int) -> Iterator[bytes]:
    """A server that knows no ranges sends what is there already once more."""
    for piece in pieces:
        rest = piece[offset:]
        offset = max(0, offset - len(piece))
        if rest:
            yield rest


def _login(url: str) -> tuple[str, dict[str, Any]]:
    """Name and password out of an address: WebDAV's client takes them apart from it."""
    parts = urlsplit(url)
    if parts.username is None:
        return url, {}
    login = {"username": unquote(parts.username), "password": unquote(parts.password or "")}
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(), login
