"""A server that fsspec speaks to: one connection for a run, its errors, and its names below the source's folder."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote

from assistant.errors import ConfigError
from assistant.ingest.secrets import without_secrets
from assistant.ingest.sources.names import PROTOCOLS, protocol

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

# What the libraries raise beside OSError and ValueError, by protocol.
_ERRORS = {
    "webdav": (
        "httpx.HTTPError",
        "httpx.InvalidURL",
        "webdav4.client.ClientError",
        "webdav4.multistatus.MultiStatusResponseError",
    ),
    "s3": ("botocore.exceptions.BotoCoreError", "botocore.exceptions.ClientError"),
    "smb": ("smbprotocol.exceptions.SMBException",),
    "sftp": ("paramiko.ssh_exception.SSHException",),
}
# A server that does not answer must not hold a run up; a listing of an earlier run must not stand for this one's.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "webdav": {"timeout": 30.0},
    "s3": {
        "use_listings_cache": False,
        "config_kwargs": {"connect_timeout": 10, "read_timeout": 30, "retries": {"max_attempts": 3}},
    },
    "smb": {"timeout": 30},
    "sftp": {"timeout": 30.0, "banner_timeout": 30.0, "auth_timeout": 30.0},
}


_SILENCE = 30.0  # seconds


class Server:
    """`options` are fsspec's for the protocol; for WebDAV also `username` and `password`. Raises `ConfigError`."""

    def __init__(self, url: str, options: dict[str, Any], shown: str) -> None:
        self.shown = shown
        self._url = url
        self._options = options
        self._protocol = protocol(url).removesuffix("s") if protocol(url).startswith("webdav") else protocol(url)
        module, extra = PROTOCOLS[protocol(url)]
        try:
            importlib.import_module(module or "fsspec")
        except ImportError as error:
            raise ConfigError(
                f"{protocol(url)}:// needs a package that is not installed: "
                f"pip install 'local-corporate-assistant[{extra}]' ({error})"
            ) from error
        self.errors = self._all_errors()
        self.at_once = 1 if self._protocol == "sftp" else 4  # files; paramiko's threads take each other's answers

    @cached_property
    def _connection(self) -> tuple[AbstractFileSystem, str]:
        """The file system and the source's folder in it; nothing of it is kept from run to run."""
        import fsspec

        options = {**_DEFAULTS.get(self._protocol, {}), **self._options, "skip_instance_cache": True}
        if self._protocol == "sftp":
            options.setdefault("host_key_policy", _known_hosts())
        if self._protocol == "webdav":
            scheme = "https" if protocol(self._url) == "webdavs" else "http"
            address = f"{scheme}://{self._url.partition('://')[2]}"
            return _webdav(address, options), ""
        system, folder = fsspec.url_to_fs(self._url, **options)
        if self._protocol == "sftp":
            system.ftp.get_channel().settimeout(_SILENCE)
        return system, str(folder)

    def list(self, folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Names and what is known of them in one folder. Raises one of `errors`."""
        system, root = self._connection
        place = f"{root.rstrip('/')}/{folder}".rstrip("/") if folder else root
        for info in system.ls(place, detail=True):
            whole = str(info["name"]).rstrip("/")
            if whole.strip("/") != place.strip("/"):  # some list the folder itself as well
                yield self._below(whole, place), info

    def open(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """The content of a file. Raises one of `errors`."""
        system, root = self._connection
        opened: AbstractContextManager[IO[bytes]] = system.open(f"{root.rstrip('/')}/{name}" if root else name, "rb")
        return opened

    def reason(self, error: Exception) -> str:
        """An error in a few words; the libraries' own are long, and may hold the address with its password."""
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status in (401, 403) or isinstance(error, PermissionError):
            return "the server does not let this account in (username, password, rights)"
        text = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return without_secrets(text.replace(self._url, self.shown), self._options).splitlines()[0][:200].rstrip(".")

    @staticmethod
    def _below(whole: str, place: str) -> str:
        """The name within its folder; one that is not in it stays whole, and is refused for its slashes."""
        whole, place = whole.strip("/"), place.strip("/")
        return whole[len(place) + 1 :] if place and whole.startswith(f"{place}/") else whole

    def _all_errors(self) -> tuple[type[Exception], ...]:
        found: list[type[Exception]] = [OSError, ValueError, TypeError, RuntimeError, LookupError]
        for path in _ERRORS.get(self._protocol, ()):
            module, _, name = path.rpartition(".")
            found.append(getattr(importlib.import_module(module), name))
        return tuple(found)


def _webdav(address: str, options: dict[str, Any]) -> AbstractFileSystem:
    """`username` and `password` as the other protocols call them, and names with characters that addresses use."""
    from webdav4.client import Client  # type: ignore[import-untyped]  # installed with the extra only
    from webdav4.fsspec import WebdavFileSystem  # type: ignore[import-untyped]  # installed with the extra only
    from webdav4.urls import URL  # type: ignore[import-untyped]  # installed with the extra only

    class QuotingClient(Client):
        """webdav4 0.11 takes `%`, `#` and `?` in a name for parts of the address."""

        def join_url(self, path: str, add_trailing_slash: bool = False) -> URL:
            quoted = re.sub("[%#?]", lambda found: quote(found[0]), path)
            return super().join_url(quoted, add_trailing_slash=add_trailing_slash)

    login = {key: options.pop(key) for key in ("username", "password") if key in options}
    if "username" in login:
        options["auth"] = (str(login["username"]), str(login.get("password", "")))
    skip = options.pop("skip_instance_cache")
    client = QuotingClient(address, chunk_size=WebdavFileSystem.blocksize, **options)
    return WebdavFileSystem(address, client=client, skip_instance_cache=skip)


def _known_hosts() -> Any:  # noqa: ANN401 - a class of a package that is installed with the extra only
    """fsspec would take any server for the right one; this account must know its key, as for `ssh`."""
    paramiko = importlib.import_module("paramiko")

    class KnownHosts(paramiko.MissingHostKeyPolicy):  # type: ignore[name-defined]
        def missing_host_key(self, client: object, hostname: str, key: object) -> None:  # noqa: ARG002
            known = paramiko.HostKeys()
            for file in (Path("/etc/ssh/ssh_known_hosts"), Path.home() / ".ssh" / "known_hosts"):
                if file.is_file():
                    known.load(str(file))
            if not known.check(hostname, key):
                raise paramiko.SSHException(
                    f"the key of {hostname} is not in ~/.ssh/known_hosts: connect once with ssh, and compare the key"
                )

    return KnownHosts()
