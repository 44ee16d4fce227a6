"""Readers by name: LlamaIndex readers that give Markdown, one part a page, sheet or slide where there are such.

They run in worker processes (`assistant.ingest.reading`) and raise `DocumentError` with a reason for a person.
Which library reads what was measured: liteparse with a pypdfium2 guard for PDF, tesserocr for what is only a picture,
xberg from bytes for office, mail and HTML.
"""

from assistant.parts.readers import images, mail, office, pdf, tables, text, web
from assistant.parts.readers.base import READERS, VERSION, CorporateReader, Part, ReadContext, Reading

__all__ = [
    "READERS",
    "VERSION",
    "CorporateReader",
    "Part",
    "ReadContext",
    "Reading",
    "images",
    "mail",
    "office",
    "pdf",
    "tables",
    "text",
    "web",
]
