from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints

import pytest

from threadbridge.errors import ConfigurationError
from threadbridge.runtime import plugins
from threadbridge.settings import Settings


@pytest.fixture
def announced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two backends of somebody else's: one that works, one whose package is half installed."""
    found = EntryPoints(
        [
            EntryPoint("mine", f"{__name__}:open_mine", "threadbridge.backends"),
            EntryPoint("broken", f"{__name__}:RAISES.attribute", "threadbridge.backends"),
            EntryPoint("torn", "no_such_package_anywhere:open_backend", "threadbridge.backends"),
        ]
    )
    monkeypatch.setattr("importlib.metadata.entry_points", found.select)


class _Raises:
    def __getattr__(self, name: str) -> object:
        raise RuntimeError(f"{name} needs a newer Python\nand a second line")


RAISES = _Raises()


async def open_mine(settings: Settings) -> str:
    return f"backend of {settings.tenant}"


@pytest.mark.usefixtures("announced")
async def test_a_backend_of_somebody_elses_is_found_by_name() -> None:
    opened: object = await plugins.open_backend(Settings(backend="mine", tenant="acme"))

    assert opened == "backend of acme"


@pytest.mark.usefixtures("announced")
async def test_an_unknown_backend_is_refused_with_the_known_names() -> None:
    with pytest.raises(
        ConfigurationError, match=r"^backend is 'yours', but must be one of 'broken', 'mine', 'torn'\.$"
    ):
        await plugins.open_backend(Settings(backend="yours"))


@pytest.mark.usefixtures("announced")
async def test_a_backend_that_cannot_be_imported_says_so() -> None:
    with pytest.raises(ConfigurationError, match="cannot be loaded: No module named 'no_such_package_anywhere'"):
        await plugins.open_backend(Settings(backend="torn"))


@pytest.mark.usefixtures("announced")
async def test_a_backend_whose_import_raises_anything_is_one_sentence() -> None:
    with pytest.raises(ConfigurationError, match=r"cannot be loaded: attribute needs a newer Python\.$"):
        await plugins.open_backend(Settings(backend="broken"))


def test_our_own_backends_doors_and_stores_are_announced() -> None:
    assert {"assistants", "responses"} <= set(plugins.list_plugin_names("backends"))
    assert {"openai_client", "async_openai_client", "wrap"} <= set(plugins.list_plugin_names("doors"))
    assert "sqlite" in plugins.list_plugin_names("stores")
    assert "migrate" in plugins.list_plugin_names("commands")
