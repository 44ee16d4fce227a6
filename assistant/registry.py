"""Parts that can be swapped, by short name.

A factory's keyword-only signature is its schema: a wrong name, an unknown option or a wrong type
is one line that lists what is allowed.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from pydantic import ConfigDict, ValidationError, validate_call

from assistant.errors import ConfigError

Part = TypeVar("Part")


class Registry(Generic[Part]):
    """Named factories of one kind of part, e.g. `readers`."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._factories: dict[str, Callable[..., Part]] = {}

    def register(self, name: str) -> Callable[[Callable[..., Part]], Callable[..., Part]]:
        def keep(factory: Callable[..., Part]) -> Callable[..., Part]:
            self._factories[name] = factory
            return factory

        return keep

    def names(self) -> list[str]:
        return sorted(self._factories)

    def build(self, name: str, **options: Any) -> Part:  # noqa: ANN401 - each factory has its own options
        """Call the factory of that name. Raises `ConfigError` for a wrong name, option or type."""
        factory = self._factories.get(name)
        if factory is None:
            raise ConfigError(f"unknown {self.kind} '{name}'{nearest(name, self.names())}")
        allowed = list(inspect.signature(factory).parameters)
        for option in options:
            if option not in allowed:
                raise ConfigError(f"{self.kind} '{name}' has no option '{option}'{nearest(option, allowed)}")
        try:
            return validate_call(config=ConfigDict(arbitrary_types_allowed=True))(factory)(**options)
        except ValidationError as error:
            first = error.errors()[0]
            raise ConfigError(f"{self.kind} '{name}', option {first['loc'][0]}: {first['msg']}") from error


def nearest(wrong: str, known: list[str]) -> str:
    """The end of an error line: the nearest right name, or all that there are."""
    near = difflib.get_close_matches(wrong, known, n=1, cutoff=0.5)
    return f": did you mean {near[0]}?" if near else f"; known: {', '.join(known) or 'none'}"
