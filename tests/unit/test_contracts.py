"""The stable JSON says no more than its reader may know."""

from __future__ import annotations

from assistant.access.principal import AccessClass
from assistant.assistant import DocumentView
from assistant.contracts import document_json
from assistant.records.tables import DocumentRow


def view(document: str, **columns: object) -> DocumentView:
    row = DocumentRow(id=document, path=f"{document}.md", title=f"Title of {document}", details={}, **columns)
    return DocumentView(row, AccessClass("hr", 1))


def test_a_later_edition_is_named_to_those_only_who_may_read_it() -> None:
    older, newer = view("older", superseded_by="newer"), view("newer")
    assert document_json(older, {"older": older})["superseded_by"] is None
    assert document_json(older)["superseded_by"] is None
    named = {"document": "newer", "title": "Title of newer", "date": None}
    assert document_json(older, {"older": older, "newer": newer})["superseded_by"] == named
