"""Ids shaped like the service's (recorded): a prefix and hexadecimal digits, calls with letters and digits."""

from __future__ import annotations

import secrets
import string

_ALPHABET = string.ascii_letters + string.digits
_CALL_LENGTH = 24
_BYTES = {"conv": 24, "req": 16}
_USUAL_BYTES = 25


def new_id(prefix: str) -> str:
    """A fresh id: `resp_`, `msg_`, `fc_`, `rs_` with 50 digits, `conv_` with 48, `call_` with 24 letters and digits."""
    if prefix == "call":
        return "call_" + "".join(secrets.choice(_ALPHABET) for _ in range(_CALL_LENGTH))
    return f"{prefix}_{secrets.token_hex(_BYTES.get(prefix, _USUAL_BYTES))}"
