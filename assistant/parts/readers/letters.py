"""Letters as mail programs store them: EML (and MHT, which is written the same way) and Outlook's MSG."""

from __future__ import annotations

import email
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from typing import Any

from assistant.errors import DocumentError
from assistant.parts.readers.decoding import decode

_HEADERS = ("From", "To", "Cc", "Date")
_UNREADABLE = "it is damaged or not a letter"


@dataclass(frozen=True)
class Attachment:
    name: str
    raw: bytes = b""
    letter: Letter | None = None  # a letter in a letter


@dataclass
class Letter:
    subject: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)  # who wrote to whom, and when
    plain: str = ""
    html: str = ""
    rtf: bytes = b""
    attachments: list[Attachment] = field(default_factory=list)

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")


def from_eml(raw: bytes) -> Letter:
    """A letter as it is sent. Raises `DocumentError`."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):  # saved by an editor as UTF-16
        raw = decode(raw).encode()
    try:
        return _letter(email.message_from_bytes(raw))
    except (MessageError, ValueError, LookupError, RecursionError, TypeError, AttributeError) as error:
        raise DocumentError(f"{_UNREADABLE} ({type(error).__name__})") from error


def _letter(message: Message) -> Letter:
    headers = [(name, _header(message, name)) for name in _HEADERS]
    letter = Letter(_header(message, "Subject"), [(name, value) for name, value in headers if value])
    _take(message, letter)
    return letter


def _take(part: Message, letter: Letter) -> None:
    """One part of a letter, and those inside it: text that belongs to it, or something attached."""
    content_type = part.get_content_type()
    if content_type == "message/rfc822":
        for message in _inside(part):
            found = _letter(message)
            letter.attachments.append(Attachment(_name(part) or found.subject or "letter", letter=found))
        return
    if part.is_multipart():
        for inner in _inside(part):
            _take(inner, letter)
        return
    raw = part.get_payload(decode=True)
    raw = raw if isinstance(raw, bytes) else b""
    attached = part.get_content_disposition() == "attachment" or bool(_name(part))
    if attached or content_type not in ("text/plain", "text/html"):
        if not (part.get("Content-ID") and content_type.startswith("image/")):  # a logo in the text
            letter.attachments.append(Attachment(_name(part) or content_type, raw))
    elif content_type == "text/html":
        letter.html += _text(raw, part.get_content_charset())
    else:
        letter.plain += _text(raw, part.get_content_charset())


def _inside(part: Message) -> list[Message]:
    held = part.get_payload()
    return [inner for inner in held if isinstance(inner, Message)] if isinstance(held, list) else []


def _text(raw: bytes, charset: str | None) -> str:
    """In the declared charset, unless the bytes belie it."""
    if not raw.strip():
        return ""
    try:
        if charset and charset.lower() not in ("us-ascii", "ascii", "unknown-8bit"):
            return raw.decode(charset)
    except (LookupError, UnicodeDecodeError):
        pass
    return decode(raw)


def _header(message: Message, name: str) -> str:
    value = next((value for key, value in message.raw_items() if key.lower() == name.lower()), "")
    if re.search(r"[\udc80-\udcff]", value):  # bytes of a code page that nothing names
        value = _text(value.encode("utf-8", "surrogateescape"), None)
    return _words(value)


def _name(part: Message) -> str:
    return _words(part.get_filename() or "")


def _words(encoded: str) -> str:
    """A header or a file's name in letters; as it is written where it is written wrong."""
    try:
        text = str(make_header(decode_header(encoded)))
    except (LookupError, ValueError, UnicodeError):
        text = encoded
    return " ".join(text.split())


class _Outlook:
    """The streams below one storage of a compound file: a letter, or one that is attached to it."""

    def __init__(self, compound: Any, below: list[str]) -> None:  # noqa: ANN401 - olefile is untyped
        self._compound = compound
        self._below = below

    def stream(self, name: str) -> bytes:
        path = [*self._below, name]
        return bytes(self._compound.openstream(path).read()) if self._compound.exists(path) else b""

    def text(self, tag: str) -> str:
        """A property: stored as UTF-16, or in the code page of whoever wrote it."""
        if wide := self.stream(f"__substg1.0_{tag}001F"):
            return wide.decode("utf-16-le", "replace").rstrip("\0")
        narrow = self.stream(f"__substg1.0_{tag}001E").rstrip(b"\0")
        page = int.from_bytes((self._fixed(0x3FFD, 3) or self._fixed(0x3FDE, 3))[:4], "little")
        return _text(narrow, f"cp{page}" if page else None)

    def sent(self) -> str:
        """When it was sent or received."""
        ticks = int.from_bytes(self._fixed(0x0039, 0x40) or self._fixed(0x0E06, 0x40), "little")  # of 100 ns since 1601
        moment = datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=ticks // 10)
        return moment.isoformat(timespec="minutes") if ticks else ""

    def _fixed(self, tag: int, kind: int) -> bytes:
        """A property of fixed size, from the table of them."""
        table = self.stream("__properties_version1.0")
        wanted = kind.to_bytes(2, "little") + tag.to_bytes(2, "little")
        for at in range(24 if self._below else 32, len(table) - 15, 16):
            if table[at : at + 4] == wanted:
                return table[at + 8 : at + 16]
        return b""

    def attached(self) -> Iterator[list[str]]:
        depth = len(self._below)
        names = {
            path[depth]
            for path in self._compound.listdir()
            if path[:depth] == self._below and len(path) > depth and path[depth].startswith("__attach_version1.0_#")
        }
        for name in sorted(names):
            yield [*self._below, name]


def from_msg(raw: bytes) -> Letter:
    """A letter as Outlook saves it. Raises `DocumentError`."""
    import olefile

    try:
        with olefile.OleFileIO(io.BytesIO(raw)) as compound:
            return _outlook_letter(compound, [])
    except (OSError, ValueError, IndexError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise DocumentError(f"{_UNREADABLE} ({type(error).__name__})") from error


def _outlook_letter(compound: Any, below: list[str]) -> Letter:  # noqa: ANN401 - olefile is untyped
    stored = _Outlook(compound, below)
    sender = stored.text("0C1A")
    address = stored.text("5D01") or stored.text("0C1F")
    if "@" in address and address not in sender:
        sender = f"{sender} <{address}>".strip()
    headers = {"From": sender, "To": stored.text("0E04"), "Cc": stored.text("0E03"), "Date": stored.sent()}
    page = stored.stream("__substg1.0_10130102")
    letter = Letter(
        subject=stored.text("0037"),
        headers=[(name, value) for name, value in headers.items() if value],
        plain=stored.text("1000"),
        html=decode(page) if page.strip() else stored.text("1013"),
        rtf=stored.stream("__substg1.0_10090102"),
    )
    for place in stored.attached():
        attachment = _Outlook(compound, place)
        name = attachment.text("3707") or attachment.text("3704") or attachment.text("3001") or "attachment"
        inside = [*place, "__substg1.0_3701000D"]
        if compound.exists(inside) or compound.get_type(inside) == 1:
            letter.attachments.append(Attachment(name, letter=_outlook_letter(compound, inside)))
        elif not (attachment.text("3712") and re.search(r"(?i)\.(png|gif|jpe?g|bmp)$", name)):  # a logo in the text
            letter.attachments.append(Attachment(name, attachment.stream("__substg1.0_37010102")))
    return letter
