"""A real OpenID provider (node-oidc-provider, certified by the OpenID Foundation), on a free loopback port.

It is the one with everything of a company's provider: a sign-in page and sessions of its own, PKCE that it insists on, the
issuer in its answers, sign-out from both sides; and it starts in two seconds. It is an npm package, pinned by a lock file.
It is reached as `localhost`, which for a browser is another site than the assistant's `127.0.0.1`.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import FileLock
from joserfc.jwk import RSAKey

FOLDER = Path(__file__).with_name("oidc")
CLIENT, SECRET = "assistant", "a secret of the tests, long enough for everyone"
# By their names at the company; at the provider's page they type what it calls them, their `sub`.
PEOPLE: dict[str, dict[str, Any]] = {
    "ivanova": {
        "sub": "f3a1-ivanova",
        "preferred_username": "ivanova",
        "name": "Мария Иванова",
        "email": "ivanova@company.example",
        "groups": ["hr-staff", "everyone"],
        "realm_access": {"roles": ["hr-staff"]},
    },
    "petrov": {"sub": "f3a1-petrov", "preferred_username": "petrov", "name": "Пётр Петров", "groups": []},
    "many": {
        "sub": "f3a1-many",
        "preferred_username": "many",
        "name": "Member of Everything",
        "_claim_names": {"groups": "src1"},
        "_claim_sources": {"src1": {"endpoint": "https://graph.example/users/many/getMemberObjects"}},
    },
    "overage": {"sub": "f3a1-overage", "preferred_username": "overage", "name": "Overage", "hasgroups": True},
    "odd": {"sub": "f3a1-odd", "preferred_username": "odd", "name": "Odd", "groups": {"hr-staff": True}},
    "nameless": {"sub": "f3a1-nameless", "name": "No Name", "groups": ["hr-staff"]},
}


def installed() -> bool:
    """Whether the provider is here, or can be had: `npm ci` by its lock file, once for each checkout."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        return False
    with FileLock(FOLDER / "node_modules.lock"):
        marker = FOLDER / "node_modules" / ".package-lock.json"
        lock = FOLDER / "package-lock.json"
        if marker.is_file() and marker.stat().st_mtime >= lock.stat().st_mtime:
            return True
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        return subprocess.run(command, cwd=FOLDER, capture_output=True, check=False, timeout=300).returncode == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class OidcProvider:
    """Started in `with`, ready when entered. `key` signs its tokens: a test can sign a wrong one with the right key."""

    def __init__(self, assistant_url: str, *, issuer_port: int | None = None, id_token_claims: bool = True) -> None:
        self.port = free_port()
        self.issuer = f"http://localhost:{issuer_port or self.port}"
        self.key = RSAKey.generate_key(2048, {"kid": "first", "use": "sig", "alg": "RS256"})
        self.output: list[str] = []
        self._configuration = {
            "issuer": self.issuer,
            "port": self.port,
            "jwks": {"keys": [self.key.as_dict(private=True)]},
            "people": {person["sub"]: person for person in PEOPLE.values()},
            "idTokenClaims": id_token_claims,
            "clients": [
                {
                    "client_id": CLIENT,
                    "client_secret": SECRET,
                    "redirect_uris": [f"{assistant_url}/auth/oidc/corp/callback"],
                    "post_logout_redirect_uris": [f"{assistant_url}/login"],
                    "backchannel_logout_uri": f"{assistant_url}/auth/oidc/corp/logout",
                    "backchannel_logout_session_required": True,
                }
            ],
        }

    def __enter__(self) -> OidcProvider:
        self.process = subprocess.Popen(
            ["node", "provider.mjs"],
            cwd=FOLDER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(self._configuration))
        self.process.stdin.close()
        listening = threading.Event()
        threading.Thread(target=self._read, args=(listening,), daemon=True).start()
        if not listening.wait(60) or self.process.poll() is not None:
            self.__exit__(None, None, None)
            raise AssertionError("the provider did not start:\n" + "".join(self.output))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(20)

    def wait_for(self, text: str, seconds: float = 20) -> None:
        """Until it has said so."""
        deadline = time.monotonic() + seconds
        while not any(text in line for line in list(self.output)):
            assert time.monotonic() < deadline, "".join(self.output)
            time.sleep(0.02)

    def _read(self, listening: threading.Event) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line)
            if line.startswith("listening"):
                listening.set()
        listening.set()
