"""One tree of errors, each one line for a person."""

from __future__ import annotations

import re

import pytest

from assistant import errors

TREE = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, errors.AssistantError)]


def test_a_message_is_one_line() -> None:
    assert str(errors.ConfigError("a\n  b\tc  ")) == "a b c"


@pytest.mark.parametrize("cls", TREE)
def test_the_drawing_at_the_top_says_what_the_class_does(cls: type[errors.AssistantError]) -> None:
    drawn = re.search(rf"\b{cls.__name__} .*", errors.__doc__ or "")
    assert drawn, f"{cls.__name__} is not in the drawing"
    status = re.search(r"http (\d+)", drawn[0])
    code = re.search(r"exit (\d+)", drawn[0])
    assert cls.http_status == (int(status[1]) if status else errors.AssistantError.http_status)
    assert cls.exit_code == (int(code[1]) if code else errors.AssistantError.exit_code)
    assert cls.retryable == ("retryable" in drawn[0])


def test_every_error_is_caught_at_the_edge_by_its_base() -> None:
    assert len(TREE) >= 11
    with pytest.raises(errors.AssistantError, match="nothing"):
        raise errors.AccessDenied("nothing")
