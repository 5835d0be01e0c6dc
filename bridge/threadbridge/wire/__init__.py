"""The Assistants API v2 on the wire, without I/O: what the gateway and the in-process transports share.

`decode_path` and `find_api_path` find the API's path in a URL, and `dispatch_request` answers a request from any
backend.
"""

from __future__ import annotations

from threadbridge.wire.dispatch import dispatch_request
from threadbridge.wire.response_builder import build_error_response, create_request_id, to_wire
from threadbridge.wire.routes import OPERATIONS, Operation, decode_path, find_api_path, may_be_handled_locally

__all__ = [
    "OPERATIONS",
    "Operation",
    "build_error_response",
    "create_request_id",
    "decode_path",
    "dispatch_request",
    "find_api_path",
    "may_be_handled_locally",
    "to_wire",
]
