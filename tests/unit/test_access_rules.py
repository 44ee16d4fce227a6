"""`.access.yaml` beside documents: they name a class or narrow it, never widen it; a broken one closes what is below."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from assistant.access.principal import AccessClass
from assistant.errors import DocumentError
from assistant.index.catalog import FAILED
from assistant.ingest.access_rules import Said, parse, settled
from assistant.ingest.places import Place
from assistant.ingest.plan import NO_RULE, Plan
from assistant.ingest.sources import scan
from assistant.ingest.sources.item import SourceItem
from assistant.ingest.sources.sidecars import Sidecars
from tests.unit.test_plan import CLASSES, HR, MANAGERS, Folder

TRUST = "trust_metadata: true\n"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def classes(folder: Folder, **texts: str) -> dict[str, AccessClass | str]:
    """By path: the class that a run would give, or why nobody may read it."""
    for path, text in texts.items():
        folder.write(path, text)
    plan = folder.plan()
    found: dict[str, AccessClass | str] = {one.item.path: one.error for one in plan.refused}
    found.update({work.item.path: work.access_class for work in plan.work if work.access_class is not None})
    place = Place(folder.pipeline, folder.root)  # what is told of one path alone is the same
    for path, given in found.items():
        assert place.access_class(path) == (given if isinstance(given, AccessClass) else None), path
    return found


def test_it_names_the_class_of_what_the_pipeline_does_not_name(folder: Folder) -> None:
    found = classes(
        folder,
        **{
            "sales/.access.yaml": "department: продажи\nlevel: 2",
            "sales/a.md": "x",
            "sales/deep/er/b.md": "x",
            "legal/a.md": "x",
        },
    )
    assert found == {
        "sales/a.md": AccessClass("продажи", 2),
        "sales/deep/er/b.md": AccessClass("продажи", 2),
        "legal/a.md": NO_RULE,
    }
    assert "sales/.access.yaml" not in {item.path for item in scan(folder.pipeline)}


def test_rules_in_it_go_by_paths_below_its_folder_and_the_first_decides(folder: Folder) -> None:
    text = """\
department: it
rules:
  - {match: "/public/**", department: company}
  - {match: "*.txt", level: 3}
  - {match: "/public/x.md", department: hr}
