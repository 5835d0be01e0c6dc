"""The Assistants API v2 on the wire, without I/O: what the gateway and the in-process transports share.

`decoded` and `own_path` say what of a URL's path is ours, if any, and `answer` answers a request from any backend.
"""

from __future__ import annotations

from threadbridge.wire.dispatch import build_error_response, dispatch_request
from threadbridge.wire.error_responses import to_wire
from threadbridge.wire.passthrough_paths import may_be_handled_locally
from threadbridge.wire.routes import OPERATIONS, Operation, decode_path, find_api_path

__all__ = [
    "OPERATIONS",
    "Operation",
    "build_error_response",
    "decode_path",
    "dispatch_request",
    "find_api_path",
    "may_be_handled_locally",
    "to_wire",
]
