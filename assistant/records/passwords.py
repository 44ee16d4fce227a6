"""Passwords: argon2 hashes, a decoy for names that have none, and made ones."""

from __future__ import annotations

import functools
import secrets

from assistant.errors import ConfigError

MIN_PASSWORD_CHARS = 10


def generate_password() -> str:
    """Twenty characters that can be read aloud and typed: about 100 bits."""
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(5)) for _ in range(4))


def hash_password(password: str, min_chars: int = MIN_PASSWORD_CHARS) -> str:
    """What is kept of it. Raises `ConfigError` for one that is too short."""
    from argon2 import PasswordHasher

    if len(password.strip()) < min_chars:
        raise ConfigError(f"a password needs at least {min_chars} characters")
    return PasswordHasher().hash(password)


def is_password(password_hash: str | None, password: str) -> bool:
    """Without a hash a decoy is checked: a name that has none costs the same time as a wrong password."""
    from argon2 import PasswordHasher
    from argon2.exceptions import VerifyMismatchError

    try:
        PasswordHasher().verify(password_hash or _decoy_hash(), password)
    except VerifyMismatchError:
        return False
    return bool(password_hash)


@functools.cache
def _decoy_hash() -> str:
    """A hash of nothing anyone knows, at today's cost."""
    return hash_password(secrets.token_hex(16))
