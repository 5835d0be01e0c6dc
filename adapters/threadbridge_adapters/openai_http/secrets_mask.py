"""Masks the secrets of one service in what it sends: some services repeat keys, headers or URLs in their errors."""

from __future__ import annotations

import logging
import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final
from urllib.parse import quote

import orjson

from threadbridge.schemas.error_messages import mask_partial_keys

#: A shorter value is a placeholder and may be an ordinary word, so it is not masked.
_SHORTEST_SECRET: Final = 8
_MASK: Final = "***"
#: Headers and query parameters whose values are no secrets; every other configured value is one.
_PUBLIC_NAMES: Final = re.compile(
    r"accept(-.*)?|api-version|content-.*|openai-(beta|organization|project)|user-agent|x-stainless-.*|cache-control",
    re.IGNORECASE,
)


class SecretsMask:
    """The secrets among the values that are sent to a service."""

    def __init__(self, key: str, headers: Mapping[str, str], query: Mapping[str, object]) -> None:
        secrets = {key}
        for name, value in headers.items():
            if _PUBLIC_NAMES.fullmatch(name):
                continue
            scheme, _, token = value.partition(" ")
            secrets |= {value, token}
            if scheme.lower() == "basic":
                with suppress(ValueError):
                    credentials = b64decode(token).decode()
                    secrets |= {credentials, credentials.partition(":")[2]}
        for name, parameter in query.items():
            if not _PUBLIC_NAMES.fullmatch(name):
                secrets |= {str(parameter), quote(str(parameter), safe="")}
        # Longer ones first: one secret may be a part of another.
        self._secrets = sorted((each for each in secrets if len(each) >= _SHORTEST_SECRET), key=len, reverse=True)
        #: As they appear in JSON.
        self._encoded = tuple(orjson.dumps(each)[1:-1] for each in self._secrets)

    def mask_text(self, text: str) -> str:
        """The text without these secrets, and without parts of other keys."""
        for secret in self._secrets:
            text = text.replace(secret, _MASK)
        return mask_partial_keys(text)

    def mask_json(self, data: bytes) -> bytes:
        """The JSON text without these secrets."""
        for secret in self._encoded:
            if secret in data:
                data = data.replace(secret, _MASK.encode())
        return data

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to mask."""
        return not self._secrets

    def open_stream(self) -> StreamMask:
        """A mask for one stream of JSON texts."""
        return StreamMask(self._encoded)

    def protect_logs(self) -> None:
        """Mask these secrets in the log lines of the HTTP libraries and of the SDK, which contain URLs and headers."""
        _LOG_FILTER.secrets.update(self._secrets)
        for name in _LIBRARY_LOGGERS:
            logging.getLogger(name).addFilter(_LOG_FILTER)  # adds a filter only once


class StreamMask:
    """Masks secrets in a byte stream, also those that are split over its chunks."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._secrets = secrets
        self._starts = tuple({secret[:1] for secret in secrets})
        self._longest = max(map(len, secrets), default=0)
        self._held_back = b""

    def receive_data(self, chunk: bytes) -> bytes:
        """The next bytes of the masked stream. An end that a secret may begin with is held back."""
        data = self._held_back + chunk
        for secret in self._secrets:
            data = data.replace(secret, _MASK.encode())
        end = len(data)
        for at in range(max(0, end - self._longest + 1), end):
            if data.startswith(self._starts, at) and any(secret.startswith(data[at:]) for secret in self._secrets):
                end = at
                break
        self._held_back = data[end:]
        return data[:end]

    def finish(self) -> bytes:
        """The rest at the end of the stream."""
        rest, self._held_back = self._held_back, b""
        return rest


class _LogFilter(logging.Filter):
    def __init__(self) -> None:
        super().__init__()
        self.secrets: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if any(secret in message for secret in self.secrets):
            for secret in sorted(self.secrets, key=len, reverse=True):
                message = message.replace(secret, _MASK)
            record.msg, record.args = message, ()
        return True


_LOG_FILTER: Final = _LogFilter()
#: The loggers that write lines about requests; filters of a logger do not apply to its children.
_LIBRARY_LOGGERS: Final = ("httpx", "httpx2", "openai._base_client", "httpcore.http11", "httpcore.http2")
