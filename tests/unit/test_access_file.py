"""`configs/access.yaml`: what groups give, every mistake with its line, and a change while we run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from assistant.access import access_file
from assistant.access.access_file import FileRights, read_access_file
from assistant.access.principal import AccessClass
from assistant.access.rights import GroupRights, Rights, group_key
from assistant.account_wiring import make_rights
from assistant.errors import ConfigError
from assistant.settings import Settings

GOOD = """\
groups:
  "CN=Кадры, OU=Groups,DC=corp":
    departments: {hr: 2, it: 1}
  accountants:
    departments: [finance, sales]
    level: 3
  admins:
    roles: [admin]
"""


def write(file: Path, text: str) -> None:
    """As an editor does; of an age at which the file's time can be trusted."""
    before = file.stat().st_mtime if file.exists() else 1_700_000_000
    file.write_text(text)
    os.utime(file, (before + 10, before + 10))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "access.yaml"
    write(found, GOOD)
    return found


@pytest.fixture
def looking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at the file at every question."""
    monkeypatch.setattr(access_file, "LOOK_EVERY", 0.0)


def test_groups_give_departments_each_up_to_its_level_and_roles(file: Path) -> None:
    rights = FileRights(file, required=True)
    given = rights.of(["cn=кадры,ou=groups,dc=CORP", "Accountants", "unknown"])
    assert given.grants == {
        AccessClass("hr", 2),
        AccessClass("it", 1),
        AccessClass("finance", 3),
        AccessClass("sales", 3),
    }
    assert given.roles == frozenset()
    assert rights.of(["ADMINS"]) == GroupRights(roles=frozenset({"admin"}))
    assert rights.of([]) == rights.of(["кадры", "corp", ""]) == GroupRights()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("HR", " hr ", True),
        ("Отдел кадров", "ОТДЕЛ КАДРОВ", True),
        ("Кадры й", "Кадры й", True),  # the short i composed and in two characters
        ("hr  it", "hr it", False),
        ("CN=HR,OU=Groups,DC=corp", "cn = hr , ou=Groups ,dc=corp", True),
        (r"CN=Sales\, north,DC=corp", r"cn=Sales\2C north,dc=corp", True),
        (r"CN=\D0\9A\D0\B0\D0\B4\D1\80\D1\8B,DC=corp", "CN=Кадры,DC=corp", True),
        ("CN=a  b,DC=corp", "CN=a b,DC=corp", True),
        (r"CN=a\\,DC=corp", r"CN=a\5C,DC=corp", True),
        (r"CN=a\,DC=corp", "CN=a,DC=corp", False),
        (r"CN=a\\\,b,DC=corp", r"CN=a\\,b,DC=corp", False),
        ("CN=HR,DC=corp", "HR", False),
        ("CN=HR,OU=A,DC=corp", "CN=HR,OU=B,DC=corp", False),
        ("CN=HR,OU=A,DC=corp", "CN=HR", False),
    ],
)
def test_names_are_compared_as_directories_mean_them(one: str, other: str, same: bool) -> None:
    assert (group_key(one) == group_key(other)) is same


MISTAKES = [
    ("groups:", "grups:", 1, "unknown key 'grups': did you mean groups?"),
    ("    level: 3", "    levl: 3", 6, "unknown key 'levl': did you mean level?"),
    ("departments: [fin", "department: [fin", 5, "unknown key 'department': did you mean departments?"),
    ("{hr: 2, it: 1}", "{hr: two}", 3, "Input should be a valid integer"),
    ("{hr: 2, it: 1}", "{hr: yes}", 3, "Input should be a valid integer"),
    ("{hr: 2, it: 1}", "{hr: 0}", 3, "greater than or equal to 1"),
    ("{hr: 2, it: 1}", "{hr: 100000000000}", 3, "less than or equal to 1000"),
    ("{hr: 2, it: 1}", "{hr: 2, hr: 1}", 3, "'hr' is here twice"),
    ("{hr: 2, it: 1}", '{" ": 1}', 3, "a department needs a name"),
    ("{hr: 2, it: 1}", "hr", 3, "Input should be a valid dictionary"),
    ("{hr: 2, it: 1}", "{}", 2, "it gives nothing"),
    ("{hr: 2, it: 1}", "{hr: 2}\n    level: 2", 2, "`level` goes with a list"),
    ("[finance, sales]", "[finance, 2026]", 4, "'2026' is not the name of a department"),
    ("[finance, sales]", "[]", 4, "it gives nothing"),
    ("[admin]", "[adnim]", 8, "'user', 'engineer' or 'admin'"),
    ("    roles: [admin]", "", 7, "write what the group gives below it"),
    (
        "  accountants:",
        "  cn=кадры,ou=GROUPS,dc=corp:",
        4,
        "is the same group as 'CN=Кадры, OU=Groups,DC=corp' in line 2",
    ),
    ("  accountants:", "  admins:", 7, "'admins' is here twice"),
    ("  accountants:", '  "":', 4, "a group needs a name"),
    ("  accountants:", "  2026:", 4, "Input should be a valid string"),
    ("groups:", "groups: [", 3, "not valid YAML"),
]


@pytest.mark.parametrize(("right", "wrong", "line", "message"), MISTAKES)
def test_a_mistake_names_file_and_line(file: Path, right: str, wrong: str, line: int, message: str) -> None:
    assert right in GOOD
    write(file, GOOD.replace(right, wrong, 1))
    with pytest.raises(ConfigError) as refused:
        FileRights(file, required=True)
    assert str(refused.value).startswith(f"{file}, line {line}: ")
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "# nothing\n", "groups:\n", "groups: {}\n"])
def test_an_empty_file_gives_nothing(file: Path, text: str) -> None:
    write(file, text)
    assert read_access_file(file) == {}


@pytest.mark.parametrize("text", ["groups", "[1]", "groups: [hr]", "groups: {hr: 2}"])
def test_what_is_no_list_of_groups_is_refused(file: Path, text: str) -> None:
    write(file, text)
    with pytest.raises(ConfigError, match="access.yaml, line 1"):
        read_access_file(file)


def test_only_a_file_that_was_named_has_to_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert make_rights(Settings()).of(["hr"]) == GroupRights()
    missing = tmp_path / "missing.yaml"
    with pytest.raises(ConfigError, match=r"access\.file: .*missing\.yaml was not found"):
        make_rights(Settings.model_validate({"access": {"file": str(missing)}}))
    (tmp_path / "configs").mkdir()
    write(tmp_path / "configs/access.yaml", "groups: {hr: {departments: {hr: 2}}}")
    assert make_rights(Settings()).of(["hr"]).grants == {AccessClass("hr", 2)}
    write(tmp_path / "configs/access.yaml", "groups: 5")
    with pytest.raises(ConfigError, match="line 1"):
        make_rights(Settings())


@pytest.mark.usefixtures("looking")
def test_a_change_holds_without_a_restart(file: Path) -> None:
    rights = FileRights(file, required=True)
    assert rights.of(["admins"]).roles == {"admin"}
    write(file, GOOD.replace("[admin]", "[engineer]"))
    assert rights.of(["admins"]).roles == {"engineer"}
    write(file, "groups: {}")
    assert rights.of(["admins", "accountants"]) == GroupRights()
    assert rights.problem is None


@pytest.mark.usefixtures("looking")
def test_of_a_broken_change_nothing_holds_and_it_is_said(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    rights = FileRights(file, required=True)
    before = rights.of(["accountants"])
    for broken in ("groups: [", GOOD.replace("level: 3", "levl: 3")):
        write(file, broken)
        assert rights.of(["accountants"]) == before
        assert rights.problem is not None
        assert f"{file}, line " in rights.problem
        assert rights.problem in caplog.text
    said = len(caplog.records)
    assert rights.of(["accountants"]) == before
    assert len(caplog.records) == said  # once, not at every look
    file.unlink()
    assert rights.of(["accountants"]) == before
    assert rights.problem is not None
    assert "is gone" in rights.problem
    write(file, GOOD)
    assert rights.problem is None


@pytest.mark.usefixtures("looking")
def test_a_file_written_twice_within_its_clocks_tick_is_followed(file: Path) -> None:
    file.write_text("groups: {a: {departments: {hr: 1}}}")
    times = file.stat()
    rights = FileRights(file, required=True)
    with file.open("r+") as same:  # the same file, length and time
        same.write("groups: {a: {departments: {hr: 2}}}")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert rights.of(["a"]).grants == {AccessClass("hr", 2)}


def test_rights_made_by_hand_compare_names_in_the_same_way() -> None:
    rights = Rights({"CN=HR, DC=corp": GroupRights(frozenset({AccessClass("hr", 1)}))})
    assert rights.of(["cn=hr,dc=corp"]).grants == {AccessClass("hr", 1)}
    assert rights.problem is None


_BOMB = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))
NEVER_ENDING = {
    "nested": "groups: " + "[" * 3000,
    "nested maps": "groups: " + "{a: " * 2000,
    "in a circle": "groups: &a {x: *a}",
    "a billion times": f"a0: &a0 [x, x]\n{_BOMB}\ngroups: {{}}",
}


@pytest.mark.parametrize("text", NEVER_ENDING.values(), ids=NEVER_ENDING)
def test_what_is_nested_without_end_is_a_mistake_like_others(file: Path, text: str, looking: None) -> None:  # noqa: ARG001
    """Every request of everybody asks what groups give: none of them may fail of it, or wait."""
    rights = FileRights(file, required=True)
    write(file, text)
    assert rights.of(["admins"]).roles == {"admin"}
    assert rights.problem is not None
    assert "what the file said before still holds" in rights.problem