"""
    found = classes(
        folder, **{"it/.access.yaml": text} | dict.fromkeys(("it/a.md", "it/public/x.md", "it/sub/public/y.md"), "x")
    )
    assert found == {
        "it/a.md": AccessClass("it", 1),
        "it/public/x.md": AccessClass("company", 1),
        "it/sub/public/y.md": AccessClass("it", 1),
    }
    assert classes(folder, **{"it/b.txt": "x"})["it/b.txt"] == NO_RULE  # a level of no department


def test_it_narrows_what_the_pipeline_gives(folder: Folder) -> None:
    found = classes(
        folder,
        **{
            "hr/a.md": "x",
            "hr/pay/.access.yaml": "level: 3",
            "hr/pay/b.md": "x",
            "hr/pay/board/.access.yaml": "department: hr\nlevel: 5",
            "hr/pay/board/c.md": "x",
            "hr/managers/.access.yaml": "department: hr",
            "hr/managers/d.md": "x",
        },
    )
    assert found == {
        "hr/a.md": AccessClass("hr", 1),
        "hr/pay/b.md": AccessClass("hr", 3),
        "hr/pay/board/c.md": AccessClass("hr", 5),
        "hr/managers/d.md": AccessClass("hr", 2),  # it says nothing of the level
    }


def test_it_does_not_widen_what_stands_above_it(folder: Folder) -> None:
    found = classes(
        folder,
        **{
            "hr/open/.access.yaml": "department: company",
            "hr/open/a.md": "x",
            "hr/managers/.access.yaml": "# for all\nlevel: 1",
            "hr/managers/b.md": "x",
            "it/.access.yaml": "department: it\nlevel: 2",
            "it/open/.access.yaml": "level: 1",
            "it/open/c.md": "x",
            "it/other/.access.yaml": "department: company\nlevel: 9",
            "it/other/d.md": "x",
        },
    )
    assert found == {
        "hr/open/a.md": "its access file hr/open/.access.yaml, line 1: says department company, "
        "the pipeline's rule says hr: it may only narrow who reads it, unless the pipeline has trust_metadata: true",
        "hr/managers/b.md": "its access file hr/managers/.access.yaml, line 2: says level 1, the pipeline's rule says 2: "
        "it may only narrow who reads it, unless the pipeline has trust_metadata: true",
        "it/open/c.md": "its access file it/open/.access.yaml, line 1: says level 1, it/.access.yaml, line 1 says 2: "
        "it may only narrow who reads it, unless the pipeline has trust_metadata: true",
        "it/other/d.md": "its access file it/other/.access.yaml, line 1: says department company, it/.access.yaml, line 1 "
        "says it: it may only narrow who reads it, unless the pipeline has trust_metadata: true",
    }


def test_where_the_pipeline_trusts_the_nearest_one_decides(folder: Folder) -> None:
    folder.recipe(TRUST)
    texts = {
        "hr/managers/.access.yaml": "level: 1",
        "hr/managers/b.md": "x",
        "hr/open/.access.yaml": "department: company",
        "hr/open/a.md": "x",
        "hr/open/c.md": "x",
        "hr/open/c.meta.yaml": "department: it",
    }
    for path, text in texts.items():
        folder.write(path, text)
    assert {work.item.path: work.access_class for work in folder.plan().work} == {
        "hr/managers/b.md": AccessClass("hr", 1),
        "hr/open/a.md": AccessClass("company", 1),
        "hr/open/c.md": AccessClass("it", 1),  # what speaks of one document is stronger
    }


def test_metadata_narrows_what_an_access_file_gives(folder: Folder) -> None:
    found = classes(
        folder,
        **{
            "it/.access.yaml": "department: it\nlevel: 2",
            "it/a.md": "x",
            "it/a.meta.yaml": "level: 4",
            "it/b.md": "x",
            "it/b.meta.yaml": "level: 1",
        },
    )
    assert found["it/a.md"] == AccessClass("it", 4)
    assert "its metadata says level 1" in str(found["it/b.md"])


BROKEN = [
    ("", "it says nothing: write `department`, `level` or `rules`"),
    ("- a", "Input should be a valid dictionary"),
    ("department: it\nLevel: 2", "line 2: unknown key 'Level': did you mean level?"),
    ("departmnet: it", "line 1: unknown key 'departmnet': did you mean department?"),
    ("rules: [{match: /x, departmnt: it}]", "line 1: unknown key 'departmnt': did you mean department?"),
    ("rules:\n- {match: /x}", "line 2: rules.0: a rule gives `department`, `level` or both"),
    ("rules:\n- {level: 2}", "line 2: 'match' is missing"),
    ("level: two", "level: Input should be a valid integer"),
    ("level: 0", "greater than or equal to 1"),
    ("level: " + "9" * 5000, "level: "),
    ("department: it\nlevel:", "level: Input should be a valid integer"),
    ("department: '  '", "department: a department needs a name"),
    ("department: it\ndepartment: hr", "line 2: 'department' is here twice"),
    ("department: [it, hr]", "department: Input should be a valid string"),
    ("department: {", "line 1: not valid YAML"),
    ("department: &a it\nrules: [*a]", "line 2: it has references"),
    ("rules: " + "[" * 30_000, "line 1: it has references (&, *) or is nested too deep"),
    ("a: 1\n---\nb: 2", "not valid YAML"),
    ("? [a]\n: b", "not valid YAML"),
    ("rules: [{match: '*a*a*a*a*a*a*a', department: it}]", "a pattern has 4 stars at most"),
    *((f"department: it\nrules: [{{match: '{one}', level: 3}}]", "matches nothing") for one in ("!open/*", "#x", " ")),
    ("department: it\n# " + "x" * 70_000, "it is larger than 64 KB"),
]


@pytest.mark.parametrize(("text", "said"), BROKEN)
def test_a_broken_one_closes_what_is_below_it(folder: Folder, text: str, said: str) -> None:
    """Also what is loaded already: nobody knows who may read it."""
    folder.loaded("hr/deep/a.md", "текст")
    folder.loaded("hr/b.md", "текст", id="b")
    folder.write("hr/deep/.access.yaml", text)
    folder.write("hr/deep/.meta.yaml", "title: [")  # what may pass does not keep it open
    plan = folder.plan()
    (refusal,) = plan.refused
    assert (refusal.row, refusal.withdraw, plan.unchanged) == (folder.rows[0], True, 1)
    assert refusal.error.startswith("its access file hr/deep/.access.yaml")
    assert said in refusal.error
    assert "\n" not in refusal.error
    assert Place(folder.pipeline, folder.root).access_class("hr/deep/new.md") is None


def test_one_that_cant_be_read_closes_what_is_below_it(folder: Folder) -> None:
    (folder.root / "elsewhere").write_text("department: hr")
    folder.write("hr/a.md", "x")
    file = folder.root / "hr/.access.yaml"
    file.symlink_to(folder.root / "elsewhere")
    assert "it is no file, or a link" in str(classes(folder)["hr/a.md"])
    file.unlink()
    file.mkdir()
    assert "it is no file, or a link" in str(classes(folder)["hr/a.md"])
    file.rmdir()
    file.write_bytes(b"department: \xff")
    assert "it is not in UTF-8" in str(classes(folder)["hr/a.md"])


def test_folders_thousands_deep_do_not_end_the_run(folder: Folder) -> None:
    """Whoever may write into a folder of a source must not be able to keep everybody's documents from being loaded."""
    deep = "a/" * 1500 + "x.md"
    files = {".access.yaml": b"department: hr\nlevel: 2", "_meta.yaml": b"author: A"}
    sidecars = Sidecars(set(files), files.__getitem__, trusted=False)
    item = sidecars.apply(SourceItem(deep, folder.root / "x.md", 0, 0))
    assert [(said.department, said.level) for said in item.access] == [("hr", 2)]
    assert item.metadata == {"author": "A"}


