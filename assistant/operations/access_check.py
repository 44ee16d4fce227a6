"""The last result of `assistant access verify`, kept beside the store for `/health` and `assistant doctor`."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from assistant.errors import StorageError

_SHOWN = 3  # leaks that the log and health name


@dataclass(frozen=True)
class AccessCheck:
    """When it was, how much it asked, and what was wrong."""

    at: datetime
    checks: int
    leaks: tuple[str, ...]
    others: int  # what was not found that should have been, and answers that should not be

    @property
    def sentence(self) -> str:
        moment = f"{self.at:%Y-%m-%d %H:%M} UTC"
        if not self.checks:
            return f"it could not be made on {moment}: see the log"
        if self.leaks:
            return f"{len(self.leaks)} leaks in {self.checks} checks on {moment}: {'; '.join(self.leaks[:_SHOWN])}"
        if self.others:
            return f"no leak, but {self.others} of {self.checks} checks on {moment} prove nothing"
        return f"no leak in {self.checks} checks on {moment}"

    def is_older(self, than: timedelta) -> bool:
        return datetime.now(UTC) - self.at > than


def keep(storage: Path, report: dict[str, Any]) -> None:
    """The report as `--json` prints it. Raises `StorageError`."""
    file = _file(storage)
    written = file.with_suffix(".tmp")
    try:
        written.write_text(json.dumps({"at": datetime.now(UTC).isoformat(), **report}, ensure_ascii=False), "utf-8")
        os.replace(written, file)
    except OSError as error:
        raise StorageError(f"{file} can't be written: {error.strerror or error}") from error


def keep_failure(storage: Path, reason: str) -> None:
    """Of a check that was not made, where none ever was; what an earlier one found stays until it is too old."""
    if last(storage) is None:
        keep(storage, {"checks": 0, "leaks": [], "missing": [], "broken": [reason]})


def last(storage: Path) -> AccessCheck | None:
    """None when there was none yet. Raises `StorageError`."""
    file = _file(storage)
    try:
        found = json.loads(file.read_text("utf-8"))
        others = len(found["missing"]) + len(found["broken"])
        return AccessCheck(datetime.fromisoformat(found["at"]), found["checks"], tuple(found["leaks"]), others)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{file} can't be read ({error}): run `assistant access verify`") from error


def _file(storage: Path) -> Path:
    return storage.expanduser().resolve() / "run" / "access-verify.json"
