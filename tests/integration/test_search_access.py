"""Who finds what: real retrieval over many access classes, against a rule that is written here a second time."""

from __future__ import annotations

import asyncio
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.access.principal import LOCAL_OPERATOR, AccessClass, Principal
from assistant.ask.retrieval import METHODS
from assistant.assistant import Assistant
from assistant.errors import IndexNotReady, InvalidQuestion
from assistant.index.search import Dense
from assistant.settings import Access
from assistant.wiring import build
from tests.integration import company
from tests.integration.company import ROOT

pytestmark = pytest.mark.server

CLASSES = [
    *(("company", 1), ("company", 2), ("hr", 1), ("hr", 2), ("hr", 3), ("Отдел кадров", 1), ("Отдел кадров", 2)),
    *(("отдел кадров", 1), ("Бухгалтерия", 1), ("Бухгалтерия", 3), ("IT & связь / 'ночь'", 1), ("sales", 1)),
]
EVERYONE = "company"
WORDS = [
    "отпуск",
    "приказ",
    "договор",
    "оклад",
    "vacation",
    "order",
    "contract",
    "salary",
    "server",
    "invoice",
    "пропуск",
    "склад",
]
PER_CLASS = 6


def may_read(person: Principal, department: str, level: int) -> bool:
    return (department == EVERYONE or department in person.departments) and level <= person.level


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    """Documents of all classes about the same few things, each with its class's number in it."""
    place, chance = tmp_path_factory.mktemp("classes"), random.Random(7)
    for number in range(len(CLASSES)):
        texts = {
            f"{number}/{n}.md": f"# {chance.choice(WORDS)} {n}\n\n{' '.join(chance.sample(WORDS, 5))} class{number}."
            for n in range(PER_CLASS)
        }
        company.write(place / "docs", texts)
    rules = {f"/{number}/**": found for number, found in enumerate(CLASSES)}
    text = company.recipe(place / "company.yaml", place / "docs").read_text().partition("access:")[0]
    lines = [f'  - {{match: "{match}", department: "{found[0]}", level: {found[1]}}}' for match, found in rules.items()]
    (place / "company.yaml").write_text(text + "access:\n" + "\n".join(lines))
    with build(company.settings(place / "storage", access=Access(everyone=[EVERYONE]))) as assistant:
        report = assistant.ingest(place / "company.yaml")
        assert (report.added, report.failed) == (len(CLASSES) * PER_CLASS, [])
        yield assistant


def people(chance: random.Random) -> Iterator[Principal]:
    departments = sorted({department for department, _ in CLASSES}) + ["nowhere", "", "HR", "Отдел"]
    while True:
        chosen = frozenset(chance.sample(departments, chance.randint(0, 4)))
        roles = frozenset(chance.sample(["user", "engineer", "admin"], 2))
        yield Principal("x", "Somebody", roles=roles, departments=chosen, level=chance.randint(1, 4))


def question(chance: random.Random) -> str:
    if chance.random() < 0.05:
        return "xyzzy"  # a word like no other
    return " ".join([*chance.sample(WORDS, chance.randint(1, 3)), f"class{chance.randrange(len(CLASSES))}"])


def test_nobody_finds_what_they_may_not_read(assistant: Assistant) -> None:
    """And finds all that they may, where the method finds everything. Another seed for another 300 pairs."""
    chance = random.Random(20240918)
    everybody = people(chance)

    async def check(person: Principal, asked: str, method: str) -> int:
        found = await assistant.search(asked, person, k=200, method=method)
        passages = [source.passage for source in found.sources]
        for passage in passages:
            number = int(passage.path.partition("/")[0])
            assert may_read(person, *CLASSES[number]), (person, asked, method, passage)
            assert f"class{number}." in passage.text
        if method != "bm25":
            readable = sum(may_read(person, *found) for found in CLASSES)
            assert len({passage.chunk for passage in passages}) == readable * PER_CLASS, (person, asked, method)
        return len(passages)

    async def check_all() -> list[int]:
        found: list[int] = []
        for _ in range(30):
            pairs = [(next(everybody), question(chance)) for _ in range(10)]
            found += await asyncio.gather(*(check(*pair, method) for pair in pairs for method in METHODS))
        return found

    found = asyncio.run(check_all())
    assert (len(found), min(found) == 0) == (300 * len(METHODS), True)  # by words alone some find nothing
    assert max(found) > 20


