"""Opaque reasoning: the value of `encrypted_content`, which is verified when it is sent back.

Nothing here is secret. The checksum only makes it possible to reject, as the service does, content that was truncated,
altered or invented.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from threadbridge_adapters.simulator import _errors as errors

_PREFIX = "gAAAAA"
_SIGNING_KEY = b"threadbridge simulator"
_SIGNATURE_LENGTH = 16


def make_encrypted_content(text: str) -> str:
    """An opaque token like the service's; the same text gives the same token."""
    content = text.encode()
    return _PREFIX + base64.urlsafe_b64encode(_sign(content) + content).decode()


def is_own_encrypted_content(token: str) -> bool:
    """Whether this token was created here and is unchanged."""
    try:
        raw = base64.b64decode(token.removeprefix(_PREFIX), altchars=b"-_", validate=True)
    except ValueError:
        return False
    return token.startswith(_PREFIX) and hmac.compare_digest(raw[:_SIGNATURE_LENGTH], _sign(raw[_SIGNATURE_LENGTH:]))


def unverifiable_content_error(token: str) -> errors.ServiceError:
    """The service's error for a token that cannot be verified."""
    excerpt = f"{token[:4]}...{token[-4:]}"
    text = f"The encrypted content {excerpt} could not be verified. "
    return errors.ServiceError(
        text + "Reason: Encrypted content could not be decrypted or parsed.", code="invalid_encrypted_content"
    )


def _sign(content: bytes) -> bytes:
    return hmac.digest(_SIGNING_KEY, content, hashlib.sha256)[:_SIGNATURE_LENGTH]
