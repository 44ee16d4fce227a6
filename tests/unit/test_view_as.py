"""Whom an administrator may look for: somebody who reads what both read, and nothing else."""

from __future__ import annotations

import random

from assistant.access.policy import Policy
from assistant.access.principal import LOCAL_OPERATOR, AccessClass, Principal
from assistant.explaining.view_as import shared

NAMES = ["company", "hr", "it", "продажи"]
CLASSES = {
    number: AccessClass(name, level)
    for number, (name, level) in enumerate((name, level) for name in [*NAMES, "*"] for level in (1, 2, 3, 5))
}


def test_both_read_what_the_shared_one_reads() -> None:
    seed = random.SystemRandom().randrange(1 << 30)
    chance = random.Random(seed)

    def somebody() -> Principal:
        grants = {AccessClass(chance.choice([*NAMES, "*"]), chance.randint(1, 5)) for _ in range(chance.randint(0, 4))}
        departments = frozenset(chance.sample([*NAMES, "*"], chance.randint(0, 2)))
        return Principal("p", "p", departments=departments, level=chance.randint(0, 5), grants=frozenset(grants))

    read = 0
    for _ in range(3000):
        policy = Policy(frozenset(chance.sample([*NAMES, "*"], chance.randint(0, 2))), chance.randint(1, 3))
        one, other = somebody(), somebody()
        both = policy.permitted(one, CLASSES) & policy.permitted(other, CLASSES)
        found = policy.permitted(shared(policy, one, other, CLASSES), CLASSES)
        read += len(found)
        # A class of a department "*" is left out: its grant would stand for all departments.
        assert found == {
            number for number in both if CLASSES[number].department != "*" or is_for_all(policy, number)
        }, (seed, policy, one, other)
    assert read > 3000


def is_for_all(policy: Policy, number: int) -> bool:
    return "*" in policy.everyone and CLASSES[number].level <= policy.everyone_level


def test_it_has_no_role_and_no_account() -> None:
    found = shared(Policy(frozenset()), LOCAL_OPERATOR, Principal("p", "p", level=7), CLASSES)
    assert (found.roles, found.grants, found.level) == (frozenset(), frozenset(), 0)