@pytest.mark.parametrize("method", METHODS)
def test_somebody_without_departments_sees_what_is_for_everyone(assistant: Assistant, method: str) -> None:
    for nobody in (Principal("0", "Nobody"), Principal("0", "Nobody", roles=frozenset({"admin"}))):
        found = {source.passage.access_class for source in _all(assistant, nobody, method)}
        assert found == {AccessClass(EVERYONE, 1)}


def test_the_local_operator_reads_all(assistant: Assistant) -> None:
    assert len(_all(assistant, LOCAL_OPERATOR, "vector")) == len(CLASSES) * PER_CLASS


def test_class_in_the_catalog_decides_before_indexes_have_followed(assistant: Assistant) -> None:
    """Chroma and BM25 still have the document in its old class."""
    catalog = assistant.catalog
    row = next(view.row for view in assistant.documents() if view.row.path == "11/0.md")
    old, new = row.class_id, catalog.class_id(AccessClass("hr", 3))
    sales = Principal("s", "Sales", departments=frozenset({"sales"}))
    assert old is not None
    try:
        catalog.change_class([(row, new)])
        for method in METHODS:
            assert "11/0.md" not in {source.passage.path for source in _all(assistant, sales, method)}
    finally:
        catalog.change_class([(row, old)])
    assert "11/0.md" in {source.passage.path for source in _all(assistant, sales, "vector")}


@pytest.mark.parametrize(
    "asked",
    ["'; DROP TABLE chunks; --", "* OR 1=1", "😀", "\x00отпуск", "а" * 4000, "class3 " * 500, "the of and", "Ё" * 50],
    ids=range(8),
)
def test_odd_questions_find_nothing_forbidden(assistant: Assistant, asked: str) -> None:
    person = Principal("h", "Hr", departments=frozenset({"hr"}))
    for method in METHODS:
        for source in company.search(assistant, asked, person, method=method, k=200).sources:
            assert may_read(person, *CLASSES[int(source.passage.path.partition("/")[0])])


@pytest.mark.parametrize("asked", ["\ud83d отпуск", "отпуск \udcff"])
def test_half_of_a_character_does_no_harm(assistant: Assistant, asked: str) -> None:
    """JSON may carry it; neither a tokenizer nor a database takes it."""
    assert company.search(assistant, asked, LOCAL_OPERATOR).sources
    assistant.retriever.checked(asked).encode()


def test_what_may_not_be_read_moves_no_score(assistant: Assistant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a document that is just being moved the indexes still have the old class."""
    person, search = Principal("s", "Sales", departments=frozenset({"sales"})), assistant.retriever._search
    before = [(source.passage.chunk, source.score) for source in _all(assistant, person, "hybrid")]
    forbidden = next(
        source.passage.chunk
        for source in _all(assistant, LOCAL_OPERATOR, "vector")
        if source.passage.access_class.department == "hr"
    )
    sparse, dense = search.sparse, search.dense
    monkeypatch.setattr(search, "sparse", lambda *given: {forbidden: 1000.0} | sparse(*given))
    monkeypatch.setattr(search, "dense", lambda *given: Dense(dense(*given).found | {forbidden: -1.0}))
    assert [(source.passage.chunk, source.score) for source in _all(assistant, person, "hybrid")] == before


@pytest.mark.parametrize("asked", ["", " \n\t ", "\0", "word " * 801])
def test_question_that_is_none(assistant: Assistant, asked: str) -> None:
    with pytest.raises(InvalidQuestion, match="question"):
        company.search(assistant, asked)


def test_no_documents_yet(tmp_path: Path) -> None:
    with (
        build(company.settings(tmp_path / "storage")) as empty,
        pytest.raises(IndexNotReady, match="run `assistant ing"),
    ):
        company.search(empty, "отпуск")


def test_vector_store_that_is_down_is_said_and_words_find(
    assistant: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = assistant.settings.model_copy(
        update={"chroma": assistant.settings.chroma.model_copy(update={"mode": "server", "port": 9})}
    )
    with build(settings) as lame:
        found = company.search(lame, "отпуск class2", Principal("h", "Hr", departments=frozenset({"hr"})))
    assert [notice.kind for notice in found.notices] == ["keyword_only"]
    assert {source.passage.access_class.department for source in found.sources} <= {"hr", EVERYONE}


def test_no_persistent_client_anywhere() -> None:
    """Two processes on one path lose vectors: only HttpClient is right."""
    found = subprocess.run(
        ["grep", "-rnE", r"(Persistent|Ephemeral)Client\(|chromadb\.Client\(", str(ROOT / "assistant")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stdout) == (1, "")


def _all(assistant: Assistant, person: Principal, method: str) -> list:
    return list(company.search(assistant, " ".join(WORDS), person, method=method, k=500).sources)
