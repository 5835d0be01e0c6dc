"""Upstreams are opened by name, and say who they are and what they can do."""

from __future__ import annotations

import pytest

from threadbridge.engine.context import NullUpstream
from threadbridge.errors import ConfigurationError
from threadbridge.ports import UpstreamCapabilities
from threadbridge.settings import CapabilitySettings, Settings, UpstreamSettings
from threadbridge.translation.provider_profiles import PROFILES, get_effective_capabilities
from threadbridge_adapters.composition import open_upstream
from threadbridge_adapters.simulator import SimulatedUpstream


async def test_an_upstream_says_its_name_without_secrets_and_what_its_profile_can_do() -> None:
    service = UpstreamSettings.model_validate(
        {"base_url": "https://user:secret@models.example/v1?key=secret", "api_key": "sk-test", "profile": "ollama"}
    )

    upstream = open_upstream(Settings(upstream=service))

    await upstream.aclose()
    assert upstream.name == "models.example/v1"
    assert (upstream.base_url or "").startswith("https://")
    assert upstream.capabilities == PROFILES["ollama"]


async def test_the_simulator_is_an_upstream_like_any_other() -> None:
    upstream = open_upstream(Settings(simulate=True))

    await upstream.aclose()
    assert isinstance(upstream, SimulatedUpstream)
    assert (upstream.name, upstream.base_url, upstream.capabilities) == ("", None, UpstreamCapabilities())


async def test_a_process_that_performs_no_runs_has_no_upstream() -> None:
    assert isinstance(open_upstream(Settings(performs_runs=False)), NullUpstream)


def test_an_unknown_adapter_is_named_with_those_there_are() -> None:
    settings = Settings(upstream=UpstreamSettings(adapter="telepathy"))

    with pytest.raises(ConfigurationError, match=r"upstream\.adapter is 'telepathy', but must be one of 'openai', "):
        open_upstream(settings)


def test_capabilities_are_those_of_profile_and_adapter_together_and_settings_override_both() -> None:
    without_files = UpstreamCapabilities(files=False, conversations=False)
    service = UpstreamSettings(profile="azure", capabilities=CapabilitySettings(conversations=True))

    capabilities = get_effective_capabilities(service, without_files)

    assert (capabilities.files, capabilities.model_list) == (False, False)
    assert capabilities.conversations
    assert capabilities.file_search
