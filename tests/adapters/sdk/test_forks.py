"""The network connections of an in-process client after a fork: the child has its own."""

from __future__ import annotations

import os
import sys
from typing import Any

import openai
import pytest

from tests.adapters.loopback_service import LoopbackService
from threadbridge_adapters.sdk import openai_client, wrap

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning"),
    pytest.mark.skipif(sys.platform == "win32", reason="there is no fork"),
]


@pytest.mark.parametrize("is_wrapped", [False, True])
def test_a_child_sends_requests_over_its_own_connections(service: LoopbackService, is_wrapped: bool) -> None:
    options: dict[str, Any] = {"api_key": "sk-mine", "base_url": service.url, "max_retries": 0}
    client = wrap(openai.OpenAI(**options)) if is_wrapped else openai_client(client_options=options)
    with client:
        client.models.list()
        before = len(service.requests)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                client.models.list()
                code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        client.models.list()

    assert os.waitstatus_to_exitcode(status) == 0
    assert len(service.requests) == before + 2
    parent, child, parent_again = (request.peer for request in service.requests[before - 1 :])
    assert parent == parent_again != child


def test_a_client_that_the_program_made_is_kept(service: LoopbackService) -> None:
    own = openai.DefaultHttpxClient()
    client = openai_client(client_options={"api_key": "sk-mine", "base_url": service.url, "http_client": own})

    client.models.list()

    client.close()
    assert own.is_closed
