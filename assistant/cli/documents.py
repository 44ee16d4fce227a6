"""`assistant ingest` and `assistant documents …`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.cli.context import note, of, print_json, show, told
from assistant.cli.ingest_view import live_progress, print_table
from assistant.signs import without_unseen

if TYPE_CHECKING:
    from assistant.assistant import Assistant
    from assistant.ingest.report import IngestReport

documents = typer.Typer(help="The catalog: what is loaded, what failed and why.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    app.command("ingest")(ingest)
    app.add_typer(documents, name="documents")


def ingest(
    context: typer.Context,
    pipelines: Annotated[
        list[str] | None, typer.Argument(help="Pipeline files or names; without: those of ingest.pipelines.")
    ] = None,
    source: Annotated[Path | None, typer.Option("--source", help="Another folder, by the same recipe.")] = None,
    department: Annotated[str | None, typer.Option(help="With --source: whose documents they are.")] = None,
    level: Annotated[
        int | None, typer.Option(min=1, max=1000, help="With --department: 1 every member (without), 2 managers …")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, change nothing.")] = False,
    accept_deletions: Annotated[
        bool, typer.Option("--accept-deletions", help="Most documents are gone from the source on purpose.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Load new and changed documents, remove deleted ones.

    Example: `assistant ingest --source /srv/share/hr --department hr`
    """
    from assistant.access.principal import AccessClass
    from assistant.errors import ConfigError

    if department == "" or (level is not None and department is None):
        raise ConfigError("--level needs --department NAME: say whose documents they are")
    access_class = AccessClass(department, level or 1) if department else None
    reports: list[IngestReport] = []
    with of(context).assistant() as assistant:
        try:
            for pipeline in pipelines or assistant.settings.ingest.pipelines:
                with live_progress(quiet=as_json) as progress:
                    report = assistant.ingest(
                        pipeline,
                        directory=source,
                        access_class=access_class,
                        dry_run=dry_run,
                        accept_deletions=accept_deletions,
                        progress=progress,
                        waiting=lambda: note("waiting for another ingest to finish …"),
                    )
                reports.append(report)
                if not as_json:
                    _print(report)
        finally:  # what was done before a later pipeline failed is not lost
            if reports and not as_json and any(report.chunks_added for report in reports):
                print_table(reports)
            if as_json and reports:
                found = [report.as_json() for report in reports]
                print_json(found[0] if len(found) == 1 else found)
    if any(report.failed for report in reports):
        raise typer.Exit(3)


def _print(report: IngestReport) -> None:
    """What was done on stdout; what was not loaded, and why, on stderr."""
    told(report.summary())
    for line in report.problems():
        note(line)


@documents.command("list")
def list_documents(
    context: typer.Context,
    status: Annotated[str | None, typer.Option(help="Only those: indexed or failed.")] = None,
    as_json: Json = False,
) -> None:
    """All documents of the catalog. Example: `assistant documents list --status failed`"""
    from assistant.contracts import document_json

    with of(context).assistant() as assistant:
        views = {view.row.id: view for view in assistant.documents()}
        found = [document_json(view, views) for view in views.values() if status in (None, view.row.status)]
    if as_json:
        print_json({"documents": found})
        return
    from rich.table import Table

    several = len({(row["pipeline"], row["source"]) for row in found}) > 1
    table = Table(
        "id",
        *(["source"] if several else []),
        "path",
        "class",
        "pages",
        "passages",
        "status",
        box=None,
        header_style="bold",
    )
    for row in found:
        access = f"{row['department']} {row['level']}" if row["department"] else "none"
        state = row["status"] if not row["error"] else f"{row['status']}: {row['error']}"
        if by := row["superseded_by"]:
            state += f", superseded by {by['title'] or by['document']} ({by['date'] or by['document']})"
        pages = f"{row['pages'] or ''}" + (f" ({row['ocr_pages']} by OCR)" if row.get("ocr_pages") else "")
        source = [row["source"] or row["pipeline"]] if several else []
        cells = (row["id"], *source, row["path"], access, pages, str(row["chunks"]), state)
        table.add_row(*map(without_unseen, cells))
    show(table, width=240)
    note(f"documents: {len(found)}")


@documents.command("show")
def show_document(context: typer.Context, document: str, as_json: Json = False) -> None:
    """One document by id or path, with its passages. Example: `assistant documents show "company/it/VPN.pdf"`"""
    from assistant.ui.texts import place_text

    with of(context).assistant() as assistant:
        view = _find(assistant, document)
        assistant.auditing.opened(assistant.principal(None), assistant.catalog.document(view["id"]), "text")
        passages = assistant.catalog.passages_of(view["id"])
    parts = [{"page": p.page, "page_kind": p.page_kind, "section": p.section, "text": p.text} for p in passages]
    if as_json:
        print_json({**view, "passages": parts})
        return
    for key, value in view.items():
        told(f"{key:12} {value}")
    for passage in passages:
        told(f"\n--- {' '.join(filter(None, [place_text(passage, 'en'), passage.section]))}")
        told(passage.text)


@documents.command("remove")
def remove_document(
    context: typer.Context,
    document: Annotated[str | None, typer.Argument(help="Id or path.")] = None,
    source: Annotated[Path | None, typer.Option(help="All that `ingest --source` loaded of this folder.")] = None,
    pipeline: Annotated[str | None, typer.Option(help="All documents of a pipeline, by its name.")] = None,
) -> None:
    """Take documents out of the index (kept generations too); they come back while a loaded source has their files.

    Example: `assistant documents remove --source /srv/share/hr`
    """
    from assistant.errors import ConfigError, NotFound
    from assistant.reindex.kept import remove_from_kept

    if sum(choice is not None for choice in (document, source, pipeline)) != 1:
        raise ConfigError("say what to remove: a document's id or path, or --source DIR, or --pipeline NAME")
    with of(context).assistant() as assistant:
        if document is not None:
            ids, name = [_find(assistant, document)["id"]], document
        else:
            place = str(source.expanduser().resolve()) if source else ""
            rows = [view.row for view in assistant.documents()]
            ids = [
                row.id
                for row in rows
                if (row.source == place if place else (row.pipeline, row.source) == (pipeline, ""))
            ]
            name = f"{len(ids)} documents of {place or pipeline}"
        if not ids:
            raise NotFound(f"nothing is loaded of {source or pipeline}: see `assistant documents list`")
        chunks = assistant.ingest.remove(ids, name)
        kept = remove_from_kept(assistant, ids)
        building = assistant.serving.generations.building()
    told(f"removed {name} ({chunks} passages)")
    for number, passages in kept.items():
        told(f"also from generation {number}, which is kept ({passages} passages)")
    if building is not None:
        note(
            f"generation {building.number} is half built and may hold them: `assistant reindex` goes on and takes them out, "
            f"`assistant reindex --drop {building.number}` removes it"
        )


def _find(assistant: Assistant, document: str) -> dict[str, str]:
    """A document by id or path. Raises `NotFound`."""
    from assistant.contracts import document_json
    from assistant.errors import NotFound

    views = {view.row.id: view for view in assistant.documents()}
    wanted = [view for view in views.values() if document in (view.row.id, view.row.path)]
    found = [document_json(view, views) for view in wanted]
    if not found:
        raise NotFound(f"there is no document '{document}': see `assistant documents list`")
    if len(found) > 1:
        raise NotFound(f"'{document}' is in several sources: give its id, see `assistant documents list`")
    return found[0]
