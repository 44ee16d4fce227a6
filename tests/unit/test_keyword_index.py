"""The word index heals: what is gone, damaged, or of another database is built anew."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from assistant.access.principal import AccessClass
from assistant.errors import IndexNotReady, StorageError
from assistant.index import keyword, keyword_build, keyword_retriever
from assistant.index.catalog import Catalog, Write
from assistant.index.glossary import Glossary
from assistant.index.keyword import KeywordIndex
from assistant.index.terms import terms
from assistant.index.words import words
from assistant.records.database import Database
from assistant.records.tables import ChunkColumns, DocumentRow


def filled(folder: Path, word: str) -> Catalog:
    """A database of its own with one passage, after one change."""
    folder.mkdir(exist_ok=True)
    database = Database(f"sqlite:///{folder / 'assistant.db'}")
    database.migrate(folder / "lock")
    catalog = Catalog(database)
    number = catalog.class_id(AccessClass("company", 1))
    row = DocumentRow(id="d", pipeline="p", source="", path="d.md", status="indexed", class_id=number, chunks=1)
    catalog.commit_versions([(row, [_chunk("d", 0, word, number, key=f"d-{word}")])])
    return catalog


def found(index: KeywordIndex, word: str) -> list[str]:
    retriever = index.current()
    assert retriever is not None
    return list(retriever.search(words(word), frozenset({1}), 3))


def current(folder: Path) -> Path:
    return folder / (folder / "CURRENT").read_text()


def cut_short(folder: Path) -> None:
    file = current(folder) / "chunks.npy"
    file.write_bytes(file.read_bytes()[:-3])


DAMAGES: dict[str, Callable[[Path], object]] = {
    "gone": lambda folder: shutil.rmtree(current(folder)),
    "cut short": cut_short,
    "empty": lambda folder: (current(folder) / "classes.npy").write_bytes(b""),
    "no json": lambda folder: (current(folder) / "vocab.index.json").write_text("{"),
    "other json": lambda folder: (current(folder) / "params.index.json").write_text("[]"),
    "pointer": lambda folder: (folder / "CURRENT").write_bytes(b"\xff\0garbage"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_is_said_and_made_anew(tmp_path: Path, damage: str) -> None:
    catalog = filled(tmp_path, "zebra")
    folder = tmp_path / "bm25"
    assert KeywordIndex(folder, catalog).refresh()
    assert not KeywordIndex(folder, catalog).refresh()
    DAMAGES[damage](folder)
    index = KeywordIndex(folder, catalog)
    with pytest.raises(IndexNotReady, match="run `assistant ingest`"):
        index.current()
    assert KeywordIndex(folder, catalog).refresh()
    assert found(index, "zebra") == ["d-zebra"]


def test_the_words_of_a_passage_are_those_of_its_text_alone(tmp_path: Path) -> None:
    catalog = filled(tmp_path, "zebra")
    row = DocumentRow(id="e", pipeline="p", source="", path="e.md", status="indexed", class_id=1, chunks=1)
    row.title = "Horses of 2024"
    chunk = _chunk("e", 0, "Zebras run, zebras sleep: 42 days", 1) | {"section": "The steppe"}
    catalog.commit_versions([(row, [chunk])])
    KeywordIndex(tmp_path / "bm25", catalog).refresh()
    retriever = KeywordIndex(tmp_path / "bm25", catalog).current()
    assert retriever is not None
    passage = catalog.passages_of("e")[0]
    assert retriever.words_of(passage) == frozenset(words("zebras run sleep 42 days"))
    assert retriever.words_of(replace(passage, chunk="newer", text="Sheep")) == frozenset(words("sheep"))


def test_swapped_twice_between_reading_and_opening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = filled(tmp_path, "zebra")
    folder, load = tmp_path / "bm25", keyword_retriever.load
    KeywordIndex(folder, catalog).refresh()
    before = current(folder)

    def load_late(wanted: Path) -> keyword_retriever.KeywordRetriever:
        if wanted == before and wanted.exists():
            shutil.copytree(before, folder / f"{before.name}x")
            (folder / "CURRENT").write_text(f"{before.name}x")
            shutil.rmtree(before)
        return load(wanted)

    monkeypatch.setattr(keyword_retriever, "load", load_late)
    assert found(KeywordIndex(folder, catalog), "zebra") == ["d-zebra"]


def test_another_database_that_counted_as_far_has_another_index(tmp_path: Path) -> None:
    """As after a change of database.url."""
    one, other = filled(tmp_path / "one", "zebra"), filled(tmp_path / "other", "okapi")
    assert one.chunks_version() == other.chunks_version()
    assert one.store_id() == Catalog(one._database).store_id() != other.store_id()
    index = KeywordIndex(tmp_path / "bm25", one)
    assert index.refresh()
    assert KeywordIndex(tmp_path / "bm25", other).refresh()
    assert (found(index, "zebra"), found(index, "okapi")) == ([], ["d-okapi"])


def test_an_index_of_another_version_or_other_parameters_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = filled(tmp_path, "zebra")
    index = KeywordIndex(tmp_path / "bm25", catalog)
    assert index.problem() == "", "nothing is there yet"
    with monkeypatch.context() as context:
        context.setattr(keyword, "rules", lambda: "of an older version")
        index.refresh()
        assert index.problem() == ""
    assert index.problem() == "the word index was cut into words by another version of the assistant"
    assert index.refresh()
    assert index.problem() == ""
    other = KeywordIndex(tmp_path / "bm25", catalog, k1=1.2)
    assert other.problem() == "the word index was made with other retrieval.bm25_k1 or bm25_b"
    for damage in ("gone", "cut short", "empty", "no json", "pointer"):
        DAMAGES[damage](tmp_path / "bm25")
        assert index.problem() == "the word index is not whole", damage
        assert index.refresh()


def test_an_id_whose_vectors_are_still_to_be_deleted_is_not_used(tmp_path: Path) -> None:
    """A new document under it would be settled with the old one's vectors."""
    catalog = filled(tmp_path, "zebra")
    catalog.begin_writes([Write("e", "g1-c1", "v", 1)])
    assert catalog.taken_ids() == {"d", "e"}


