"""What a record of the audit is: its fields, its hash, and the line of JSON that it is in a file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from assistant.records.account_tables import AuditEventRow

NO_HASH = "0" * 64  # what the first record has as the hash of the one before it


@dataclass(frozen=True)
class AuditRecord:
    """`details` is JSON as it was hashed; `address` is "local:ACCOUNT" for what came through no network."""

    number: int
    at: str
    kind: str
    actor_id: str
    actor: str
    address: str
    details: str
    previous: str
    hash: str = ""

    def made_hash(self) -> str:
        """SHA-256 over the record as canonical JSON: keys sorted, no spaces, UTF-8. Raises `ValueError`."""
        return hashlib.sha256(canonical(self._fields()).encode()).hexdigest()

    def line(self) -> str:
        """For a file, without the line's end. Raises `ValueError`."""
        return _json({**self._fields(), "hash": self.hash})

    def values(self) -> dict[str, Any]:
        """The columns of its row."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def _fields(self) -> dict[str, Any]:
        fields = self.values()
        del fields["hash"]
        fields["details"] = json.loads(self.details)
        return fields


def canonical(value: dict[str, Any]) -> str:
    return _json(value, sort_keys=True)


def of_row(row: AuditEventRow) -> AuditRecord:
    return AuditRecord(**{name: getattr(row, name) for name in AuditRecord.__dataclass_fields__})


def of_line(line: str) -> AuditRecord:
    """Raises `ValueError` for what is no line of ours."""
    try:
        fields = json.loads(line)
        record = AuditRecord(**{**fields, "details": canonical(fields["details"])})
    except (TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"not a record: {error}") from error
    values = record.values()
    if type(values.pop("number")) is not int or not all(isinstance(value, str) for value in values.values()):
        raise ValueError("not a record: values of other kinds")
    return record


def _json(value: dict[str, Any], *, sort_keys: bool = False) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=sort_keys)
    return text.encode("utf-8", "backslashreplace").decode()  # half a character pair is no UTF-8; as \ud83d it is JSON
