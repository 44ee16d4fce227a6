"""Letters: the body as one part, each attachment as its own, so that none is cited as what the sender wrote."""

from __future__ import annotations

import re
import tempfile
from dataclasses import replace
from email.utils import parseaddr
from pathlib import Path, PurePath

from assistant.errors import DocumentError
from assistant.parts.ocr_data import OCR_IS_OFF
from assistant.parts.readers.base import READERS, CorporateReader, Part, ReadContext, Reading, clean, with_recognised
from assistant.parts.readers.by_content import ByContent
from assistant.parts.readers.extraction import extract
from assistant.parts.readers.guards import check_size
from assistant.parts.readers.letters import Attachment, Letter, from_eml, from_msg
from assistant.parts.readers.properties import document_properties
from assistant.parts.readers.rtf_in_msg import decompressed
from assistant.parts.readers.sniff import kind_of, reader_for
from assistant.parts.readers.web import from_html

_PICTURES = 20  # of an attachment that are recognised: the letter as a whole has one time limit
_ATTACHMENTS = 100  # of a letter that are read


class MailReader(ByContent):
    """EML and MSG: subject, sender, date and body, then what is attached, as deep as `limits.nesting` says."""

    name = "mail"
    leaves_to = frozenset({"office", "epub", "pdf", "html"})

    def parse(self, raw: bytes, file: Path, context: ReadContext) -> Reading:
        letter = from_msg(raw) if kind_of(raw) == "msg" else from_eml(raw)
        if not (letter.headers or letter.subject):
            raise DocumentError("it is damaged or not a letter")
        name, address = parseaddr(letter.header("From"))
        said = document_properties(letter.subject, name or address, letter.header("Date"))
        lacking: list[str] = []
        parts = _parts(letter, context, lacking)
        return Reading(parts, said, tuple(dict.fromkeys(lacking)))


@READERS.register("mail")
def mail() -> CorporateReader:
    """EML and MSG with their attachments."""
    return MailReader()


def _parts(letter: Letter, context: ReadContext, lacking: list[str]) -> list[Part]:
    """The letter itself first, with a line for each attachment that could not be read; `lacking` gets those that other
    settings may open.
    """
    attached: list[Part] = []
    unread: list[str] = []
    for attachment in letter.attachments[:_ATTACHMENTS]:
        try:
            attached += _attached(attachment, context, lacking)
        except DocumentError as error:
            unread.append(f"- {attachment.name}: {error}")
            if "ingest." in str(error):  # it names the setting
                lacking.append(f"{attachment.name}: {error}")
    unread += [
        f"- {attachment.name}: only {_ATTACHMENTS} attachments are read"
        for attachment in letter.attachments[_ATTACHMENTS:]
    ]
    head = "\n".join(f"**{name}:** {value}  " for name, value in letter.headers)
    pieces = [f"# {letter.subject}" if letter.subject else "", head, _body(letter, context)]
    if unread:
        pieces.append("Attachments that were not read:\n\n" + "\n".join(unread))
    return [Part(clean("\n\n".join(piece for piece in pieces if piece))), *attached]


def _body(letter: Letter, context: ReadContext) -> str:
    """The formatted text where there is one: it has the tables and lists."""
    if letter.html.strip():
        try:
            if text := from_html(letter.html, context.limits):
                return text
        except DocumentError:
            pass  # the plain text says the same
    if letter.plain.strip() or not letter.rtf:
        return re.sub(r"(?m)^(#+\s)", r"\\\1", letter.plain.strip().replace("\r\n", "\n"))
    try:
        return extract(decompressed(letter.rtf), "application/rtf", context.limits).text
    except DocumentError:
        return ""


def _attached(attachment: Attachment, context: ReadContext, lacking: list[str]) -> list[Part]:
    limits = context.limits
    if limits.nesting < 1:
        raise DocumentError("it is attached too deep (ingest.limits.nesting)")
    deeper = replace(context, limits=limits.model_copy(update={"nesting": limits.nesting - 1}))
    letter = attachment.letter
    parts = _parts(letter, deeper, lacking) if letter else _read(attachment, deeper, lacking)
    found = [
        replace(part, kind="attachment", label=" › ".join(name for name in (attachment.name, part.label) if name))
        for part in parts
        if part.text.strip()
    ]
    if not found:
        raise DocumentError("no text was found in it")
    if not found[0].text.startswith("#"):  # else it would stand under the last heading of the letter
        found[0] = replace(found[0], text=f"# {attachment.name}\n\n{found[0].text}")
    return found


def _read(attachment: Attachment, context: ReadContext, lacking: list[str]) -> list[Part]:
    """By the reader of its content, from a file of its own; pictures are recognised at once."""
    name = reader_for(attachment.raw, attachment.name)
    if attachment.raw and (name is None or name not in READERS.names()):
        raise DocumentError("files of this kind are not read")
    suffix = re.sub(r"[^.\w]", "", PurePath(attachment.name).suffix)[:10]
    with tempfile.TemporaryDirectory(prefix="attachment-") as folder:
        file = Path(folder) / f"attachment{suffix}"
        file.write_bytes(attachment.raw)
        check_size(file, context.limits)
        reader = READERS.build(name or "text")
        reading = reader.read(file, context)
        lacking.extend(reading.lacking)
        pictures = [part.picture for part in reading.parts if part.picture is not None]
        if pictures and not context.ocr.enabled:
            lacking.append(f"{attachment.name}: {OCR_IS_OFF}")
        if len(pictures) > _PICTURES:
            lacking.append(f"{attachment.name}: only {_PICTURES} of its {len(pictures)} scanned pages were recognised")
        try:
            found = reader.recognise(file, pictures[:_PICTURES], context) if pictures and context.ocr.enabled else []
        except DocumentError as error:
            if not any(part.text.strip() for part in reading.parts):
                raise
            lacking.append(f"{attachment.name}: {error}")
            found = []
        return with_recognised(reading.parts, found)
