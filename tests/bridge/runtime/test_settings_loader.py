from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from threadbridge.errors import ConfigurationError
from threadbridge.runtime.settings_loader import load_settings
from threadbridge.settings import Settings, UpstreamSettings


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No file, no variable: only what a test puts there."""
    import os

    for name in [name for name in os.environ if name.startswith("THREADBRIDGE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def complaint(**arguments: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(**arguments)
    return caught.value.message


def test_without_anything_the_defaults_hold() -> None:
    assert load_settings() == Settings()


def test_arguments_win_over_the_environment_which_wins_over_the_file(
    empty_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty_directory / "threadbridge.toml").write_text(
        'tenant = "file"\nstore = "file"\n[gateway]\nhost = "file"\nport = 1\n[limits]\nrun_expiry_seconds = 1\n'
    )
    monkeypatch.setenv("THREADBRIDGE_STORE", "environment")
    monkeypatch.setenv("THREADBRIDGE_TENANT", "environment")
    monkeypatch.setenv("THREADBRIDGE_GATEWAY__PORT", "2")

    settings = load_settings(tenant="argument", gateway={"port": 3})

    assert (settings.tenant, settings.store) == ("argument", "environment")
    assert (settings.gateway.host, settings.gateway.port) == ("file", 3)
    assert settings.limits.run_expiry_seconds == 1


def test_pyproject_is_read_only_where_there_is_no_threadbridge_toml(empty_directory: Path) -> None:
    (empty_directory / "pyproject.toml").write_text('[tool.threadbridge]\nstore = "project"\ntenant = "project"\n')
    alone = load_settings()
    (empty_directory / "threadbridge.toml").write_text('store = "own"\n')

    both = load_settings()

    assert (alone.store, alone.tenant) == ("project", "project")
    assert (both.store, both.tenant) == ("own", "default")


def test_an_argument_of_none_counts_as_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THREADBRIDGE_STORE", "environment")

    assert load_settings(store=None, gateway={"host": None}).store == "environment"


@pytest.mark.parametrize("section", ["upstream", "assistants"])
def test_a_service_may_be_given_by_its_url_alone(section: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"THREADBRIDGE_{section.upper()}__API_KEY", "sk-hidden")
    by_argument = getattr(load_settings(**{section: "https://one.example/v1"}), section)
    monkeypatch.setenv(f"THREADBRIDGE_{section.upper()}", "https://two.example/v1")

    by_variable = getattr(load_settings(), section)

    assert (by_argument.base_url, by_argument.api_key) == ("https://one.example/v1", SecretStr("sk-hidden"))
    assert (by_variable.base_url, by_variable.api_key) == ("https://two.example/v1", SecretStr("sk-hidden"))


def test_sections_may_be_models_and_keep_what_no_file_can_hold() -> None:
    def token() -> str:
        return "token"

    settings = load_settings(upstream=UpstreamSettings(token_provider=token))

    assert settings.upstream.token_provider is token


def test_sections_and_maps_may_be_json_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THREADBRIDGE_ASSISTANTS__QUERY", '{"api-version": "v1"}')
    monkeypatch.setenv("THREADBRIDGE_MODELS", '{"gpt-4": {"model": "gpt-5"}}')

    settings = load_settings()

    assert settings.assistants.query == {"api-version": "v1"}
    assert settings.models["gpt-4"].model == "gpt-5"


def test_variables_that_orchestrators_make_are_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THREADBRIDGE_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("THREADBRIDGE_PORT", "tcp://10.0.0.1:80")

    assert load_settings() == Settings()


def test_a_wrong_argument_is_named_with_what_would_be_right() -> None:
    assert complaint(gateway={"port": 70000}) == (
        "argument gateway.port is wrong: input should be less than or equal to 65535."
    )


def test_an_unknown_backend_is_named_with_its_file_and_the_known_ones(empty_directory: Path) -> None:
    (empty_directory / "threadbridge.toml").write_text('backend = "respnses"\n')

    assert complaint() == "threadbridge.toml: backend is 'respnses', but must be one of 'assistants', 'responses'."


def test_an_unknown_backend_that_is_overruled_is_no_error(
    empty_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty_directory / "threadbridge.toml").write_text('backend = "respnses"\n')
    monkeypatch.setenv("THREADBRIDGE_BACKEND", "assistants")

    assert load_settings().backend == "assistants"


def test_an_unknown_key_is_named_with_the_known_ones(empty_directory: Path) -> None:
    (empty_directory / "threadbridge.toml").write_text("[gateway]\nprot = 1\n")

    assert complaint() == (
        "threadbridge.toml: gateway.prot is not a setting; it must be one of allowed_hosts, allowed_origins, api_key, "
        "body_seconds, header_seconds, host, keep_alive_seconds, max_body_bytes, max_connections, port, "
        "wrong_keys_per_minute."
    )


@pytest.mark.parametrize(
    "written", ["https://a.example, https://b.example", '["https://a.example", "https://b.example"]']
)
def test_a_list_in_the_environment_is_json_or_has_commas(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    monkeypatch.setenv("THREADBRIDGE_GATEWAY__ALLOWED_ORIGINS", written)

    assert load_settings().gateway.allowed_origins == ("https://a.example", "https://b.example")


@pytest.mark.parametrize("origin", ["example.org", "https://example.org/", "https://*.example.org", ""])
def test_an_origin_that_no_browser_sends_is_refused(monkeypatch: pytest.MonkeyPatch, origin: str) -> None:
    monkeypatch.setenv("THREADBRIDGE_GATEWAY", orjson.dumps({"allowed_origins": [origin]}).decode())

    assert "it must be * or an origin without a path, such as https://example.org" in complaint()


def test_an_unknown_key_of_a_named_model_is_found(empty_directory: Path) -> None:
    (empty_directory / "pyproject.toml").write_text('[tool.threadbridge.models.gpt-4]\nmodel = "x"\neffort = "low"\n')

    assert complaint() == (
        "pyproject.toml: tool.threadbridge.models.gpt-4.effort is not a setting;"
        " it must be one of context_tokens, model, reasoning_effort, sampling."
    )


def test_a_wrong_variable_is_named_as_it_is_spelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THREADBRIDGE_GATEWAY__PORT", "many")

    assert complaint().startswith("environment variable THREADBRIDGE_GATEWAY__PORT is wrong: input should be a valid")


def test_a_variable_that_is_no_json_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THREADBRIDGE_UPSTREAM__API_KEY", "sk-hidden")
    monkeypatch.setenv("THREADBRIDGE_UPSTREAM__HEADERS", "x: y")

    assert complaint() == "environment variable THREADBRIDGE_UPSTREAM__HEADERS must hold valid JSON."


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("threadbridge.toml", "backend = ", "threadbridge.toml must be valid TOML: "),
        ("pyproject.toml", "[tool]\nthreadbridge = 3", "pyproject.toml: tool.threadbridge must be a table."),
        (
            "threadbridge.toml",
            "upstream = 3",
            "threadbridge.toml: upstream is wrong: input should be a valid dictionary",
        ),
    ],
)
def test_a_malformed_file_is_named(empty_directory: Path, name: str, content: str, message: str) -> None:
    (empty_directory / name).write_text(content)

    assert complaint().startswith(message)


def test_a_file_that_is_no_text_is_named(empty_directory: Path) -> None:
    (empty_directory / "threadbridge.toml").write_bytes(b"\xff\xfe")

    assert complaint() == "threadbridge.toml cannot be read: UnicodeDecodeError."


def test_complaints_never_show_a_secret(empty_directory: Path) -> None:
    (empty_directory / "threadbridge.toml").write_text('[upstream]\napi_key = ["sk-hidden"]\n')

    assert "sk-hidden" not in complaint()


@pytest.mark.parametrize("address", ["nonsense", "ftp://host/v1", "http://", "api.openai.com/v1"])
def test_an_address_that_nothing_can_be_sent_to_is_refused(address: str) -> None:
    assert complaint(upstream=address) == (
        "argument upstream.base_url is wrong: it must be a URL that begins with http:// or https://."
    )


def test_an_empty_address_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THREADBRIDGE_UPSTREAM__BASE_URL", "")

    assert not load_settings().upstream.base_url


def test_a_missing_key_is_told_with_the_file_it_belongs_into(empty_directory: Path) -> None:
    (empty_directory / "threadbridge.toml").write_text('[prices."gpt-4"]\ninput = 2.5\n')

    assert complaint() == "threadbridge.toml: prices.gpt-4.output is missing, and must be given."


@pytest.mark.parametrize(
    ("section", "given", "allowed"),
    [
        ("models.a", "", "context_tokens, model, reasoning_effort, sampling"),
        ("per_assistant.a", "", "context_tokens, model, reasoning_effort, sampling"),
        ("prices.a", "input = 1\noutput = 1\n", "cached_input, input, output"),
    ],
)
def test_an_unknown_key_is_told_with_those_of_its_section(
    empty_directory: Path, section: str, given: str, allowed: str
) -> None:
    (empty_directory / "threadbridge.toml").write_text(f"[{section}]\n{given}price = 1\n")

    assert complaint() == f"threadbridge.toml: {section}.price is not a setting; it must be one of {allowed}."


@pytest.mark.parametrize("key", ["input", "output", "cached_input"])
@pytest.mark.parametrize("price", [-1, "inf", "nan", 1e300])
def test_a_price_that_nobody_takes_is_refused(key: str, price: float | str) -> None:
    prices = {"gpt-4": {"input": 1, "output": 1, key: price}}

    assert complaint(prices=prices).startswith(f"argument prices.gpt-4.{key} is wrong")
