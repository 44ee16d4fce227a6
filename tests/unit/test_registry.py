"""Parts by name: a factory's keyword-only signature is its schema."""

from __future__ import annotations

import pytest

from assistant.errors import ConfigError
from assistant.registry import Registry, nearest


@pytest.fixture
def knives() -> Registry[str]:
    registry: Registry[str] = Registry("knife")

    @registry.register("bread")
    def bread(*, length: int = 20) -> str:
        return f"bread {length}"

    @registry.register("butter")
    def butter(*, material: str) -> str:
        return f"butter {material}"

    return registry


def test_a_part_is_built_with_its_options(knives: Registry[str]) -> None:
    assert knives.names() == ["bread", "butter"]
    assert knives.build("bread") == "bread 20"
    assert knives.build("bread", length="25") == "bread 25"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("bred", {}, "unknown knife 'bred': did you mean bread?"),
        ("zzz", {}, "unknown knife 'zzz'; known: bread, butter"),
        ("bread", {"lenght": 3}, "knife 'bread' has no option 'lenght': did you mean length?"),
        ("bread", {"length": "long"}, "knife 'bread', option length: Input should be a valid integer"),
        ("butter", {}, "knife 'butter', option material: Missing required keyword only argument"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_is_allowed(
    knives: Registry[str], name: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        knives.build(name, **options)
    assert str(refused.value).startswith(message)


def test_nearest_lists_what_there_is_when_nothing_is_near() -> None:
    assert nearest("qqq", []) == "; known: none"
    assert nearest("chunk_sise", ["chunk_size", "chunk_overlap"]) == ": did you mean chunk_size?"
