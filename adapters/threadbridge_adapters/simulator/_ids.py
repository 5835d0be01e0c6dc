"""Ids shaped like the service's (recorded): a prefix and hexadecimal digits, or letters and digits."""

from __future__ import annotations

import secrets
import string

_ALPHABET = string.ascii_letters + string.digits
#: Prefixes whose ids are letters and digits: what stands between, and how many.
_MIXED = {"call": ("_", 24), "file": ("-", 22)}
_BYTES = {"cfile": 16, "cntr": 24, "conv": 24, "part": 16, "req": 16, "upload": 16, "vs": 16, "vsfb": 16}
_USUAL_BYTES = 25


def new_id(prefix: str) -> str:
    """A fresh id: `resp_`, `msg_`, `fc_`, `rs_` with 50 digits, `conv_` and `cntr_` with 48, `vs_` with 32; `call_`
    with 24 and `file-` with 22 letters and digits.
    """
    if prefix in _MIXED:
        between, length = _MIXED[prefix]
        return prefix + between + "".join(secrets.choice(_ALPHABET) for _ in range(length))
    return f"{prefix}_{secrets.token_hex(_BYTES.get(prefix, _USUAL_BYTES))}"
