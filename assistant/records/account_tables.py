"""Tables of people and programs: accounts, sessions, tokens, the weekly question, and the audit of what they did."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from assistant.records.base import Base


class UserRow(Base):
    """Somebody who may enter. Who comes from a directory has `subject` there and no password here."""

    __tablename__ = "users"
    __table_args__ = (UniqueConstraint("source", "subject", name="users_by_subject"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    source: Mapped[str] = mapped_column(String(80), default="local", server_default="local")  # which way he comes in
    subject: Mapped[str | None] = mapped_column(String(300))
    display_name: Mapped[str] = mapped_column(String(300), default="", server_default="")
    password_hash: Mapped[str] = mapped_column(String(300))  # argon2; "" opens nothing
    roles: Mapped[list[str]]
    departments: Mapped[list[str]]
    level: Mapped[int]
    groups: Mapped[list[str]] = mapped_column(default=list, server_default="[]")  # what they give: access/rights
    must_change: Mapped[bool] = mapped_column(default=False, server_default=false())  # the password, before anything
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    checked_at: Mapped[datetime | None]  # when the directory was last asked
    left_at: Mapped[datetime | None]  # since when it says that he is gone, or off
    used_at: Mapped[datetime | None]  # the last request, to the minute


class SessionRow(Base):
    """Somebody signed in. Only a hash of the cookie's random id is kept."""

    __tablename__ = "sessions"

    id_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    used_at: Mapped[datetime]
    sid: Mapped[str | None] = mapped_column(
        String(300)
    )  # the session's name at the single sign-on, to be ended from there
    id_token: Mapped[str | None] = mapped_column(Text)  # shown to it at sign-out
    address: Mapped[str] = mapped_column(String(60), default="", server_default="")
    browser: Mapped[str] = mapped_column(String(300), default="", server_default="")


class KnownBrowserRow(Base):
    """A browser that has signed in with a name: strangers' wrong passwords do not make it wait."""

    __tablename__ = "known_browsers"

    browser_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    name_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    used_at: Mapped[datetime] = mapped_column(index=True)


class OneTimeRow(Base):
    """What may be used once: a sign-in on its way to a provider, the number of a message of its."""

    __tablename__ = "one_time"

    key_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    content: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class ApiTokenRow(Base):
    """What a program shows to ask in a person's name. Only a hash of it is kept."""

    __tablename__ = "api_tokens"

    id: Mapped[str] = mapped_column(String(12), primary_key=True)  # names it in lists; opens nothing
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    scopes: Mapped[list[str]] = mapped_column(default=lambda: ["ask"], server_default='["ask"]')  # what it opens
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class SurveyRow(Base):
    """How many minutes somebody says the assistant saved him in a week; None when he was asked and did not say."""

    __tablename__ = "surveys"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    week: Mapped[str] = mapped_column(String(8), primary_key=True)  # ISO: 2026-W48
    minutes: Mapped[int | None]
    answered_at: Mapped[datetime] = mapped_column(index=True)


class AuditEventRow(Base):
    """Something that was done. Written once; `hash` is over the record and the hash of the one before it."""

    __tablename__ = "audit_events"
    __table_args__ = (Index("audit_events_by_actor", "actor_id", "at"),)

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)  # from 1, without gaps
    at: Mapped[str] = mapped_column(String(40))  # ISO 8601, UTC, as it was hashed
    kind: Mapped[str] = mapped_column(String(40))
    actor_id: Mapped[str] = mapped_column(String(40))
    actor: Mapped[str] = mapped_column(String(200))
    address: Mapped[str] = mapped_column(String(60))
    details: Mapped[str] = mapped_column(Text)  # JSON, as it was hashed
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class AuditHeadRow(Base):
    """The newest audit record's number and hash: one row, taken by whoever writes the next one."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # 1
    number: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str] = mapped_column(String(64))
