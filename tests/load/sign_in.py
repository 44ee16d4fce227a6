"""Whether the time of a refused sign-in tells which names exist: `python -m tests.load.sign_in` (add a number of rounds).

Prints the median times of an unknown name and of a wrong password, and how well one can be told from the other by its time:
the share of pairs (one of each) in which the unknown name took longer. 0.5 is a guess; 1 or 0 tells them apart for certain.
First the service alone, which is what an attacker could see at the very best; then over HTTP, where wrong passwords are
told after whole half seconds, with a directory that takes 30 ms for names that are not kept here.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx

from assistant.access.rights import Rights
from assistant.errors import WrongPassword
from assistant.parts.sign_in import Identity
from assistant.records.database import Database
from assistant.records.users import Users
from assistant.settings import Llm, Settings, Storage
from assistant.settings_security import Limits
from assistant.web.app import create_app
from assistant.wiring import build
from tests.integration.web_site import served
from tests.unit.accounts import PASSWORD, audit_of, service

NO_LIMIT = Limits(wrong_passwords=0, address_wrong_passwords=0)
KNOWN, UNKNOWN = "wrong password", "unknown name"


class Far:
    """A directory that answers, after a while, that it does not know anybody."""

    name, label = "corp", "Staff"

    def check(self, name: str, password: str) -> Identity | None:  # noqa: ARG002
        time.sleep(random.uniform(0.025, 0.035))
        return None

    def look_up(self, subject: str) -> Identity | None:  # noqa: ARG002
        return None


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'assistant.db'}")
        database.migrate(Path(folder) / "lock")
        Users(database, audit_of(database)).add("ivanova", PASSWORD, roles=[], departments=[], level=1)
        alone = service(database, rights=Rights(), limits=NO_LIMIT)

        def refused(name: str) -> None:
            try:
                alone.sign_in(name, "wrong")
            except WrongPassword:
                return
            raise AssertionError("somebody got in")

        _report("the service alone", _measured(refused, rounds))
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(storage=Storage(path=Path(folder)), llms=[Llm(provider="extractive")])
        with build(settings) as built:
            built.users.add("ivanova", PASSWORD, roles=[], departments=[], level=1)
            accounts = service(Database(settings.database_url), Far(), rights=Rights(), limits=NO_LIMIT)
            app = create_app(replace(built, accounts=accounts), ready=threading.Event())
            with served(app) as url, httpx.Client(base_url=url, headers={"origin": url}, trust_env=False) as client:

                def posted(name: str) -> None:
                    answer = client.post("/login", data={"name": name, "password": "wrong"})
                    assert answer.status_code == 401, answer.status_code

                _report("over HTTP, with a directory of 30 ms", _measured(posted, max(10, rounds // 10)))


def _measured(refused: Callable[[str], None], rounds: int) -> dict[str, list[float]]:
    """In random order, so that what else the machine does falls on both alike."""
    times: dict[str, list[float]] = {KNOWN: [], UNKNOWN: []}
    for name in ("ivanova", "nobody"):
        refused(name)  # the first of each imports and opens
    order = [KNOWN, UNKNOWN] * rounds
    random.shuffle(order)
    for kind in order:
        began = time.perf_counter()
        refused("ivanova" if kind == KNOWN else "nobody")  # the audit keeps one refusal of a name in a minute
        times[kind].append((time.perf_counter() - began) * 1000)
    return times


def _report(what: str, times: dict[str, list[float]]) -> None:
    known, unknown = times[KNOWN], times[UNKNOWN]
    told = sum(one > other for one in unknown for other in known) / (len(known) * len(unknown))
    print(f"{what}: {len(known)} of each")
    for kind, found in times.items():
        low, high = (statistics.quantiles(found, n=20)[place] for place in (0, 18))
        print(f"  {kind}: median {statistics.median(found):.1f} ms (5 to 95 %: {low:.1f} to {high:.1f})")
    ratio = statistics.median(unknown) / statistics.median(known)
    print(f"  ratio of the medians {ratio:.3f}; told apart in {told:.3f} of the pairs (0.5 is a guess)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
