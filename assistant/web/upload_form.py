"""A form with files, taken in while it arrives: what is too large is never stored, and what is stored is in our folder.

FastAPI's own form would write everything into the system's temporary folder before a limit could be looked at.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool

from assistant.ingest.upload import refusal

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_FILES = 200
_ALL_FILES = 20  # times the limit of one, in one request
_FIELD_BYTES = 16_384


@dataclass
class SentFile:
    """A file's content, or nothing of it when it is `too_large`. An unnamed temporary file: it leaves nothing behind."""

    name: str
    content: IO[bytes]
    size: int = 0
    too_large: bool = False


@dataclass
class _Part:
    headers: dict[bytes, bytes] = field(default_factory=dict)
    name: str = ""
    data: bytearray = field(default_factory=bytearray)
    file: SentFile | None = None


class UploadForm:
    """Use it in `with`: at the end the contents are gone."""

    def __init__(self, staging: Path, file_mb: int) -> None:
        self.files: list[SentFile] = []
        self.fields: dict[str, str] = {}
        self._staging = staging
        self._limit = file_mb * 1024 * 1024
        self._open = ExitStack()
        self._part = _Part()
        self._header = (b"", b"")

    def __enter__(self) -> UploadForm:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    async def read(self, request: Request) -> None:
        """Take the request's body. Raises `UploadRefused`."""
        if int(request.headers.get("content-length") or 0) > self._limit * _ALL_FILES:
            raise refusal("too_much")
        kind, options = parse_options_header(request.headers.get("content-type"))
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise refusal("form")
        received = 0
        try:
            parser = MultipartParser(options[b"boundary"], self._callbacks())
            async for chunk in request.stream():
                received += len(chunk)
                if received > self._limit * _ALL_FILES:
                    raise refusal("too_much")
                await run_in_threadpool(parser.write, chunk)
            parser.finalize()
        except FormParserError as error:
            raise refusal("form") from error
        except OSError as error:
            raise refusal("not_written", reason=error.strerror or error) from error

    def _callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._grow_header(data[start:end], b""),
            "on_header_value": lambda data, start, end: self._grow_header(b"", data[start:end]),
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": lambda data, start, end: self._take(data[start:end]),
            "on_part_end": self._end,
        }

    def _begin(self) -> None:
        self._part = _Part()

    def _grow_header(self, name: bytes, value: bytes) -> None:
        self._header = (self._header[0] + name, self._header[1] + value)

    def _header_end(self) -> None:
        name, value = self._header
        self._part.headers[name.lower()] = value
        self._header = (b"", b"")

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._part.headers.get(b"content-disposition"))
        self._part.name = _decoded(options.get(b"name", b""))
        if b"filename" not in options:
            return
        if len(self.files) == _FILES:
            raise refusal("too_much")
        content = tempfile.TemporaryFile(dir=self._staging)  # noqa: SIM115 - closed with the form
        self._open.callback(content.close)
        # browsers write a quotation mark in a name so (HTML, multipart/form-data encoding)
        self._part.file = SentFile(_decoded(options[b"filename"]).replace("%22", '"'), content)

    def _take(self, data: bytes) -> None:
        file = self._part.file
        if file is None:
            if len(self._part.data) + len(data) > _FIELD_BYTES:
                raise refusal("form")
            self._part.data += data
            return
        file.size += len(data)
        if file.too_large:
            return  # the rest is read all the same: a browser shows an answer only when all was sent
        if file.size > self._limit:
            file.too_large = True
            file.content.truncate(0)
        else:
            file.content.write(data)

    def _end(self) -> None:
        file = self._part.file
        if file is None:
            self.fields[self._part.name] = _decoded(bytes(self._part.data))
        elif file.name or file.size:  # a form without a chosen file sends an empty one
            self.files.append(file)


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "replace")
