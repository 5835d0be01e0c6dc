"""The tour with the SDK at hand. `.ci/clients` makes the others, and `test_every_sdk.py` tours with them."""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.tour.tour_runners import load_expected, run_python_tour
from tests.gateway_process import serve_gateway
from threadbridge.wire.routes import OPERATIONS, match_operation

#: The SDK's helpers and forms of call that a program may use; each must be shown by the tour.
HELPERS = (
    "poll", "create_and_poll", "submit_tool_outputs_and_poll", "create_and_run_poll", "stream",
    "submit_tool_outputs_stream", "create_and_run_stream", "with_raw_response", "with_streaming_response",
    "every page", "get_next_page", "handled", "azure",
)  # fmt: skip

WHERE_WANTED = (
    "where the answers should have changed: python -m tests.clients.tour.update_transcripts, and read the diff"
)


@dataclass(frozen=True)
class Gateway:
    """A gateway in a process of its own, and the file it logs to."""

    url: str
    log: Path

    def operations(self) -> set[str]:
        """The operations it was asked for."""
        asked = re.findall(r"method='(\w+)' path='/v1(/(?:assistants|threads)\S*)'", self.log.read_text())
        return {match_operation(method, path).operation.name for method, path in asked}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Generator[Gateway]:
    path = tmp_path_factory.mktemp("tour") / "log"
    with (
        path.open("w") as log,
        serve_gateway("--simulate", "--store", ":memory:", "--log-level", "info", log=log) as url,
    ):
        yield Gateway(url, path)


def test_the_synchronous_client_sees_what_every_sdk_sees_and_asks_for_every_operation(gateway: Gateway) -> None:
    told = run_python_tour(gateway.url)

    assert told == load_expected(), WHERE_WANTED
    assert gateway.operations() == {operation.name for operation in OPERATIONS}


def test_the_asynchronous_client_sees_what_every_sdk_sees(gateway: Gateway) -> None:
    told = run_python_tour(gateway.url, "--async")

    assert told == load_expected(), WHERE_WANTED


@pytest.mark.parametrize("helper", HELPERS)
def test_the_tour_shows_every_helper(helper: str) -> None:
    shown = {word for chapter in load_expected().values() for name in chapter for word in re.split(r"[.,] ?", name)}

    assert helper in shown
