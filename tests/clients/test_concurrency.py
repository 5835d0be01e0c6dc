"""Many conversations at once."""

# pyright: reportDeprecated=false
# The SDK marks every Assistants method as deprecated; being called all the same is the point of these tests.

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

import threadbridge
from tests.clients.client_kinds import read_text, user_message

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")

AT_ONCE = 50


def converse(client: openai.OpenAI, number: int) -> str:
    """One conversation of its own; what the assistant said."""
    assistant = client.beta.assistants.create(model="gpt-4o")
    thread = client.beta.threads.create(messages=[user_message(f"SAY answer {number}")])
    client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    return read_text(client.beta.threads.messages.list(thread.id, limit=1).data[0])


def test_c20_five_clients_hold_fifty_conversations_at_once_over_http(new_client: Callable[[], openai.OpenAI]) -> None:
    with contextlib.ExitStack() as opened, ThreadPoolExecutor(AT_ONCE) as users:
        clients = [opened.enter_context(new_client()) for _ in range(5)]
        answers = list(users.map(converse, clients * (AT_ONCE // 5), range(AT_ONCE)))

    assert answers == [f"answer {number}" for number in range(AT_ONCE)]


def test_c20_one_client_holds_fifty_conversations_at_once_in_the_process() -> None:
    with threadbridge.openai_client(simulate=True, store=":memory:") as client, ThreadPoolExecutor(AT_ONCE) as users:
        answers = list(users.map(converse, [client] * AT_ONCE, range(AT_ONCE)))

    assert answers == [f"answer {number}" for number in range(AT_ONCE)]
