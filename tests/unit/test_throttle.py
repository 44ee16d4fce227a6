"""Wrong passwords: who guesses waits, and nobody is locked out by what a stranger does."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from assistant.access import throttle
from assistant.access.counts import Counts
from assistant.access.throttle import Throttle
from assistant.errors import LimitReached, WrongPassword
from assistant.records import known_browsers
from assistant.records.database import Database
from assistant.records.known_browsers import KnownBrowsers
from assistant.settings_security import Limits

HERE, THERE, HOME = "192.0.2.1", "192.0.2.2", "2001:db8::7"


def made(**settings: int) -> Throttle:
    return Throttle(Limits.model_validate({"wrong_passwords": 3, "address_wrong_passwords": 100} | settings), Counts())


def tried(found: Throttle, name: str, address: str, *, right: bool = False, browser: str = "") -> str:
    """`in`, `wrong`, or `wait` when the password was not even looked at."""
    try:
        with found.trying(name, address, browser=browser):
            if not right:
                raise WrongPassword("the name or the password is wrong")
    except WrongPassword:
        return "wrong"
    except LimitReached as error:
        return "wait" if error.kind == "sign_in" and error.seconds >= 1 else f"{error.kind} {error.seconds}"
    return "in"


def test_who_guesses_waits_and_the_right_one_works_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "_MINUTE", 1)
    found = made()
    assert [tried(found, "anna", HERE) for _ in range(5)] == ["wrong"] * 3 + ["wait"] * 2
    assert tried(found, "anna", HERE, right=True) == "wait", "the right one is not looked at either"
    time.sleep(1.1)
    assert tried(found, "anna", HERE, right=True) == "in"
    assert [tried(found, "anna", HERE) for _ in range(4)] == ["wrong"] * 3 + ["wait"], "it begins anew"


def test_the_wait_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "_MINUTE", 1)
    found = made()
    for _ in range(2):
        assert [tried(found, "anna", HERE) for _ in range(3)] == ["wrong"] * 3
        time.sleep(1.1)
    with pytest.raises(LimitReached) as caught, found.trying("anna", HERE):
        pass
    assert 800 < caught.value.seconds <= 900


def test_a_name_that_nobody_has_is_treated_the_same_and_its_case_does_not_matter() -> None:
    found = made()
    assert [tried(found, name, HERE) for name in ("Nobody", "nobody", "NOBODY", "nobody")] == ["wrong"] * 3 + ["wait"]


@pytest.mark.parametrize(
    "name", ["an\u00adna", "ANNA", "a\u200bnna", "ａnna", "ánna", "an na", "anna@corp", "anna@corp.example"]
)
def test_another_spelling_is_no_new_budget(name: str) -> None:
    """Directories find the same person by it."""
    found = made()
    assert [tried(found, "anna", HERE) for _ in range(3)] == ["wrong"] * 3
    assert tried(found, name, HERE) == "wait"
    assert tried(found, "hanna", HERE, right=True) == "in"


def test_a_stranger_elsewhere_does_not_keep_a_colleague_out() -> None:
    """He uses up the account's own count as well, from many addresses."""
    found = made()
    guesses = [tried(found, "anna", f"198.51.100.{number}") for number in range(4) for _ in range(5)]
    assert guesses.count("wrong") == 12
    assert tried(found, "anna", "198.51.100.1") == "wait"
    assert tried(found, "anna", HERE, right=True) == "in", "the first attempt of an address is heard"
    assert tried(found, "anna", THERE) == "wrong", "and a slip"
    assert tried(found, "anna", THERE, right=True) == "wait", "has to wait then"
    assert tried(found, "anna", THERE, right=True, browser="known") == "in", "but not in a browser that is known"


def test_attempts_from_many_addresses_are_one_each_once_the_account_is_attacked() -> None:
    found = made()
    guesses = [tried(found, "anna", f"198.51.100.{number}") for number in range(50) for _ in range(2)]
    assert guesses.count("wrong") < 12 + 50
    assert guesses[24:] == ["wrong", "wait"] * 38


