"""Who asks what in `tests.load.rights`, of which classes, by which rights."""

from __future__ import annotations

import random
from dataclasses import dataclass

from assistant.access.principal import ALL_DEPARTMENTS, AccessClass, Principal

EVERYONE = "company"
NAMED = [
    *(
        (EVERYONE, 1),
        (EVERYONE, 2),
        ("hr", 1),
        ("hr", 2),
        ("Отдел кадров", 1),
        ("Отдел кадров", 3),
        ("отдел кадров", 1),
    ),
    *(("Бухгалтерия", 1), ("Бухгалтерия", 2), ("IT & связь / 'ночь'", 1), ("sales", 1), ("закрыто", 99)),
]
WORDS = ["отпуск", "приказ", "договор", "оклад", "пропуск", "склад"]
WORDS += ["vacation", "order", "contract", "salary", "server", "invoice"]


@dataclass(frozen=True)
class World:
    """The classes that are there at the start, and those that documents are put into later."""

    classes: list[tuple[str, int]]
    later: list[tuple[str, int]]

    def person(self, chance: random.Random, *, grants: bool = True) -> Principal:
        """Of any departments, some of which do not exist, or of none; in one of thirty of all.

        Half of the people also have grants, as groups give them: one department each, up to a level of its own.
        """
        names = sorted({department for department, _ in self.classes + self.later}) + ["nowhere", "", "HR", "Отдел"]
        chosen = frozenset(chance.sample(names, chance.randint(0, 4)))
        if chance.random() < 1 / 30:
            chosen = frozenset({ALL_DEPARTMENTS})
        granted: frozenset[AccessClass] = frozenset()
        if grants and chance.random() < 0.5:
            drawn = chance.sample(names, chance.randint(1, 4))
            granted = frozenset(AccessClass(name, chance.randint(0, 3)) for name in drawn)
            if chance.random() < 1 / 30:
                granted |= {AccessClass(ALL_DEPARTMENTS, chance.randint(1, 2))}
        roles = frozenset({"user", "admin"})
        return Principal("x", "Somebody", roles=roles, departments=chosen, level=chance.randint(0, 3), grants=granted)


def world(classes: int) -> World:
    """Twelve with odd names, and more departments of three levels up to that number."""
    more = [(f"Участок {number // 3}", number % 3 + 1) for number in range(classes - len(NAMED))]
    return World(NAMED + more, [(f"Новый отдел {number}", number % 2 + 1) for number in range(4)])


def question(chance: random.Random) -> str:
    return " ".join(chance.sample(WORDS, chance.randint(1, 3)))


def text(chance: random.Random) -> str:
    """One of few, so that the same one is in many classes and scores tie."""
    return " ".join(random.Random(chance.randrange(40)).choices(WORDS, k=8))
