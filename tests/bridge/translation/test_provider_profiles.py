"""What the profiles say, and how settings change it."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from threadbridge.errors import ConfigurationError
from threadbridge.ports import UpstreamCapabilities
from threadbridge.runtime.settings_loader import load_settings
from threadbridge.settings import CapabilitySettings, ProfileName, UpstreamSettings
from threadbridge.translation.provider_profiles import CAPABILITIES, PROFILES, get_profile, serves_openai_models


@pytest.fixture(autouse=True)
def _no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_every_profile_that_can_be_chosen_has_a_row_and_the_other_way_round() -> None:
    assert tuple(PROFILES) == get_args(ProfileName)


def test_every_capability_can_be_set() -> None:
    assert tuple(CapabilitySettings.model_fields) == CAPABILITIES


def test_the_service_is_taken_for_openais_unless_something_else_is_said() -> None:
    assert get_profile(UpstreamSettings()) == UpstreamCapabilities()


def test_what_is_set_one_by_one_comes_before_the_profile() -> None:
    capabilities = CapabilitySettings(required_tool_choice=True, store_parameter=False)

    profile = get_profile(UpstreamSettings(profile="generic", capabilities=capabilities))

    assert (profile.required_tool_choice, profile.store_parameter) == (True, False)
    assert profile.forced_tool_choice == PROFILES["generic"].forced_tool_choice


def test_without_hosted_tools_there_are_none_whatever_the_profile_says() -> None:
    profile = get_profile(UpstreamSettings(), hosted_tools=False)

    assert (profile.files, profile.file_search, profile.code_interpreter) == (False, False, False)


@pytest.mark.parametrize("name", [name for name in PROFILES if name not in ("openai", "azure", "foundry")])
def test_s12_no_other_server_runs_code(name: ProfileName) -> None:
    assert not PROFILES[name].code_interpreter


@pytest.mark.parametrize("name", ["vllm", "ollama", "llamacpp", "litellm", "generic"])
def test_s11_servers_that_keep_nothing_are_not_relied_on(name: ProfileName) -> None:
    profile = PROFILES[name]

    assert (profile.stored_responses, profile.conversations, profile.background) == (False, False, False)


def test_an_unknown_profile_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(upstream={"profile": "openia"})

    assert caught.value.message == (
        "argument upstream.profile is wrong: input should be 'openai', 'azure', 'foundry', 'vllm', 'ollama', "
        "'llamacpp', 'litellm', 'generic' or 'ogx'."
    )


def test_an_unknown_capability_is_refused_with_those_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THREADBRIDGE_UPSTREAM__CAPABILITIES", '{"telepathy": true}')

    with pytest.raises(ConfigurationError) as caught:
        load_settings()

    assert "upstream.capabilities.telepathy" in caught.value.message.lower().replace("__", ".")
    assert f"must be one of {', '.join(sorted(CAPABILITIES))}." in caught.value.message


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("api.openai.com", True),
        ("eu.api.openai.com", True),
        ("127.0.0.1", False),
        ("openrouter.ai", False),
        ("mine.openai.azure.com", False),
        ("not-api.openai.com", False),
        ("api.openai.com.example.org", False),
        ("", False),
    ],
)
def test_without_a_profile_the_host_says_whether_models_are_openais(host: str, *, expected: bool) -> None:
    assert serves_openai_models(UpstreamSettings(), host=host) is expected


@pytest.mark.parametrize("name", PROFILES)
def test_a_configured_profile_says_whether_models_are_openais(name: ProfileName) -> None:
    hosts = ("api.openai.com", "proxy.example.org")

    found = {serves_openai_models(UpstreamSettings(profile=name), host=host) for host in hosts}

    assert found == {name == "openai"}