def test_a_known_browser_has_a_budget_of_its_own_also_at_the_strangers_address() -> None:
    found = made(address_wrong_passwords=3)
    assert [tried(found, "anna", HERE) for _ in range(4)] == ["wrong"] * 3 + ["wait"]
    assert tried(found, "boris", HERE) == "wait", "the address has used up its own"
    guesses = [tried(found, "anna", HERE, browser="b") for _ in range(4)]
    assert guesses == ["wrong"] * 3 + ["wait"], "and not more than anybody"
    assert tried(found, "anna", HERE, browser="c", right=True) == "in"


def test_many_names_from_one_address() -> None:
    found = made(address_wrong_passwords=10)
    guesses = [tried(found, f"name-{number}", HOME) for number in range(20)]
    assert guesses == ["wrong"] * 10 + ["wait"] * 10
    assert tried(found, "name-99", "2001:db8::8") == "wait", "one /64 is one address"
    assert tried(found, "name-99", HERE, right=True) == "in"


def test_an_office_that_signs_in_rightly_is_not_counted() -> None:
    found = made(address_wrong_passwords=3)
    assert [tried(found, f"name-{number}", HERE, right=True) for number in range(30)] == ["in"] * 30


def test_guesses_at_once_are_no_more_than_guesses_one_by_one() -> None:
    found = made()
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda _: tried(found, "anna", HERE), range(40)))
    assert said.count("wrong") == 3


def test_a_directory_that_is_away_gives_no_guesses_for_nothing() -> None:
    found = made()
    for _ in range(3):
        with pytest.raises(ConnectionError), found.trying("anna", HERE):
            raise ConnectionError
    assert tried(found, "anna", HERE) == "wait"


def test_of_many_refusals_one_a_minute_is_news() -> None:
    """For log and audit: nobody fills them."""
    found = made()
    [tried(found, "anna", HERE) for _ in range(3)]
    news = []
    for _ in range(5):
        with pytest.raises(LimitReached) as caught, found.trying("anna", HERE):
            pass
        news.append(caught.value.is_news)
    assert news == [True, False, False, False, False]


def test_zero_is_no_limit() -> None:
    found = made(wrong_passwords=0, address_wrong_passwords=0)
    assert [tried(found, "anna", HERE) for _ in range(60)] == ["wrong"] * 60
    for _ in range(60):
        found.wrong_token(HERE)


def test_wrong_tokens_of_an_address() -> None:
    found = made(address_wrong_passwords=2)
    for _ in range(2):
        found.wrong_token(HERE)
    with pytest.raises(LimitReached) as caught:
        found.wrong_token(HERE)
    assert caught.value.kind == "token"
    found.wrong_token(THERE)
    assert tried(found, "anna", HERE, right=True) == "in", "passwords are counted apart"


def test_what_is_counted_holds_no_name() -> None:
    counts = Counts()
    found = Throttle(Limits(), counts)
    tried(found, "anna.petrova", HERE)
    assert counts._memory.events
    assert not [key for key in counts._memory.events if "anna" in key]


@pytest.fixture
def browsers(tmp_path: Path) -> KnownBrowsers:
    database = Database(f"sqlite:///{tmp_path / 'assistant.db'}")
    database.migrate(tmp_path / "lock")
    return KnownBrowsers(database)


def test_a_browser_is_known_for_the_name_that_it_signed_in_with(browsers: KnownBrowsers) -> None:
    first = browsers.remember("", "Anna")
    assert len(first) == 32
    assert browsers.knows(first, "anna")
    assert not browsers.knows(first, "boris")
    assert not browsers.knows("", "anna")
    assert not browsers.knows(first[:-1] + "?", "anna")
    assert browsers.remember(first, "boris") == first, "one cookie for all who use it"
    assert browsers.remember(first, "anna") == first
    assert browsers.knows(first, "boris")
    assert browsers.remember("short", "vera") != "short", "a value that we did not make is none"


def test_a_browser_is_forgotten_when_it_was_not_used_for_long(browsers: KnownBrowsers) -> None:
    first = browsers.remember("", "anna")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(known_browsers, "_KEPT", timedelta(0))
        assert not browsers.knows(first, "anna")
        other = browsers.remember("", "boris")
    assert not browsers.knows(first, "anna"), "its row is gone"
    assert browsers.knows(other, "boris")
