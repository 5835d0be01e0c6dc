"""The model catalog: requested from the service, written to a file and read."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import date
from pathlib import Path

import pytest

from tests.request_context import CONTEXT
from threadbridge.engine.context import NullUpstream
from threadbridge.errors import ConfigurationError, InvalidRequest, UpstreamError
from threadbridge.settings import Settings
from threadbridge.translation.capability_fallbacks import require_model_list
from threadbridge.translation.models.resolution import ModelCatalog
from threadbridge.translation.provider_profiles import PROFILES
from threadbridge_adapters.composition import open_backend, open_upstream
from threadbridge_adapters.model_catalog import fetch_catalog, get_catalog_path, read_catalog, write_catalog


async def test_models_and_their_retirement_dates_are_requested_from_the_service() -> None:
    upstream = open_upstream(Settings(simulate=True))

    catalog = await fetch_catalog(upstream)
    await upstream.aclose()

    assert "gpt-6-luna" in catalog.shutdown_dates
    assert any(day is not None for day in catalog.shutdown_dates.values())


def test_a_written_catalog_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "models.json"
    catalog = ModelCatalog(5.0, {"gpt-4o": date(2027, 1, 14), "gpt-6-luna": None}, "api.example/v1")

    write_catalog(path, catalog)

    assert read_catalog(path) == catalog
    assert [file.name for file in path.parent.iterdir()] == ["models.json"]


def test_without_a_file_there_is_no_catalog(tmp_path: Path) -> None:
    assert read_catalog(tmp_path / "models.json") is None


@pytest.mark.parametrize("content", ["", "[]", '{"models": {}}', '{"fetched_at": 1, "models": {"a": "tomorrow"}}'])
def test_a_file_of_another_format_is_rejected_with_its_path(tmp_path: Path, content: str) -> None:
    path = tmp_path / "models.json"
    path.write_text(content)

    with pytest.raises(ConfigurationError, match=r"models\.json cannot be read; remove it"):
        read_catalog(path)


def test_the_error_of_an_unwritable_file_has_its_path(tmp_path: Path) -> None:
    (tmp_path / "models.json").mkdir()

    with pytest.raises(ConfigurationError, match=r"models\.json cannot be written"):
        write_catalog(tmp_path / "models.json", ModelCatalog(1.0, {}))


def test_the_settings_determine_the_path_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))

    assert get_catalog_path(Settings(model_catalog="/etc/models.json")) == Path("/etc/models.json")
    assert get_catalog_path(Settings()).name == "models.json"


#: A time that is never long ago.
JUST_FETCHED = 32_503_680_000.0


@pytest.mark.parametrize(("service", "refused"), [("127.0.0.1:9/v1", True), ("elsewhere/v1", False)])
async def test_a_catalog_rejects_runs_at_its_own_service_only(tmp_path: Path, service: str, *, refused: bool) -> None:
    path = tmp_path / "models.json"
    write_catalog(path, ModelCatalog(JUST_FETCHED, {"gpt-4o": None}, service))
    settings = {
        "store": ":memory:",
        "model_catalog": str(path),
        "upstream": {"base_url": "http://127.0.0.1:9/v1", "api_key": "sk-test", "max_retries": 0},
    }
    backend = await open_backend(Settings.model_validate(settings))
    assistant = await backend.create_assistant(CONTEXT, {"model": "mine", "instructions": "Be brief."})

    with pytest.raises(InvalidRequest) if refused else nullcontext():
        await backend.create_thread_and_run(CONTEXT, {"assistant_id": assistant["id"]})
    await backend.aclose()


def test_models_are_not_requested_from_a_service_without_a_model_list() -> None:
    with pytest.raises(ConfigurationError, match=r"'azure', .* set upstream\.capabilities\.model_list = true"):
        require_model_list(PROFILES["azure"], "azure")


class Silent(NullUpstream):
    async def request(self, method: str, path: str, body: object = None) -> dict[str, object]:
        return {}


async def test_the_failure_of_a_service_without_a_model_list_is_reported() -> None:
    with pytest.raises(UpstreamError, match="did not answer `GET /models`"):
        await fetch_catalog(Silent())
