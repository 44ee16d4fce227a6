"""Addresses in running text: whatever a program that shows Markdown would make a link of by itself."""

from __future__ import annotations

import re

_TLD = (
    r"(?:[a-z]{2}|com|net|org|info|biz|edu|gov|mil|int|pro|web|name|aero|asia|coop|museum|xxx|shop|dev|app|site|online|store"
    r"|tech|cloud|click|link|xyz|top|club|page|live|zip|mov|рф|рус|москва|xn--[a-z0-9-]{1,59})"
)
_END = r"(?!_*[^\W_]|-)"  # the signs of emphasis end it: _home.com_
_TAIL = r"(?::\d{1,5})?(?:[/?#]\S*)?"
ADDRESS = re.compile(
    r"[a-z0-9][a-z0-9+.-]*://\S*"
    r"|(?<!:)//(?:localhost|[\w-]+\.)\S*"
    r"|(?<![\w.-])[\w.-]*(?:mailto|xmpp):\S+"
    r"|(?<![\w-])www\.\S+"
    r"|(?<![\w.%+-])[\w.%+-]*@\w[\w.-]*\.[\w-]+|(?<![\w.%+-])[\w.%+-]+@\w[\w-]*"
    rf"|(?<![\w.-])(?:\w[\w-]*\.)+{_TLD}{_END}{_TAIL}",
    re.IGNORECASE,
)
# «домен.ru» whose first part has been said already.
BEHIND_A_DOT = re.compile(rf"\.(?:\w[\w-]*\.)*{_TLD}{_END}{_TAIL}", re.IGNORECASE)
_TRAILING = ".,;:!?'_~-"


def address_in(text: str) -> tuple[int, int] | None:
    """Where the first one stands; signs that end a sentence are none of it."""
    if not any(sign in text for sign in (".", "@", ":")) and "//" not in text:
        return None
    found = ADDRESS.search(text)
    if found is None:
        return None
    return found.start(), found.start() + max(1, len(found[0].rstrip(_TRAILING)))
