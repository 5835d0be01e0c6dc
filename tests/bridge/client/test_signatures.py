"""Method for method and keyword for keyword like the SDK that is installed, whichever major it is."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI

from tests.bridge.client.stub_backend import StubBackend, make_async_variant, make_sync_variant

PLACES = ("assistants", "threads", "threads.messages", "threads.runs", "threads.runs.steps")


def find(root: Any, place: str) -> Any:
    for name in place.split("."):
        root = getattr(root, name)
    return root


def methods(resource: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, method in inspect.getmembers(resource, inspect.ismethod):
        if not name.startswith(("_", "with_")):
            yield name, method


def expected() -> Iterator[tuple[str, str]]:
    with OpenAI(api_key="none") as client:
        for place in PLACES:
            for name, _ in methods(find(client.beta, place)):
                yield place, name


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("place", "name"), list(expected()))
async def test_every_method_takes_the_keywords_of_the_sdk(place: str, name: str) -> None:
    ours = make_sync_variant(StubBackend()).client, make_async_variant(StubBackend()).client
    with OpenAI(api_key="none") as client:
        async with AsyncOpenAI(api_key="none") as async_client:
            for mine, theirs in zip(ours, (client.beta, async_client.beta), strict=True):
                wanted = inspect.signature(getattr(find(theirs, place), name)).parameters
                offered = inspect.signature(getattr(find(mine, place), name)).parameters

                assert set(wanted) <= set(offered)
                assert by_place(wanted) == by_place(offered)
                assert required(offered) == required(wanted)
                assert inspect.iscoroutinefunction(getattr(find(mine, place), name)) == inspect.iscoroutinefunction(
                    inspect.unwrap(getattr(find(theirs, place), name))
                )


def by_place(parameters: Any) -> list[str]:
    """What can be given without a name, in its order: ids, and everything that `poll` takes."""
    return [name for name, p in parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD]


def required(parameters: Any) -> set[str]:
    return {name for name, p in parameters.items() if p.default is p.empty and p.kind is not p.VAR_KEYWORD}


def test_a_keyword_the_sdk_does_not_have_is_a_type_error() -> None:
    threads = make_sync_variant(StubBackend()).client.threads

    with pytest.raises(TypeError, match="unexpected keyword argument 'metadat'"):
        threads.create(metadat={})
