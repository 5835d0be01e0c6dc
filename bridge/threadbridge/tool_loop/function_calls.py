"""From a tool call to its output. Every call gets an output: an error becomes a text that the model can read."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import orjson
from pydantic import BaseModel

from threadbridge.api_types import RunObject, RunToolCall, is_json_object

#: Functions by the names that the assistant's tools have.
ToolFunctions: TypeAlias = Mapping[str, Callable[..., Any]]


@dataclass(frozen=True, slots=True)
class PreparedCall:
    """One tool call with its function and arguments, or with the output that says why it cannot be invoked."""

    call_id: str
    function: Callable[..., Any] | None = None
    arguments: Mapping[str, Any] | None = None
    error_output: str = ""

    @property
    def is_async(self) -> bool:
        """Whether `invoke` returns at once, with an output or an awaitable: such a call needs no worker thread."""
        return self.function is None or inspect.iscoroutinefunction(self.function)


def list_pending_calls(run: RunObject) -> Sequence[RunToolCall]:
    """The tool calls that a run in `requires_action` waits for (A64)."""
    action = run.get("required_action")
    return action["submit_tool_outputs"]["tool_calls"] if action else []


def prepare_call(call: RunToolCall, tools: ToolFunctions) -> PreparedCall:
    """Find the function of a tool call and check that it accepts the arguments that the model wrote."""
    name, text = call["function"]["name"], call["function"]["arguments"]
    function = tools.get(name)
    if function is None:
        known_names = ", ".join(sorted(tools)) or "none"
        return _reject_call(call, f"There is no function {name!r}. Known functions: {known_names}.")
    try:
        arguments: object = orjson.loads(text or "{}")
    except orjson.JSONDecodeError as exc:
        return _reject_call(call, f"The arguments of {name!r} are not valid JSON: {exc}.")
    if not is_json_object(arguments):
        return _reject_call(call, f"The arguments of {name!r} must be a JSON object.")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some built-in functions have none; the call itself will raise
        return PreparedCall(call["id"], function, arguments)
    try:
        signature.bind(**arguments)
    except TypeError as exc:
        return _reject_call(call, f"{name!r} does not take these arguments: {exc}.")
    return PreparedCall(call["id"], function, arguments)


def _reject_call(call: RunToolCall, message: str) -> PreparedCall:
    return PreparedCall(call["id"], error_output=format_error_output(message))


def invoke(call: PreparedCall) -> str | Awaitable[Any]:
    """Invoke the function: its output, or an awaitable for `await_output`. An exception becomes an output."""
    if call.function is None:
        return call.error_output
    try:
        result = call.function(**(call.arguments or {}))
        return result if inspect.isawaitable(result) else format_output(result)
    except Exception as exc:
        return format_exception_output(exc)


async def await_output(output: str | Awaitable[Any]) -> str:
    """The output of an invoked call, awaited if necessary. An exception becomes an output."""
    if isinstance(output, str):
        return output
    try:
        return format_output(await output)
    except Exception as exc:
        return format_exception_output(exc)


def format_output(result: Any) -> str:
    """A function's result as tool output: text unchanged, everything else as JSON.

    Raises TypeError if the result cannot be written as JSON.
    """
    if isinstance(result, str):
        return result

    def encode_object(value: object) -> object:
        if isinstance(value, BaseModel):
            return value.model_dump(mode="json")
        if isinstance(value, set | frozenset):
            return list(cast("set[object]", value))
        raise TypeError

    try:
        options = orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY
        return orjson.dumps(result, default=encode_object, option=options).decode()
    except orjson.JSONEncodeError as exc:
        raise TypeError(f"the result cannot be written as JSON: {exc}") from exc


def format_exception_output(exc: Exception) -> str:
    """The output of a function that raised."""
    return format_error_output(f"{type(exc).__name__}: {exc}")


def format_error_output(message: str) -> str:
    """The output of a call that failed; a lone surrogate in the message is replaced."""
    return orjson.dumps({"error": message.encode("utf-8", "replace").decode()}).decode()
