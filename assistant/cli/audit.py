"""`assistant audit …`: what was done, whether it is whole, and for whoever asks about a person."""

from __future__ import annotations

import csv
import io
import json
import sys
import time
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.cli.context import note, of, print_json
from assistant.errors import ConfigError, StorageError

if TYPE_CHECKING:
    from assistant.records.audit_record import AuditRecord

audit = typer.Typer(help="The record of what was done.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_LOOK_SECONDS = 1.0
_SHOWN = 50  # problems that are named on the screen
_COLUMNS = ("number", "at", "kind", "actor_id", "actor", "address", "details", "previous", "hash")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # spreadsheets run what begins so


class Format(StrEnum):
    jsonl = "jsonl"
    csv = "csv"


def register(app: typer.Typer) -> None:
    app.add_typer(audit, name="audit")


@audit.command("tail")
def tail(
    context: typer.Context,
    lines: Annotated[int, typer.Option("-n", "--lines", min=0, help="How many of the last records.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new ones until Ctrl+C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """The last records. Example: `assistant audit tail -n 50 --follow`"""
    from assistant.wiring import open_audit

    found = open_audit(of(context).settings())
    number = max(0, found.head().number - lines)
    while True:
        for record in found.records(after=number):
            print(record.line() if as_json else _readable(record), flush=follow)
            number = record.number
        if not follow:
            return
        time.sleep(_LOOK_SECONDS)


@audit.command("verify")
def verify(context: typer.Context, as_json: Json = False) -> None:
    """Compare chain, database and files; every changed, removed or moved record is named. Exit code 1 if there is one.

    Example: `assistant audit verify`
    """
    from assistant.wiring import open_audit

    found = open_audit(of(context).settings()).verify()
    if as_json:
        problems = [problem.__dict__ for problem in found.problems]
        print_json({"records": found.records, "head": found.head.__dict__, "problems": problems})
    else:
        for problem in found.problems[:_SHOWN]:
            named = f"record {problem.number} " if problem.number is not None else ""
            about = f"({problem.at} {problem.kind}) " if problem.at else ""
            print(_plain(f"{named}{about}{problem.what}"))
        if len(found.problems) > _SHOWN:
            print(f"… and {len(found.problems) - _SHOWN} more: see --json")
        print(f"records: {found.records}; head: {found.head.number} {found.head.hash}")
    if found.problems:
        note(
            f"the audit is not whole (problems: {len(found.problems)}); "
            "what to do: docs/audit.md, 'When verify finds something'"
        )
        raise typer.Exit(1)


@audit.command("head")
def head(context: typer.Context, as_json: Json = False) -> None:
    """Number and hash of the newest record, to be kept elsewhere: later they show whether the end was cut off.

    Example: `assistant audit head | mail -s "audit head" security@example.com`
    """
    from assistant.wiring import open_audit

    found = open_audit(of(context).settings()).head()
    if as_json:
        print_json(found.__dict__)
    else:
        print(f"{found.number} {found.hash}")


@audit.command("export")
def export(
    context: typer.Context,
    user: Annotated[str | None, typer.Option(help="Only what this person did: a name or an id.")] = None,
    since: Annotated[str | None, typer.Option(help="A day or a moment: 2026-11-29, 2026-11-29T13:00 (UTC).")] = None,
    until: Annotated[str | None, typer.Option(help="Likewise; a day is meant with its end.")] = None,
    wanted: Annotated[Format, typer.Option("--format", help="jsonl or csv.")] = Format.jsonl,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file; without, or -: stdout.")] = None,
) -> None:
    """Records by person and time. Example: `assistant audit export --user ivanova --since 2026-11-01 --format csv`"""
    from assistant.access.principal import LOCAL_OPERATOR
    from assistant.wiring import open_audit

    first, last = _moment(since, ends=False), _moment(until, ends=True)
    found = open_audit(of(context).settings())
    chosen = {name: value for name, value in (("user", user), ("since", first), ("until", last)) if value}
    output = None if output == Path("-") else output
    found.record("export", LOCAL_OPERATOR, what="audit", format=wanted.value, **chosen)
    rows = _rows(found.records(person=user, since=first, until=last), wanted)
    try:
        if output is None:
            sys.stdout.writelines(rows)
        else:
            with output.open("w", encoding="utf-8", newline="") as out:
                out.writelines(rows)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StorageError(f"{output} can't be written: {error.strerror}") from error


def _rows(records: Iterable[AuditRecord], wanted: Format) -> Iterator[str]:
    if wanted is Format.jsonl:
        yield from (f"{record.line()}\n" for record in records)
        return
    line = io.StringIO()
    writer = csv.writer(line)
    writer.writerow(_COLUMNS)
    yield line.getvalue()
    for record in records:
        line.seek(0)
        line.truncate()
        writer.writerow([_cell(value) for value in record.values().values()])
        yield line.getvalue()


def _cell(value: object) -> object:
    """A text that a spreadsheet would run as a formula is one behind an apostrophe."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _moment(given: str | None, *, ends: bool) -> str | None:
    """As records have it. Raises `ConfigError`."""
    if given is None:
        return None
    try:
        if len(given) == len("2026-11-29"):
            day = date.fromisoformat(given) + timedelta(days=ends)
            moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
        else:
            moment = datetime.fromisoformat(given)
    except ValueError as error:
        raise ConfigError(f"'{given}' is no time: write 2026-11-29 or 2026-11-29T13:00 (UTC)") from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _readable(record: AuditRecord) -> str:
    who = record.actor or "-"
    details = " ".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in _details(record))
    return _plain(f"{record.number}  {record.at[:19]}Z  {record.kind}  {who} ({record.address})  {details}")


def _details(record: AuditRecord) -> Iterable[tuple[str, object]]:
    found = json.loads(record.details)
    assert isinstance(found, dict)
    return found.items()


def _plain(text: str) -> str:
    """What people typed must not steer the terminal."""
    return "".join(f"\\u{ord(char):04x}" if unicodedata.category(char) in ("Cc", "Cf", "Cs") else char for char in text)
