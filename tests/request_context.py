"""The context of requests in tests: the tenant that settings name by default."""

from __future__ import annotations

from threadbridge.ports import RequestContext

CONTEXT = RequestContext("default")
