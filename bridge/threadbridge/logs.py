"""Where log lines go: to the standard library's loggers, which a program silences, formats and sends as it likes.

Left alone they say nothing below a warning. structlog's own default would print on stdout, where a library has no
business and where the commands put their data.
"""

from __future__ import annotations

import logging
import sys
from typing import Literal, TypeAlias, cast

import structlog

LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A structlog logger on top of `logging.getLogger(name)`: an event and its fields become one line."""
    return cast(
        "structlog.stdlib.BoundLogger",
        structlog.wrap_logger(
            logging.getLogger(name),
            processors=[
                structlog.stdlib.filter_by_level,
                structlog.processors.format_exc_info,
                structlog.processors.KeyValueRenderer(key_order=["event"]),
            ],
            wrapper_class=structlog.stdlib.BoundLogger,
            cache_logger_on_first_use=True,
        ),
    )


def log_to_stderr(level: LogLevel) -> None:
    """Send every log line of this process to stderr; for commands, whose stdout is data."""
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    logging.getLogger("threadbridge").setLevel(level.upper())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
