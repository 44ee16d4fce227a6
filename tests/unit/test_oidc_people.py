"""From a provider's claims to a person: the groups wherever they are, and nothing guessed."""

from __future__ import annotations

from typing import Any

import pytest

from assistant.errors import SignInRefused
from assistant.parts.sign_in.oidc_people import identity_of, is_complete
from assistant.settings_oidc import Oidc, OidcClaims


def settings(**claims: str) -> Oidc:
    return Oidc(name="corp", issuer="https://id.example", client_id="assistant", claims=OidcClaims(**claims))


PERSON = {"sub": "f3", "preferred_username": " ivanova ", "name": "Мария Иванова", "email": "i@company.example"}
TOP = {"groups": ["hr", "staff", "hr", ""]}


@pytest.mark.parametrize(
    ("path", "claims", "groups"),
    [
        ("groups", TOP, ("hr", "staff")),
        ("groups", {"groups": "hr"}, ("hr",)),
        ("groups", {"groups": []}, ()),
        ("groups", {}, ()),
        ("", {"groups": ["hr"]}, ()),
        ("realm_access.roles", {"realm_access": {"roles": ["hr"]}}, ("hr",)),
        ("realm_access.roles", {"realm_access": {}}, ()),
        ("realm_access.roles", {"realm_access": "hr"}, ()),
        ("resource_access.assistant.roles", {"resource_access": {"assistant": {"roles": ["hr"]}}}, ("hr",)),
        ("https://company.example/groups", {"https://company.example/groups": ["hr"]}, ("hr",)),
        ("groups", {**TOP, "_claim_names": {"groups": "src1"}}, ("hr", "staff")),
    ],
)
def test_groups_are_found(path: str, claims: dict[str, Any], groups: tuple[str, ...]) -> None:
    found = identity_of(settings(groups=path), {**PERSON, **claims})
    assert found.groups == groups
    assert (found.source, found.subject, found.name, found.display_name) == ("corp", "f3", "ivanova", "Мария Иванова")


@pytest.mark.parametrize(
    "claims",
    [
        {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.example"}}},
        {"hasgroups": True},
        {"groups": {"hr": True}},
        {"groups": ["hr", 7]},
        {"groups": 7},
        {"groups": [f"g{number}" for number in range(1001)]},
        {"groups": ["g" * 301]},
    ],
)
def test_groups_that_are_not_listed_let_nobody_in_without_them(claims: dict[str, Any]) -> None:
    with pytest.raises(SignInRefused) as refused:
        identity_of(settings(), {**PERSON, **claims})
    assert refused.value.case == "groups"


@pytest.mark.parametrize("name", [None, "", "  ", 7, ["ivanova"]])
def test_no_name_is_invented(name: object) -> None:
    with pytest.raises(SignInRefused, match=r"set auth.oidc claims.name") as refused:
        identity_of(settings(), {**PERSON, "preferred_username": name})
    assert refused.value.case == "no_name"


def test_what_is_not_wanted_is_not_asked_for() -> None:
    assert is_complete(settings(), {**PERSON, **TOP})
    assert not is_complete(settings(), PERSON)
    assert is_complete(settings(groups="", display_name=""), {"preferred_username": "ivanova"})
