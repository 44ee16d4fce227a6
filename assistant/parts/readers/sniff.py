"""What a file is, by its content: names lie (an .xls that is a web page, a .doc that is RTF)."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import PurePath

# The reader of each kind of content.
OFFICE = frozenset({"docx", "xlsx", "pptx", "odt", "ods", "odp", "doc", "xls", "ppt", "rtf", "encrypted"})
_READERS = {**dict.fromkeys(OFFICE, "office"), "epub": "epub", "pdf": "pdf", "image": "image", "msg": "mail"}
_TEXT_READERS = {"html": "html", "xml": "html", "mail": "mail"}
_BY_SUFFIX = {
    **dict.fromkeys((".md", ".markdown"), "markdown"),
    **dict.fromkeys((".csv", ".tsv"), "csv"),
    **dict.fromkeys((".txt", ".log", ""), "text"),
    **dict.fromkeys((".html", ".htm", ".xhtml"), "html"),
    **dict.fromkeys((".eml", ".msg"), "mail"),
    **dict.fromkeys((f".{kind}" for kind in OFFICE), "office"),  # damaged ones
}
_PACKAGES = (  # folders of Office Open XML
    ("word/", "docx"),
    ("xl/", "xlsx"),
    ("ppt/", "pptx"),
)
_OPEN_DOCUMENT = {
    "application/vnd.oasis.opendocument.text": "odt",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/vnd.oasis.opendocument.presentation": "odp",
    "application/epub+zip": "epub",
}
_STREAMS = (  # of the compound files of older Office and Outlook
    ("encryptedpackage", "encrypted"),
    ("__properties_version1.0", "msg"),
    ("worddocument", "doc"),
    ("workbook", "xls"),
    ("book", "xls"),
    ("powerpoint document", "ppt"),
)
_IMAGES = (b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"BM", b"GIF8")
_MAIL_HEADER = re.compile(
    rb"(?im)^(from|to|subject|date|received|return-path|message-id|mime-version|content-type|delivered-to): *\S"
)


def kind_of(raw: bytes) -> str | None:
    """The kind of content: docx, xls, rtf, html, mail …; None for other text and for what is not known."""
    if raw.startswith(b"PK\x03\x04"):
        return _zip_kind(raw)
    if raw.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return _compound_kind(raw)
    if raw[:1024].lstrip().startswith(b"{\\rtf"):
        return "rtf"
    if b"%PDF-" in raw[:1024]:
        return "pdf"
    if raw.startswith(_IMAGES) or (raw[:4] == b"RIFF" and raw[8:12] == b"WEBP") or _is_heif(raw):
        return "image"
    return _text_kind(raw)


def reader_for(raw: bytes, name: str) -> str | None:
    """The name of the reader for a file: by content, and where that is plain text by its name's ending."""
    kind = kind_of(raw)
    suffix = PurePath(name).suffix.lower()
    if kind in _READERS:
        return _READERS[kind]
    by_suffix = _BY_SUFFIX.get(suffix)
    if kind in _TEXT_READERS and by_suffix not in ("text", "markdown", "csv"):  # there a page is quoted
        return _TEXT_READERS[kind]
    return by_suffix


def _is_heif(raw: bytes) -> bool:
    return raw[4:8] == b"ftyp" and raw[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"hevc")


def _zip_kind(raw: bytes) -> str | None:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            names = archive.namelist()
            if "mimetype" in names:
                return _OPEN_DOCUMENT.get(archive.read("mimetype")[:100].decode("ascii", "replace").strip(), "zip")
    except (zipfile.BadZipFile, RuntimeError, OSError, NotImplementedError, EOFError):
        return None  # damaged: the name may still tell
    return next((kind for folder, kind in _PACKAGES if any(name.startswith(folder) for name in names)), "zip")


def _compound_kind(raw: bytes) -> str | None:
    import olefile

    try:
        with olefile.OleFileIO(io.BytesIO(raw)) as compound:
            streams = {path[0].lower() for path in compound.listdir()}
    except (OSError, ValueError, IndexError, TypeError, KeyError):
        return None  # damaged: the name may still tell
    return next((kind for stream, kind in _STREAMS if stream in streams), None)


def _text_kind(raw: bytes) -> str | None:
    head = raw[:4096]
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        head = head.decode("utf-16", "replace").encode()
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if re.match(
        rb"(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(!doctype html|html|head|body|table|meta|div)\b", start, re.DOTALL
    ):
        return "html"
    if start.startswith(b"<?xml"):
        return "xml"
    headers = re.split(rb"\r?\n\r?\n", head.lstrip(), maxsplit=1)[0]
    return "mail" if len({name.lower() for name in _MAIL_HEADER.findall(headers)}) >= 2 else None
