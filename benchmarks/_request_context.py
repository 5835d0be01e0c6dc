"""The context of the calls that benchmarks make."""

from __future__ import annotations

from threadbridge.ports import RequestContext

CONTEXT = RequestContext("default")
