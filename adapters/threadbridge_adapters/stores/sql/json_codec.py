"""Wire objects as text and back: key order is kept, and what no JSON can hold is refused by name."""

from __future__ import annotations

import orjson

from threadbridge.errors import StoreError
from threadbridge.ports import Wire


def encode_json(body: Wire) -> str:
    """The object as JSON text. Raises StoreError for what JSON cannot carry (half a surrogate pair, huge integers)."""
    try:
        return orjson.dumps(body).decode()
    except orjson.JSONEncodeError as exc:
        raise StoreError(f"{body.get('id', 'an object')} cannot be stored as JSON: {exc}") from exc


def encode_optional_json(body: Wire | None) -> str | None:
    """The object as JSON text, None for None."""
    return None if body is None else encode_json(body)


def decode_json(text: str) -> Wire:
    """A fresh dictionary, the caller's own."""
    body: Wire = orjson.loads(text)
    return body


def decode_optional_json(text: str | None) -> Wire | None:
    """A fresh dictionary, None for None."""
    return None if text is None else decode_json(text)
