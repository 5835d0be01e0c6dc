"""Log lines go to the loggers of the standard library, which a program filters, formats and sends as it likes.

By default they print nothing below a warning. structlog's own default would print on stdout, which belongs to the
program, and to the data of a command.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    import structlog

LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]


#: Characters that end a line, or that a terminal obeys.
_CONTROLS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


def escape_controls(text: str) -> str:
    """The text in one line, so that what a client sent cannot be taken for another log line."""
    return _CONTROLS.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


class Logger:
    """A structlog logger on top of a logger of the standard library: an event and its fields become one line.

    structlog is imported with the first line that is written, because it takes a tenth of a second of CPU where rich
    is installed.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._structlog: structlog.stdlib.BoundLogger | None = None

    def debug(self, event: str, **fields: object) -> None:
        """Log for developers."""
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: object) -> None:
        """Log a usual event."""
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Log what the user should know or change."""
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Log a failure. `exc_info` adds a traceback."""
        self._write(logging.ERROR, event, fields)

    def exception(self, event: str, **fields: object) -> None:
        """Log a failure with the traceback of the exception being handled."""
        self._write(logging.ERROR, event, {"exc_info": True, **fields})

    def _write(self, level: int, event: str, fields: dict[str, object]) -> None:
        if self._logger.isEnabledFor(level):
            if self._structlog is None:
                import structlog

                wrapped: structlog.stdlib.BoundLogger = structlog.wrap_logger(
                    self._logger,
                    processors=[
                        structlog.processors.format_exc_info,
                        structlog.processors.KeyValueRenderer(key_order=["event"]),
                    ],
                    wrapper_class=structlog.stdlib.BoundLogger,
                    cache_logger_on_first_use=True,
                )
                self._structlog = wrapped
            self._structlog.log(level, event, **fields)


def get_logger(name: str) -> Logger:
    """The logger of a name, such as `threadbridge.run`."""
    return Logger(logging.getLogger(name))


class _OneLineFormatter(logging.Formatter):
    """Escapes line breaks in messages, also in those of other libraries; a traceback keeps its lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name in the standard library
        record.message = escape_controls(record.message)
        return super().formatMessage(record)


def log_to_stderr(level: LogLevel) -> None:
    """Send every log line of this process to stderr; for commands, whose stdout is data."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLineFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("threadbridge").setLevel(level.upper())
