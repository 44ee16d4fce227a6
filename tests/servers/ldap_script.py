"""A directory at the wire that does what OpenLDAP does not and Active Directory does: names that are no DN, one entry."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ldap3.protocol.rfc4511 import (
    LDAPDN,
    AttributeDescription,
    BindResponse,
    LDAPMessage,
    LDAPString,
    MessageID,
    PartialAttribute,
    PartialAttributeList,
    ProtocolOp,
    ResultCode,
    SearchResultDone,
    SearchResultEntry,
    Vals,
)
from ldap3.utils.asn1 import encode

IN_CHAIN = b"1.2.840.113556.1.4.1941"
_BIND, _SEARCH = 0x60, 0x63


@dataclass
class Script:
    """Whose password is what, and the one entry that every search for a person finds."""

    passwords: dict[str, str]
    dn: str
    attributes: dict[str, bytes]
    groups: list[str] = field(default_factory=list)
    port: int = 0
    binds: list[str] = field(default_factory=list)
    queries: list[bytes] = field(default_factory=list)


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        script: Script = self.server.script  # type: ignore[attr-defined]
        data = b""
        while chunk := self.request.recv(65536):
            data += chunk
            while (found := _piece(data)) is not None:
                _, message, data = found
                self._answer(script, message)

    def _answer(self, script: Script, message: bytes) -> None:
        (_, number), (operation, request) = _pieces(message)[:2]
        if operation == _BIND:
            name, password = (value.decode() for _, value in _pieces(request)[1:3])
            script.binds.append(name)
            code = 0 if script.passwords.get(name) == password else 49
            self._send(number, "bindResponse", _result(BindResponse(), code))
        elif operation == _SEARCH:
            script.queries.append(request)
            if IN_CHAIN in request:
                for group in script.groups:
                    self._send(number, "searchResEntry", _entry(group, {}))
            else:
                self._send(number, "searchResEntry", _entry(script.dn, script.attributes))
            self._send(number, "searchResDone", _result(SearchResultDone(), 0))

    def _send(self, number: bytes, kind: str, answer: Any) -> None:
        message = LDAPMessage()
        message["messageID"] = MessageID(int.from_bytes(number, "big"))
        message["protocolOp"] = ProtocolOp().setComponentByName(kind, answer)
        self.request.sendall(encode(message))


def _piece(data: bytes) -> tuple[int, bytes, bytes] | None:
    """Tag, value and what follows; None while it is not whole."""
    if len(data) < 2:
        return None
    size, start = data[1], 2
    if size >= 0x80:
        start = 2 + (size & 0x7F)
        size = int.from_bytes(data[2:start], "big")
    return (data[0], data[start : start + size], data[start + size :]) if len(data) >= start + size else None


def _pieces(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while (piece := _piece(data)) is not None:
        found.append(piece[:2])
        data = piece[2]
    return found


def _result(answer: Any, code: int) -> Any:
    answer["resultCode"] = ResultCode(code)
    answer["matchedDN"] = LDAPDN("")
    answer["diagnosticMessage"] = LDAPString("80090308: data 52e" if code else "")
    return answer


def _entry(dn: str, attributes: dict[str, bytes]) -> Any:
    entry, given = SearchResultEntry(), PartialAttributeList()
    entry["object"] = LDAPDN(dn)
    for number, (name, value) in enumerate(attributes.items()):
        one, values = PartialAttribute(), Vals()
        one["type"] = AttributeDescription(name)
        values.setComponentByPosition(0, value)
        one["vals"] = values
        given.setComponentByPosition(number, one)
    entry["attributes"] = given
    return entry


@contextmanager
def scripted(script: Script) -> Iterator[Script]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        server.script = script  # type: ignore[attr-defined]
        script.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield script
        finally:
            server.shutdown()
            thread.join(5)
