"""Single sign-on at a real provider: who comes in, and all that is refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from assistant.access.principal import AccessClass
from tests.conftest import need
from tests.integration.single_sign_on import SignOn, query, sign_on_site
from tests.servers.oidc_provider import installed

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def sign_on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignOn]:
    need(installed(), "node and npm, for the OpenID provider (apt-get install nodejs npm)")
    with sign_on_site(tmp_path_factory.mktemp("sso")) as found:
        yield found


@pytest.fixture(autouse=True)
def _untouched(sign_on: SignOn) -> Iterator[None]:
    yield
    sign_on.proxy.reset()


def test_a_person_comes_in_with_the_rights_of_the_groups(sign_on: SignOn) -> None:
    with sign_on.visitor() as visitor:
        answer = visitor.sign_in("ivanova")
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert visitor.session
        person = sign_on.assistant.accounts.of_session(visitor.session)
    assert person is not None
    assert person.name == "ivanova"
    assert AccessClass("hr", 2) in person.grants
    assert "engineer" in person.roles


def test_what_is_asked_of_the_provider(sign_on: SignOn) -> None:
    with sign_on.visitor() as visitor:
        asked = query(visitor.begin())
    assert asked["redirect_uri"] == f"{sign_on.url}/auth/oidc/corp/callback"
