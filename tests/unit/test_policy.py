"""Who may read what: every principal against every class, written out by hand."""

from __future__ import annotations

import random

import pytest

from assistant.access.policy import Policy
from assistant.access.principal import LOCAL_OPERATOR, AccessClass, Principal

CLASSES = {
    1: AccessClass("company", 1),
    2: AccessClass("company", 2),
    3: AccessClass("бухгалтерия", 1),
    4: AccessClass("бухгалтерия", 2),
    5: AccessClass("sales", 1),
    6: AccessClass("sales", 3),
}
POLICY = Policy(everyone=frozenset({"company"}), everyone_level=1)


def person(*departments: str, level: int = 1, roles: tuple[str, ...] = ("user",)) -> Principal:
    return Principal("p", "Иванова", frozenset(roles), frozenset(departments), level)


@pytest.mark.parametrize(
    ("principal", "readable"),
    [
        (person(), {1}),
        (person(level=9), {1, 2}),
        (person("бухгалтерия"), {1, 3}),
        (person("бухгалтерия", level=2), {1, 2, 3, 4}),
        (person("sales", level=2), {1, 2, 5}),
        (person("sales", "бухгалтерия", level=3), {1, 2, 3, 4, 5, 6}),
        (person("company"), {1}),
        (person("company", level=2), {1, 2}),
        (person("*"), {1, 3, 5}),
        (person("*", level=3), {1, 2, 3, 4, 5, 6}),
        (person(level=0), {1}),
        (person("sales", level=0), {1}),
        (person("Sales"), {1}),
        (person("sale"), {1}),
        (person(""), {1}),
        (person(roles=("user", "engineer", "admin")), {1}),
        (person("sales", roles=("admin",)), {1, 5}),
        (LOCAL_OPERATOR, {1, 2, 3, 4, 5, 6}),
    ],
)
def test_what_a_principal_reads(principal: Principal, readable: set[int]) -> None:
    assert POLICY.permitted(principal, CLASSES) == readable
    for number, access_class in CLASSES.items():
        allowed, reason = POLICY.explain(principal, access_class)
        assert allowed == POLICY.may_read(principal, access_class) == (number in readable)
        assert principal.name in reason


@pytest.mark.parametrize("principal", [person(), person(level=9), person("sales", roles=("admin",), level=2)])
def test_with_nothing_open_to_everyone_only_members_read(principal: Principal) -> None:
    closed = Policy(everyone=frozenset())
    permitted = closed.permitted(principal, CLASSES)
    assert {CLASSES[number].department for number in permitted} <= principal.departments


def test_everyones_level_opens_everyones_departments_only() -> None:
    generous = Policy(everyone=frozenset({"company"}), everyone_level=2)
    assert generous.permitted(person("sales"), CLASSES) == {1, 2, 5}


def test_no_classes_no_query() -> None:
    assert POLICY.permitted(LOCAL_OPERATOR, {}) == frozenset()


@pytest.mark.parametrize(
    ("principal", "access_class", "reason"),
    [
        (person(), CLASSES[3], "Иванова is not in department 'бухгалтерия', and it is not open to everyone"),
        (person("sales"), CLASSES[6], "the document has level 3, Иванова reads up to level 1"),
        (person("sales", level=2), CLASSES[5], "Иванова reads 'sales' up to level 2"),
    ],
)
def test_the_reason_says_what_is_missing(principal: Principal, access_class: AccessClass, reason: str) -> None:
    assert POLICY.explain(principal, access_class)[1] == reason


def granted(*grants: tuple[str, int], departments: tuple[str, ...] = (), level: int = 1) -> Principal:
    found = frozenset(AccessClass(*grant) for grant in grants)
    return Principal("p", "Иванова", departments=frozenset(departments), level=level, grants=found)


@pytest.mark.parametrize(
    ("principal", "readable"),
    [
        (granted(("sales", 1)), {1, 5}),
        (granted(("sales", 3)), {1, 5, 6}),
        (granted(("sales", 3), ("бухгалтерия", 1)), {1, 3, 5, 6}),  # each up to a level of its own
        (granted(("company", 2)), {1, 2}),
        (granted(("*", 2)), {1, 2, 3, 4, 5}),
        (granted(("sales", 1), departments=("бухгалтерия",), level=3), {1, 2, 3, 4, 5}),
        (granted(("sales", 1), departments=("sales",), level=3), {1, 2, 5, 6}),  # the most that one of them gives
        (granted(("sales", 3), departments=("sales",)), {1, 5, 6}),
    ],
)
def test_what_grants_of_groups_open(principal: Principal, readable: set[int]) -> None:
    assert POLICY.permitted(principal, CLASSES) == readable


def test_random_people_read_what_the_rule_in_words_says() -> None:
    """A class is open when any one reason opens it; written a second time, reason by reason."""
    seed = random.SystemRandom().randrange(1 << 30)
    chance = random.Random(seed)
    names = ["company", "hr", "it", "продажи"]
    opened = 0
    for _ in range(20_000):
        policy = Policy(frozenset(chance.sample(names, chance.randint(0, 2))), chance.randint(1, 3))
        who = Principal(
            "p",
            "p",
            frozenset(chance.sample(["user", "engineer", "admin"], 2)),
            frozenset(chance.sample([*names, "*"], chance.randint(0, 2))),
            chance.randint(0, 4),
            frozenset(
                AccessClass(chance.choice([*names, "*"]), chance.randint(1, 4)) for _ in range(chance.randint(0, 3))
            ),
        )
        wanted = AccessClass(chance.choice(names), chance.randint(1, 4))
        by_account = wanted.department in who.departments or "*" in who.departments
        reasons = [
            by_account and wanted.level <= who.level,
            *(grant.department in (wanted.department, "*") and wanted.level <= grant.level for grant in who.grants),
            wanted.department in policy.everyone and wanted.level <= max(policy.everyone_level, who.level),
        ]
        assert policy.may_read(who, wanted) is any(reasons), (seed, policy, who, wanted)
        opened += any(reasons)
    print(f"seed {seed}: {opened} of 20000 open")
    assert 2_000 < opened < 18_000
