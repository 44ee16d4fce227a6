"""The accounts' part of `wiring`: what groups give, and the ways in."""

from __future__ import annotations

from assistant.access.access_file import FileRights, Noted
from assistant.access.counts import Counts
from assistant.access.limits import AskLimits
from assistant.access.rights import Rights
from assistant.access.throttle import Throttle
from assistant.accounts.look_up import LookUp
from assistant.accounts.service import AccountService
from assistant.accounts.single_sign_on import SingleSignOnService
from assistant.errors import ConfigError
from assistant.parts.sign_in import LOCAL, SIGN_IN, SINGLE_SIGN_ON, PasswordSignIn, SingleSignOn
from assistant.records.audit import Audit
from assistant.records.database import Database
from assistant.records.directory_accounts import DirectoryAccounts
from assistant.records.known_browsers import KnownBrowsers
from assistant.records.one_time import OneTime
from assistant.records.sessions import Sessions
from assistant.records.tokens import Tokens
from assistant.records.users import Users
from assistant.settings import Settings


def make_rights(settings: Settings, noted: Noted | None = None) -> Rights:
    """What groups give, as `access.file` says at every moment. Raises `ConfigError`; without the default file: nothing."""
    return FileRights(settings.access.file, required="file" in settings.access.model_fields_set, noted=noted)


def make_users(settings: Settings, database: Database, audit: Audit, rights: Rights) -> Users:
    return Users(database, audit, rights, min_password_chars=settings.auth.local.min_password_chars)


def make_limits(settings: Settings, *, limited: bool) -> AskLimits:
    """How much people may ask. Raises `ConfigError` for a place of counts that is none."""
    url = settings.limits.storage
    counts = Counts(url.get_secret_value() if url else None)
    return AskLimits(settings.limits, counts, is_off=not limited)


def make_accounts(
    settings: Settings, database: Database, audit: Audit, users: Users, rights: Rights, counts: Counts
) -> AccountService:
    """The service behind the sign-in page, with the ways in that the settings name."""
    session_hours = {provider.name: provider.session_hours for provider in settings.auth.oidc}
    return AccountService(
        users,
        _sessions(settings, database),
        Tokens(database, audit),
        DirectoryAccounts(database, audit),
        KnownBrowsers(database),
        audit=audit,
        throttle=Throttle(settings.limits, counts),
        rights=rights,
        ways=make_ways(settings),
        settings=settings.auth,
        session_hours=session_hours,
        token_days=settings.sessions.max_days,
    )


def make_ways(settings: Settings) -> list[PasswordSignIn]:
    """The directories, in the order in which a name is looked for in them."""
    if not settings.auth.ldap:
        return []
    from assistant.parts.sign_in import ldap  # noqa: F401 - registers itself; without a directory nobody waits for ldap3

    return [SIGN_IN.build("ldap", settings=one) for one in settings.auth.ldap]


def make_single_sign_on(settings: Settings, database: Database, accounts: AccountService) -> SingleSignOnService:
    """The providers that the settings name. Raises `ConfigError`; no provider is asked anything yet."""
    names = [LOCAL, *(one.name for one in settings.auth.ldap), *(one.name for one in settings.auth.oidc)]
    if taken := [name for name in names if names.count(name) > 1]:
        raise ConfigError(f"auth: two ways in are called '{taken[0]}': accounts are told apart by that name")
    if settings.auth.oidc and not settings.server.public_url:
        raise ConfigError("auth.oidc needs server.public_url: the provider sends people back to it")
    return SingleSignOnService(
        _providers(settings),
        accounts,
        _sessions(settings, database),
        OneTime(database),
        public_url=settings.server.public_url or "",
    )


def _providers(settings: Settings) -> list[SingleSignOn]:
    if not settings.auth.oidc:
        return []
    from assistant.parts.sign_in import oidc  # noqa: F401 - registers itself; without a provider nobody waits for Authlib

    return [SINGLE_SIGN_ON.build("oidc", settings=one) for one in settings.auth.oidc]


def _sessions(settings: Settings, database: Database) -> Sessions:
    return Sessions(database, idle_hours=settings.sessions.idle_hours, max_days=settings.sessions.max_days)


def open_look_up(settings: Settings) -> LookUp:
    """The directories and what groups give: without the database, for a quick command line."""
    return LookUp(make_ways(settings), make_rights(settings))
