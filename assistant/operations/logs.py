"""Logs: JSON lines into a rotating file in the storage folder, readable lines on a terminal."""

from __future__ import annotations

import logging
import logging.handlers
import sys
import tempfile
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.settings_secrets import masked, secrets_of

if TYPE_CHECKING:
    from assistant.settings import Settings

_QUIET = (
    "httpx",
    "httpcore",
    "chromadb",
    "sentence_transformers",
    "alembic",
    "bm25s",
    "urllib3",
    "llama_index",
    "filelock",
)
_FILE_BYTES = 10_000_000
_FILES = 5


def configure_logs(settings: Settings, *, console: bool) -> None:
    """Set up logging for this process. Questions and document texts are never logged."""
    import structlog

    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )

    without_secrets = masked(secret for _, secret in secrets_of(settings))

    def handler_for(handler: logging.Handler, renderer: structlog.types.Processor) -> logging.Handler:
        steps: list[structlog.types.Processor] = [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            lambda logger, name, event: without_secrets(str(renderer(logger, name, event))),
        ]
        handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=steps))
        return handler

    handlers: list[logging.Handler] = []
    folder = settings.storage.path.expanduser().resolve() / "logs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = logging.handlers.RotatingFileHandler(
            folder / "assistant.log", maxBytes=_FILE_BYTES, backupCount=_FILES, encoding="utf-8"
        )
        handlers.append(handler_for(file, structlog.processors.JSONRenderer(ensure_ascii=False)))
    except OSError:
        console = True  # a read-only storage folder is reported by the command itself
    if console and settings.logs.console:
        colors = sys.stderr.isatty()
        handlers.append(handler_for(logging.StreamHandler(), structlog.dev.ConsoleRenderer(colors=colors)))
    root = logging.getLogger()
    root.handlers[:] = handlers or [logging.NullHandler()]
    root.setLevel(settings.logs.level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def log_failure(error: BaseException) -> str:
    """Write an unexpected error's traceback where it can be found; returns the place."""
    files = [
        h.baseFilename for h in logging.getLogger().handlers if isinstance(h, logging.handlers.RotatingFileHandler)
    ]
    if files:
        logging.getLogger("assistant").error("unexpected error", exc_info=error)
        return files[0]
    with tempfile.NamedTemporaryFile("w", prefix="assistant-", suffix=".log", delete=False, encoding="utf-8") as file:
        file.write("".join(traceback.format_exception(error)))
    return str(Path(file.name))
