"""The settings of who may enter, what they may read, how much they may ask, and what is written down of it. No behaviour."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, PositiveFloat, PositiveInt, SecretStr

from assistant.settings_block import Block
from assistant.settings_ldap import Ldap
from assistant.settings_oidc import Oidc


class LocalAccounts(Block):
    enabled: bool = Field(default=True, description="Whether accounts of `assistant users add` may sign in.")
    min_password_chars: int = Field(default=10, ge=8, le=200, description="Length that a new password needs.")


class Auth(Block):
    local: LocalAccounts = Field(default=LocalAccounts(), description="Accounts kept here, with argon2 hashes.")
    ldap: list[Ldap] = Field(default=[], description="LDAP directories and Active Directory.")
    oidc: list[Oidc] = Field(default=[], description="Providers of single sign-on: docs/sign-in-oidc.md.")
    recheck_minutes: PositiveFloat = Field(
        default=15.0,
        description="A session asks its directory this often whether the person still may, and his groups.",
    )


class Access(Block):
    everyone: list[str] = Field(
        default=["company"], description="Departments whose documents everyone signed in may read."
    )
    everyone_level: PositiveInt = Field(default=1, description="Level up to which everyone may read them.")
    file: Path = Field(
        default=Path("configs/access.yaml"),
        description="What members of which group may read, and their roles; a change is followed.",
    )
    verify_at: str = Field(
        default="03:00",
        pattern=r"^(([01]\d|2[0-3]):[0-5]\d)?$",
        description="When the running server proves every night that nobody reads what he may not; empty: never.",
    )


class Sessions(Block):
    idle_hours: PositiveFloat = Field(default=12.0, description="A session unused for this long ends.")
    max_days: PositiveFloat = Field(default=30.0, description="A session ends after this long in any case.")


class Limits(Block):
    storage: SecretStr | None = Field(
        default=None, description="Where counts are kept: redis://… for several servers; by default in memory."
    )
    per_minute: int = Field(default=20, ge=0, description="Questions and searches of one person in a minute; 0: any.")
    per_day: int = Field(default=500, ge=0, description="Questions and searches of one person in 24 hours; 0: any.")
    address_per_minute: int = Field(
        default=120, ge=0, description="The same from one address, which an office may share (IPv6: one /64); 0: any."
    )
    address_per_day: int = Field(default=10_000, ge=0, description="The same from one address in 24 hours; 0: any.")
    concurrent_answers: int = Field(default=3, ge=0, description="Answers made at once for one person; 0: any.")
    body_kb: PositiveInt = Field(
        default=2048, description="Size of a request; documents that are loaded have their own."
    )
    wrong_passwords: int = Field(
        default=5,
        ge=0,
        description="Wrong passwords for one account from one address in a minute; more wait longer and longer; 0: any.",
    )
    address_wrong_passwords: int = Field(
        default=15, ge=0, description="Wrong passwords, or wrong tokens, from one address in a minute; 0: any."
    )


class Audit(Block):
    store_questions: bool = Field(default=True, description="Whether the audit keeps the words of questions.")
