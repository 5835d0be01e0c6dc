"""Ids in the service's format (recorded): a prefix with hexadecimal digits, or with letters and digits."""

from __future__ import annotations

import secrets
import string

_ALPHABET = string.ascii_letters + string.digits
#: Prefixes whose ids are letters and digits: the separator and the number of characters.
_ALPHANUMERIC_FORMATS = {"call": ("_", 24), "file": ("-", 22)}
_HEX_BYTES = {"cfile": 16, "cntr": 24, "conv": 24, "part": 16, "req": 16, "upload": 16, "vs": 16, "vsfb": 16}
_DEFAULT_HEX_BYTES = 25


def new_id(prefix: str) -> str:
    """A new random id: `resp_`, `msg_`, `fc_`, `rs_` with 50 digits, `conv_` and `cntr_` with 48, `vs_` with 32;
    `call_` with 24 and `file-` with 22 letters and digits.
    """
    if prefix in _ALPHANUMERIC_FORMATS:
        between, length = _ALPHANUMERIC_FORMATS[prefix]
        return prefix + between + "".join(secrets.choice(_ALPHABET) for _ in range(length))
    return f"{prefix}_{secrets.token_hex(_HEX_BYTES.get(prefix, _DEFAULT_HEX_BYTES))}"
