"""Values that several unit tests are written with."""

from __future__ import annotations

from pathlib import Path

from assistant.access.principal import AccessClass
from assistant.ask.events import Scores, Source, Standing
from assistant.index.catalog import Passage

RECIPE = """\
name: handbook
source: {directory: docs}
include: ["**/*"]
exclude: ["~$*"]
readers:
  .md: markdown
  .txt: text
transformations:
  - MarkdownSections
  - SentenceSplitter: {chunk_size: 320, chunk_overlap: 40}
access:
  - {match: "/hr/managers/**", department: hr, level: 2}
  - {match: "/hr/**", department: hr}
metadata: {company: "Северный ветер"}
"""


def write_recipe(folder: Path, *, old: str = "", new: str = "", text: str = RECIPE) -> Path:
    """The recipe with one piece of it replaced, in a file."""
    assert old in text, "the test replaces something that the recipe does not have"
    file = folder / "recipe.yaml"
    file.write_text(text.replace(old, new, 1), "utf-8")
    return file


def source(
    n: int,
    text: str,
    *,
    title: str = "Отпуск",
    section: str = "",
    page: str | None = None,
    page_kind: str = "page",
    standing: Standing | None = None,
) -> Source:
    """A source with the number `n` and the text of its passage."""
    passage = Passage(
        chunk=f"d{n}-v-0",
        document=f"d{n}",
        path=f"hr/{n}.md",
        title=title,
        section=section,
        page=page,
        position=0,
        text=text,
        class_id=1,
        access_class=AccessClass("hr", 1),
        page_kind=page_kind,
    )
    return Source(n, passage, score=1.0 / n, scores=Scores(), standing=standing or Standing())
