"""Upstreams through the openai SDK, and the function of their entry point."""

from __future__ import annotations

from threadbridge.ports import Upstream
from threadbridge.settings import Settings


def open_openai_upstream(settings: Settings) -> Upstream:
    """The Responses service of `settings.upstream`. Sends no request. Raises ConfigurationError without a key."""
    from threadbridge.translation.provider_profiles import PROFILES
    from threadbridge_adapters.upstreams.openai_direct import open_direct_upstream

    return open_direct_upstream(
        settings.upstream,
        capabilities=PROFILES[settings.upstream.profile],
        max_response_bytes=settings.limits.response_bytes,
    )
