"""A provider's HTTP: its certificate has to fit, and neither slow nor endless answers hold anybody up."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from assistant.errors import SignInUnavailable
from assistant.parts.sign_in.oidc_http import OidcHttp
from assistant.settings_oidc import Oidc
from tests.servers.ldap import Authority


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(302 if self.path == "/moved" else 500 if self.path == "/broken" else 200)
        self.send_header("location", "/right")
        self.end_headers()
        if self.path == "/drips":
            for _ in range(50):
                self.wfile.write(b" ")
                time.sleep(0.05)
        elif self.path == "/endless":
            for _ in range(40):
                self.wfile.write(b" " * 65536)
        self.wfile.write({"/list": b"[]", "/text": b"<html>"}.get(self.path, b'{"right": true}'))

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def answering(tls: ssl.SSLContext | None = None) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # who hangs up early is what is tested
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"{'https' if tls else 'http'}://localhost:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def http(**options: object) -> OidcHttp:
    return OidcHttp(Oidc.model_validate({"name": "corp", "issuer": "https://id.example", "client_id": "a", **options}))


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/drips", "took too long"),
        ("/endless", "more than 1048576 bytes"),
        ("/moved", "302"),
        ("/broken", "500"),
        ("/list", "not a JSON object"),
        ("/text", "JSONDecodeError"),
    ],
)
def test_an_answer_that_is_no_use_ends_soon(path: str, why: str) -> None:
    with answering() as url:
        begun = time.monotonic()
        with pytest.raises(SignInUnavailable, match=why):
            http(timeout_seconds=0.4).get(f"{url}{path}", "keys")
        assert time.monotonic() - begun < 2.4  # a drip of 50 would take 2.5
        assert http().get(f"{url}/right", "keys") == {"right": True}


def test_the_certificate_is_checked(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("localhost")
    other, other_key = authority.issue("id.example")
    for chain, ca_file, accepted in (
        ((certificate, key), authority.file, True),
        ((certificate, key), None, False),
        ((other, other_key), authority.file, False),
    ):
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*chain)
        with answering(tls) as url:
            client = http(ca_file=ca_file, timeout_seconds=5)
            if accepted:
                assert client.get(url, "keys") == {"right": True}
                continue
            with pytest.raises(SignInUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
                client.get(url, "keys")
