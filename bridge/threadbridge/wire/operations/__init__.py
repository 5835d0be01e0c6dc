"""The operations: each asks the backend for one thing and says how the answer travels."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from threadbridge.ports import Backend
from threadbridge.wire.operations import assistants, messages, runs, steps, threads
from threadbridge.wire.operations.answers import OperationResult
from threadbridge.wire.request_parser import OperationCall

Handler: TypeAlias = Callable[[Backend, OperationCall], Awaitable[OperationResult]]

#: By the names of `routes.OPERATIONS`.
HANDLERS: Mapping[str, Handler] = {
    "create_assistant": assistants.create,
    "list_assistants": assistants.list_all,
    "retrieve_assistant": assistants.retrieve,
    "update_assistant": assistants.update,
    "delete_assistant": assistants.delete,
    "create_thread": threads.create,
    "list_threads": threads.list_all,
    "create_thread_and_run": runs.create_with_thread,
    "retrieve_thread": threads.retrieve,
    "update_thread": threads.update,
    "delete_thread": threads.delete,
    "create_message": messages.create,
    "list_messages": messages.list_all,
    "retrieve_message": messages.retrieve,
    "update_message": messages.update,
    "delete_message": messages.delete,
    "create_run": runs.create,
    "list_runs": runs.list_all,
    "retrieve_run": runs.retrieve,
    "follow_run": runs.follow,
    "report_run": runs.report,
    "update_run": runs.update,
    "cancel_run": runs.cancel,
    "submit_tool_outputs": runs.submit,
    "list_steps": steps.list_all,
    "retrieve_step": steps.retrieve,
}

__all__ = ["HANDLERS", "Handler", "OperationResult"]