def test_a_path_in_deep_folders_has_its_class_on_the_documents_page_too(folder: Folder) -> None:
    path = "hr/" + "a/" * 900 + "x.md"
    assert classes(folder, **{path: "x"}) == {path: AccessClass("hr", 1)}


@pytest.mark.parametrize("name", [".Access.yaml", ".ACCESS.YAML", ".access.yml"])
def test_it_counts_however_its_name_is_written(folder: Folder, name: str) -> None:
    found = classes(folder, **{f"hr/{name}": "level: 4", "hr/a.md": "x"})
    assert found == {"hr/a.md": AccessClass("hr", 4)}
    found = classes(folder, **{"hr/.access.yaml": "level: 2"})
    assert "there are several in this folder" in str(found["hr/a.md"])


def test_a_change_of_it_moves_the_documents_without_reading_them(folder: Folder) -> None:
    folder.loaded("hr/a.md", "текст")
    folder.write("hr/.access.yaml", "level: 2")
    assert folder.plan() == Plan(unchanged=1, moved=[(folder.rows[0], CLASSES[MANAGERS])])
    folder.rows[0].class_id = MANAGERS
    (folder.root / "hr/.access.yaml").unlink()
    assert folder.plan() == Plan(unchanged=1, moved=[(folder.rows[0], CLASSES[HR])])


def test_what_was_refused_is_read_once_the_file_is_right(folder: Folder) -> None:
    folder.loaded("hr/a.md", "текст", status=FAILED, chunks=0, class_id=None, fingerprint="")
    folder.write("hr/.access.yaml", "levl: 2")
    folder.rows[0].error = folder.plan().refused[0].error
    assert folder.plan() == Plan(still_failing=folder.rows)
    folder.write("hr/.access.yaml", "level: 2")
    assert [(work.row, work.access_class) for work in folder.plan().work] == [(folder.rows[0], CLASSES[MANAGERS])]


def test_a_file_that_cant_be_opened_now_moves_with_the_others(folder: Folder) -> None:
    folder.loaded("hr/a.md", "текст")
    (folder.root / "hr/a.md").unlink()
    (folder.root / "hr/a.md").symlink_to(folder.root / "nothing")
    folder.write("hr/.access.yaml", "level: 2")
    assert folder.plan().moved == [(folder.rows[0], CLASSES[MANAGERS])]
    folder.write("hr/.access.yaml", "department: company")
    assert [one.withdraw for one in folder.plan().refused] == [True]


def test_a_link_does_not_lead_around_it(folder: Folder) -> None:
    """Whoever may write into one folder could publish another one's files."""
    folder.write("it/.access.yaml", "department: it")
    folder.write("it/secret/.access.yaml", "level: 2")
    folder.write("it/secret/a.md", "x")
    folder.write("it/open/b.md", "x")
    os.symlink("../secret/a.md", folder.root / "it/open/link.md")
    os.symlink("b.md", folder.root / "it/open/same.md")
    found = classes_of_plan(folder)
    assert found["it/open/link.md"] == "it is a link to a file of another access class"
    assert found["it/open/same.md"] == AccessClass("it", 1)
    folder.write("it/secret/.access.yaml", "broken")
    assert classes_of_plan(folder)["it/open/link.md"] == "it is a link to a file of another access class"


def classes_of_plan(folder: Folder) -> dict[str, AccessClass | str | None]:
    plan = folder.plan()
    refused: dict[str, AccessClass | str | None] = {one.item.path: one.error for one in plan.refused}
    return refused | {work.item.path: work.access_class for work in plan.work}


def test_a_hostile_pattern_takes_no_time() -> None:
    file = parse("department: it\nrules: [{match: '*a*a*a*b', level: 2}]", "x/.access.yaml")
    start = time.perf_counter()
    said = file.of("x/" + "a" * 200 + ".md")
    assert said is not None
    assert said.level is None
    assert time.perf_counter() - start < 5


def test_without_trust_nothing_beside_documents_widens() -> None:
    """Against the rule in words: each department that is named is the same, each level not lower than all before it."""
    seed = random.SystemRandom().randrange(1 << 30)
    chance = random.Random(seed)
    refused = 0
    for _ in range(5000):
        rule = chance.choice([None, AccessClass(chance.choice("ab"), chance.randint(1, 3))])
        layers = [
            Said(f"{n}", chance.choice(["a", "b", None, None]), chance.choice([1, 2, 3, 4, None]))
            for n in range(chance.randint(0, 4))
        ]
        names = ([rule.department] if rule else []) + [said.department for said in layers if said.department]
        levels = ([rule.level] if rule else []) + [said.level for said in layers if said.level is not None]
        is_narrowing = len(set(names)) <= 1 and levels == sorted(levels)
        try:
            found = settled(rule, layers, trusted=False)
        except DocumentError:
            refused += 1
            assert not is_narrowing, (seed, rule, layers)
            continue
        assert is_narrowing, (seed, rule, layers)
        expected = AccessClass(names[0], max([1, *levels])) if names else None
        assert found == expected, (seed, rule, layers)
    print(f"seed {seed}: {refused} refused")
    assert 0 < refused < 5000
