"""What a verification found: for each path and each kind of person what was seen, and what should have been."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from assistant.verification.canaries import Canary
from assistant.verification.people import Kind

_SHOWN = 50


@dataclass
class Report:
    """`leaks` and `missing` are sentences; the table counts checks by path and kind."""

    everyone: frozenset[str]
    everyone_level: int
    classes: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    checks: Counter[tuple[str, str]] = field(default_factory=Counter)  # by path and kind
    found: Counter[tuple[str, str]] = field(default_factory=Counter)  # of them: who may read it saw it
    wrong: Counter[tuple[str, str]] = field(default_factory=Counter)
    leaks: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def is_right(self) -> bool:
        return not (self.leaks or self.missing or self.broken)

    def judge(self, path: str, kind: Kind, canaries: Iterable[Canary], text: str, *, must_find: bool = True) -> None:
        """What this person was told there, against what he may read. Without `must_find` nothing has to be seen."""
        for canary in canaries:
            may_read = kind.may_read(canary.access_class, self.everyone, self.everyone_level)
            self.note(path, kind, canary, seen=canary.is_in(text), may_see=may_read, must_see=may_read and must_find)

    def note(self, path: str, kind: Kind, canary: Canary, *, seen: bool, may_see: bool, must_see: bool) -> None:
        place = (path, kind.name)
        self.checks[place] += 1
        self.found[place] += seen and may_see
        if seen and not may_see:
            self.wrong[place] += 1
            self.leaks.append(f"{path}: '{kind.name}' was shown the document of '{canary.name}'")
        if must_see and not seen:
            self.wrong[place] += 1
            self.missing.append(f"{path}: '{kind.name}' may read the document of '{canary.name}' and did not find it")

    def status(self, path: str, kind: Kind, status: int, allowed: set[int]) -> None:
        """An answer that a program must not give, such as 500."""
        self.checks[path, kind.name] += 1
        if status not in allowed:
            self.wrong[path, kind.name] += 1
            self.broken.append(f"{path}: '{kind.name}' got {status}, not {' or '.join(map(str, sorted(allowed)))}")

    def as_json(self) -> dict[str, Any]:
        table = [
            {
                "path": path,
                "kind": kind,
                "checks": count,
                "seen": self.found[path, kind],
                "wrong": self.wrong[path, kind],
            }
            for (path, kind), count in self.checks.items()
        ]
        return {
            "right": self.is_right,
            "checks": self.checks.total(),
            "seconds": round(self.seconds, 1),
            "classes": self.classes,
            "kinds": self.kinds,
            "leaks": self.leaks,
            "missing": self.missing,
            "broken": self.broken,
            "table": table,
        }

    def lines(self) -> list[str]:
        """For a person: the table, every wrong thing by name, and a sum."""
        paths = list(dict.fromkeys(path for path, _ in self.checks))
        wide = max(map(len, self.kinds), default=0)
        shown = ["paths:", *(f"  {number:>2} {path}" for number, path in enumerate(paths, start=1)), ""]
        shown.append(f"{'':{wide}}  " + " ".join(f"{number:>7}" for number in range(1, len(paths) + 1)))
        for kind in self.kinds:
            shown.append(f"{kind:{wide}}  " + " ".join(f"{self._cell(path, kind):>7}" for path in paths))
        shown += ["", "each cell: seen/checks, as it should be; ! marks what is wrong; · is not asked"]
        for title, wrong in (("LEAK", self.leaks), ("NOT FOUND", self.missing), ("BROKEN", self.broken)):
            shown += [f"{title}: {line}" for line in wrong[:_SHOWN]]
            shown += [f"{title}: and {len(wrong) - _SHOWN} more (--json has all)"] if len(wrong) > _SHOWN else []
        return [*shown, self.summary()]

    def summary(self) -> str:
        return (
            f"{self.checks.total()} checks of {len(self.classes)} classes as {len(self.kinds)} kinds of person in "
            f"{self.seconds:.0f} s: {len(self.leaks)} leaks, {len(self.missing)} not found, {len(self.broken)} broken"
        )

    def _cell(self, path: str, kind: str) -> str:
        if (path, kind) not in self.checks:
            return "·"
        mark = "!" if self.wrong[path, kind] else ""
        return f"{mark}{self.found[path, kind]}/{self.checks[path, kind]}"
