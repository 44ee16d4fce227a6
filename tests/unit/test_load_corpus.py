"""The made corpus of the load tests: the same for the same seed, all different, and readable in every format."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from assistant.parts.readers import READERS, ReadContext
from tests.conftest import need
from tests.load import corpus, formats

SAMPLES = Path(__file__).parents[2] / "data" / "samples_src"
READER = {".md": "markdown", ".docx": "office", ".pdf": "pdf"}
NUMBER = 60


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[corpus.Made]]:
    need((formats.FONTS / "DejaVuSans.ttf").exists(), "fonts-dejavu-core")
    folder = tmp_path_factory.mktemp("corpus") / "documents"
    return folder, corpus.make(SAMPLES, folder, NUMBER, seed=5, processes=2)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def words(text: str) -> str:
    """Without line ends and punctuation, which readers may write in another way."""
    return " ".join(re.findall(r"\w+", text))


def test_the_same_seed_makes_the_same_bytes(made: tuple[Path, list[corpus.Made]], tmp_path: Path) -> None:
    folder, documents = made
    again = corpus.make(SAMPLES, tmp_path / "again", NUMBER, seed=5, processes=1)
    other = corpus.make(SAMPLES, tmp_path / "other", NUMBER, seed=6, processes=1)
    assert again == documents
    assert contents(tmp_path / "again") == contents(folder)
    assert {document.sentence for document in other}.isdisjoint(document.sentence for document in documents)


def test_documents_differ_and_are_spread(made: tuple[Path, list[corpus.Made]]) -> None:
    folder, documents = made
    assert set(contents(folder)) == {document.path for document in documents}
    assert len(set(contents(folder).values())) == NUMBER
    assert {document.lang for document in documents} == {"ru", "en"}
    assert {Path(document.path).suffix for document in documents} == set(READER)
    assert {document.path.partition("/")[0] for document in documents} == set(corpus.DEPARTMENTS)


def test_our_readers_find_each_documents_own_sentence(made: tuple[Path, list[corpus.Made]]) -> None:
    folder, documents = made
    for document in documents:
        file = folder / document.path
        parts = READERS.build(READER[file.suffix]).read(file, ReadContext()).parts
        text = words(" ".join(part.text for part in parts))
        assert words(document.sentence) in text, document.path
        assert len(text) > 300, document.path


def test_a_day_later_a_share_is_another(made: tuple[Path, list[corpus.Made]], tmp_path: Path) -> None:
    folder, _ = made
    copy = tmp_path / "copy"
    for path, content in contents(folder).items():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / path).write_bytes(content)
    before = contents(copy)
    done = corpus.change(copy, 0.5, seed=1)
    after = contents(copy)
    assert done == {"edited": 21, "deleted": 3, "added": 3, "renamed": 3}
    assert sum(after.get(path) not in (None, content) for path, content in before.items()) == done["edited"]
    assert sum(path not in after for path in before) == done["deleted"] + done["renamed"]
    assert sum(path not in before for path in after) == done["added"] + done["renamed"]
    assert len(set(after.values())) == len(after)


def test_an_appended_paragraph_is_read_in_every_format(made: tuple[Path, list[corpus.Made]], tmp_path: Path) -> None:
    folder, documents = made
    for suffix, name in READER.items():
        original = next(folder / document.path for document in documents if document.path.endswith(suffix))
        file = tmp_path / f"longer{suffix}"
        file.write_bytes(corpus.appended(original, "Новый порядок действует с марта."))
        text = " ".join(part.text for part in READERS.build(name).read(file, ReadContext()).parts)
        assert "Новый порядок действует с марта" in words(text)