def test_vectors_of_another_model_are_noticed_and_moved_ones_are_not(tmp_path: Path) -> None:
    catalog = filled(tmp_path, "zebra")
    assert catalog.has_lost_vectors([1], {"gnew-c1"}), "no vectors at all"
    catalog.begin_writes([Write("d", "gold-c1", "v", 1)])
    assert catalog.has_lost_vectors([1], {"gnew-c1"}), "of another model"
    catalog.begin_writes([Write("d", "gnew-c1", "v", 1)])
    assert catalog.has_lost_vectors([1], {"gnew-c1"}), "noted, and not there"
    assert not catalog.has_lost_vectors([2], {"gnew-c2"}), "a class without documents"
    catalog.begin_writes([Write("d", "gnew-c2", "v", 1)])
    assert not catalog.has_lost_vectors([1], {"gnew-c1"}), "still where it is moved from"


def test_only_new_chunks_are_cut_into_words_and_the_index_is_as_built_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = filled(tmp_path, "zebra")
    index = KeywordIndex(tmp_path / "bm25", catalog)
    index.refresh()
    number = catalog.class_id(AccessClass("hr", 2))
    row = DocumentRow(id="e", pipeline="p", source="", path="e.md", status="indexed", class_id=number, chunks=2)
    texts = ("gnu and zebra, gnu", "okapi")
    catalog.commit_versions([(row, [_chunk("e", place, text, number) for place, text in enumerate(texts)])])
    seen: list[str] = []
    monkeypatch.setattr(keyword_build, "words", lambda text: seen.append(text) or words(text))
    assert index.refresh()
    assert seen == list(texts)
    anew = KeywordIndex(tmp_path / "anew", catalog)
    assert anew.refresh()
    ours, fresh = index.current(), anew.current()
    assert ours is not None
    assert fresh is not None
    library = keyword_retriever.index_words([words(text) for text in ("zebra", *texts)])
    for question in ("zebra", "gnu", "okapi zebra", "lion"):
        scores = ours.scores(words(question), frozenset({1, number}))
        assert scores.tolist() == fresh.scores(words(question), frozenset({1, number})).tolist()
        asked = library.get_tokens_ids(words(question))
        expected = library.get_scores_from_ids(asked) if asked else [0, 0, 0]
        assert scores == pytest.approx(expected, abs=1e-6)
        readable = frozenset({1, number})
        named = terms(question, fresh.vocabulary(readable), Glossary())
        passages = catalog.passages(catalog.chunk_classes()[0])
        assert ours.evidence(named, passages) == fresh.evidence(named, passages)
    (near,) = fresh.evidence(terms("okapi", fresh.vocabulary(readable), Glossary()), catalog.passages(["e-1"])).values()
    assert near.coverage == 1.0


def _chunk(document: str, position: int, text: str, class_id: int, key: str = "") -> ChunkColumns:
    return {
        "id": key or f"{document}-{position}",
        "document_id": document,
        "class_id": class_id,
        "position": position,
        "page": None,
        "page_kind": "page",
        "section": "",
        "text": text,
    }


