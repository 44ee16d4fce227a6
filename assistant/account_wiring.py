"""The accounts' part of `wiring`: what groups give, and the ways in."""

from __future__ import annotations

from assistant.access.access_file import FileRights
from assistant.access.rights import Rights
from assistant.accounts.service import AccountService
from assistant.parts.sign_in import SIGN_IN, PasswordSignIn
from assistant.records.database import Database
from assistant.records.directory_accounts import DirectoryAccounts
from assistant.records.sessions import Sessions
from assistant.records.tokens import Tokens
from assistant.records.users import Users
from assistant.settings import Settings


def make_rights(settings: Settings) -> Rights:
    """What groups give, as `access.file` says at every moment. Raises `ConfigError`; without the default file: nothing."""
    return FileRights(settings.access.file, required="file" in settings.access.model_fields_set)


def make_users(settings: Settings, database: Database, rights: Rights) -> Users:
    return Users(database, rights, min_password_chars=settings.auth.local.min_password_chars)


def make_accounts(settings: Settings, database: Database, users: Users, rights: Rights) -> AccountService:
    """The service behind the sign-in page, with the ways in that the settings name."""
    sessions = Sessions(database, idle_hours=settings.sessions.idle_hours, max_days=settings.sessions.max_days)
    session_hours: dict[str, float] = {}  # of single sign-ons, by name
    return AccountService(
        users,
        sessions,
        Tokens(database),
        DirectoryAccounts(database),
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
