"""Long tables are cut between rows with their header repeated; everything else passes as it is."""

from __future__ import annotations

import time

import pytest
from llama_index.core.schema import Document, TextNode

from assistant.errors import ConfigError
from assistant.ingest.splitting import _pieces
from assistant.parts.node_parsers import MarkdownSections, build_transformation

HEADER = "| Товар | Число |\n| --- | --- |"


def pieces(text: str, chunk_size: int = 60, **metadata: str) -> list[str]:
    """Tokens are words here; a delimiter row counts like any."""
    cut = build_transformation("TableRows", {"chunk_size": chunk_size}, str.split)
    return [node.get_content() for node in cut([TextNode(text=text, metadata=metadata)])]


def table(rows: int) -> str:
    return "\n".join([HEADER, *(f"| болт {number} | {number} |" for number in range(rows))])


@pytest.mark.parametrize("text", ["просто | текст", "Длинный текст без таблицы. " * 100, f"До\n\n{table(3)}\n\nПосле"])
def test_what_fits_or_has_no_table_passes_as_it_is(text: str) -> None:
    node = TextNode(text=text)
    cut = build_transformation("TableRows", {"chunk_size": 60}, str.split)
    assert cut([node]) == [node]


def test_a_long_table_repeats_its_header_and_cuts_no_row() -> None:
    found = pieces(table(40))
    assert all(piece.startswith(f"{HEADER}\n| болт") for piece in found)
    assert all(len(piece.split()) <= 60 for piece in found)
    assert [line for piece in found for line in piece.split("\n")[2:]] == table(40).split("\n")[2:]


def test_prose_stays_with_its_neighbours() -> None:
    story = "слово " * 50
    found = pieces(f"{story}\n\nОстатки на складе:\n\n{table(12)}\n\nПосле таблицы.")
    assert found[0] == story
    assert found[1].startswith(f"Остатки на складе:\n\n{HEADER}\n| болт 0 | 0 |")
    assert found[-1].endswith("\n\nПосле таблицы.")
    assert all(len(piece.split()) <= 60 for piece in found)


def test_a_table_that_fits_into_a_node_of_its_own_is_not_cut() -> None:
    found = pieces(f"{'слово ' * 30}\n\n{table(6)}\n\n{'слово ' * 30}")
    assert [piece.count(HEADER) for piece in found] == [0, 1, 0]
    assert table(6) in found[1]


def test_title_and_section_take_their_room() -> None:
    long = pieces(table(40), title="раз два три четыре пять шесть семь", section="восемь девять десять")
    assert len(long) > len(pieces(table(40)))


def test_a_row_longer_than_a_node_stays_whole_and_a_huge_header_stands_once() -> None:
    wide = f"| {'слово ' * 100}| 1 |"
    found = pieces(f"{table(3)}\n{wide}\n| гайка | 2 |")
    assert any(wide in piece for piece in found)
    assert found[-1] == f"{HEADER}\n| гайка | 2 |"
    names = "| " + " | ".join(f"колонка {number}" for number in range(40)) + " |"
    text = f"{names}\n|{' --- |' * 40}\n" + "\n".join(f"|{f' {row} |' * 40}" for row in range(20))
    assert sum(piece.count("колонка 7 ") for piece in pieces(text, 100)) == 1


def test_a_table_that_goes_on_in_the_next_piece_of_a_long_document_keeps_its_header() -> None:
    whole = f"# Склад\n\n{table(20_000)}"
    documents = [Document(id_="one", text=piece, metadata={"page_label": "Лист1"}) for piece in _pieces(whole)]
    assert len(documents) > 1
    nodes = build_transformation("TableRows", {"chunk_size": 60}, str.split)(MarkdownSections()(documents))
    assert all(node.get_content().startswith(HEADER) for node in nodes)
    assert sum(node.get_content().count("| болт") for node in nodes) == 20_000


def test_a_sheet_of_fifty_thousand_rows_takes_seconds() -> None:
    begun = time.process_time()
    assert sum(piece.count("| болт") for piece in pieces(table(50_000), 320)) == 50_000
    assert time.process_time() - begun < 10


def test_metadata_reaches_every_node() -> None:
    node = TextNode(text=table(40), metadata={"page_label": "7"}, excluded_embed_metadata_keys=["page_label"])
    found = build_transformation("TableRows", {"chunk_size": 60}, str.split)([node])
    assert {part.metadata["page_label"] for part in found} == {"7"}
    assert all(part.excluded_embed_metadata_keys == ["page_label"] for part in found)


def test_wrong_arguments_are_a_sentence() -> None:
    with pytest.raises(ConfigError, match="TableRows has no argument 'size'"):
        build_transformation("TableRows", {"size": 5}, None)
    with pytest.raises(ConfigError, match="TableRows, argument 'chunk_size'"):
        build_transformation("TableRows", {"chunk_size": 0}, None)