def test_an_index_that_could_not_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each try of a run over a full disk would leave a piece of one."""
    catalog, folder = filled(tmp_path, "zebra"), tmp_path / "bm25"
    index = KeywordIndex(folder, catalog)
    index.refresh()
    before = current(folder)
    (folder / "left by a run that was killed").mkdir()

    def full(self: object, *_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr(keyword_build.bm25s.BM25, "save", full)
        for _ in range(2):
            with pytest.raises(StorageError, match="No space left on device"):
                index.refresh(anew=True)
    assert [path for path in folder.iterdir() if path.is_dir()] == [before]
    assert found(index, "zebra") == ["d-zebra"]
    assert index.refresh(anew=True)


def test_an_index_of_another_versions_words_is_built_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question would be stemmed as today, and the passages as they were."""
    catalog, folder = filled(tmp_path, "zebra"), tmp_path / "bm25"
    with monkeypatch.context() as context:
        context.setattr(keyword, "rules", lambda: "of an older version")
        context.setattr(keyword_build, "words", lambda text: [word[:2] for word in words(text)])
        assert KeywordIndex(folder, catalog).refresh()
    index = KeywordIndex(folder, catalog)
    assert found(index, "zebra") == []
    assert index.refresh()
    assert found(index, "zebra") == ["d-zebra"]
    assert not index.refresh()


def test_many_changes_leave_the_index_that_is_made_anew(tmp_path: Path) -> None:
    """Documents come, change and go; words come with them and are forgotten."""
    chance, catalog = random.Random(11), filled(tmp_path, "zebra")
    index = KeywordIndex(tmp_path / "bm25", catalog)
    vocabulary = [f"word{number}" for number in range(60)]
    for step in range(12):
        rows = []
        for document in chance.sample("abcdefghijkl", 3):
            texts = [" ".join(chance.choices(vocabulary[step : step + 30], k=9)) for _ in range(chance.randint(1, 4))]
            row = DocumentRow(id=document, pipeline="p", source="", path=document, status="indexed", class_id=1)
            row.chunks = len(texts)
            known = {one.id: one for one in catalog.documents()}
            chunks = [
                _chunk(document, place, text, 1, f"{document}-{step}-{place}") for place, text in enumerate(texts)
            ]
            rows.append((known.get(document, row), chunks))
        catalog.commit_versions(rows)
        catalog.forget(chance.sample("abcdefghijkl", 2))
        assert index.refresh()
        ours = index.current()
        assert ours is not None
        texts = list(catalog.indexed_texts([key.decode() for key in ours.chunks]))
        names = {number: word for word, number in ours.bm25.vocab_dict.items()}
        kept = [[names[number] for number in part] for part in np.split(ours._tokens, ours._offsets[1:-1])]
        assert kept == [words(text) for text in texts], "the words of each passage, in their order"
        library = keyword_retriever.index_words([words(text) for text in texts])
        assert set(ours.bm25.vocab_dict) - {""} == {word for text in texts for word in words(text)}
        for word in vocabulary:
            asked = library.get_tokens_ids(words(word))
            scores = library.get_scores_from_ids(asked) if asked else [0] * len(texts)
            assert ours.scores(words(word), frozenset({1})) == pytest.approx(scores, abs=1e-6)


def test_coverage_is_the_share_of_the_questions_words_by_rarity(tmp_path: Path) -> None:
    catalog = filled(tmp_path, "zebra")
    row = DocumentRow(id="e", pipeline="p", source="", path="e.md", status="indexed", class_id=1, chunks=3)
    texts = ("gnu and zebra, gnu", "okapi", "zebra")
    catalog.commit_versions([(row, [_chunk("e", place, text, 1) for place, text in enumerate(texts)])])
    index = KeywordIndex(tmp_path / "bm25", catalog)
    index.refresh()
    ours = index.current()
    assert ours is not None
    rarity = ours.rarity(["gnu", "zebra", "lion"])
    total = sum(rarity.values())
    gone = replace(catalog.passages(["e-2"])["e-2"], chunk="zzz")  # as one that this index does not have yet
    passages = catalog.passages(["e-2", "nothing", "e-0", "e-1"]) | {"zzz": gone}

    def covered(question: str) -> dict[str, float]:
        asked = terms(question, ours.vocabulary(frozenset({1})), Glossary())
        return {key: one.coverage for key, one in ours.evidence(asked, passages).items()}

    assert covered("Zebra, gnu or lion?") == pytest.approx(
        {
            "e-2": rarity["zebra"] / total,
            "zzz": rarity["zebra"] / total,
            "e-0": (rarity["gnu"] + rarity["zebra"]) / total,
            "e-1": 0.0,
        }
    )
    assert covered("lion") == covered("") == dict.fromkeys(passages, 0.0)
    assert ours.evidence([], {}) == {}
