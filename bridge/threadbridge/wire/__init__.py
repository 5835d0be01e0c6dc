"""The Assistants API v2 on the wire, without I/O: what the gateway and the in-process transports share.

`decoded` and `own_path` say what of a URL's path is ours, if any, and `answer` answers a request from any backend.
"""

from __future__ import annotations

from threadbridge.wire.dispatch import answer, refused
from threadbridge.wire.error_responses import to_wire
from threadbridge.wire.passthrough_paths import may_be_kept
from threadbridge.wire.routes import OPERATIONS, Operation, decoded, own_path
from threadbridge.wire.sse import SSE, SSEDecoder

__all__ = [
    "OPERATIONS",
    "SSE",
    "Operation",
    "SSEDecoder",
    "answer",
    "decoded",
    "may_be_kept",
    "own_path",
    "refused",
    "to_wire",
]
