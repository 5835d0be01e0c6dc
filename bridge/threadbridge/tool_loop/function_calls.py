"""From a tool call to its output. Every call gets one: what goes wrong becomes words for the model to read."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson
from pydantic import BaseModel

from threadbridge.ports import Wire

#: Functions by the names the assistant knows them by.
ToolFunctions: TypeAlias = Mapping[str, Callable[..., Any]]


@dataclass(frozen=True, slots=True)
class PreparedCall:
    """One call, ready to be made; or `refusal`, the output that says why it cannot be."""

    call_id: str
    function: Callable[..., Any] | None = None
    arguments: Mapping[str, Any] | None = None
    error_output: str = ""

    @property
    def is_async(self) -> bool:
        """Whether the call returns at once, with something to await."""
        return self.function is None or inspect.iscoroutinefunction(self.function)


def list_pending_calls(run: Wire) -> list[Wire]:
    """The calls that a run in `requires_action` waits for (A64)."""
    action = run.get("required_action") or {}
    return list((action.get("submit_tool_outputs") or {}).get("tool_calls") or [])


def prepare_call(call: Wire, tools: ToolFunctions) -> PreparedCall:
    """Find the function of a call and check that it takes the arguments the model wrote."""
    function_call = call.get("function") or {}
    name, text = function_call.get("name"), function_call.get("arguments") or "{}"
    function = tools.get(str(name))
    if function is None:
        return _reject_call(
            call, f"There is no function {name!r}. Known functions: {', '.join(sorted(tools)) or 'none'}."
        )
    try:
        arguments = orjson.loads(text)
    except orjson.JSONDecodeError as exc:
        return _reject_call(call, f"The arguments of {name!r} are not valid JSON: {exc}.")
    if not isinstance(arguments, dict):
        return _reject_call(call, f"The arguments of {name!r} must be a JSON object.")
    argument_error = _find_argument_error(function, arguments)
    if argument_error is not None:
        return _reject_call(call, f"{name!r} does not take these arguments: {argument_error}.")
    return PreparedCall(call["id"], function, arguments)


def invoke(call: PreparedCall) -> str | Awaitable[Any]:
    """Make the call: its output, or what must still be awaited for it. Raises nothing a function may raise."""
    if call.function is None:
        return call.error_output
    try:
        answer = call.function(**(call.arguments or {}))
        return answer if inspect.isawaitable(answer) else format_output(answer)
    except Exception as exc:
        return format_exception_output(exc)


async def await_output(output: str | Awaitable[Any]) -> str:
    """The output of an attempted call."""
    if isinstance(output, str):
        return output
    try:
        return format_output(await output)
    except Exception as exc:
        return format_exception_output(exc)


def format_output(result: Any) -> str:
    """A function's answer as tool output: text as it is, everything else as JSON. Raises TypeError if it cannot be."""
    if isinstance(result, str):
        return result
    try:
        options = orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY
        return orjson.dumps(result, default=_encode_object, option=options).decode()
    except orjson.JSONEncodeError as exc:
        raise TypeError(f"the result cannot be written as JSON: {exc}") from exc


def format_exception_output(exc: Exception) -> str:
    """What the model reads in place of an answer when a function raised."""
    return format_error_output(f"{type(exc).__name__}: {exc}")


def format_error_output(message: str) -> str:
    """An output that says what was wrong."""
    return orjson.dumps({"error": message.encode("utf-8", "replace").decode()}).decode()


def _reject_call(call: Wire, message: str) -> PreparedCall:
    return PreparedCall(call["id"], error_output=format_error_output(message))


def _find_argument_error(function: Callable[..., Any], arguments: Mapping[str, Any]) -> str | None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some built-in functions have none; calling will tell
        return None
    try:
        signature.bind(**arguments)
    except TypeError as exc:
        return str(exc)
    return None


def _encode_object(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, set | frozenset):
        return list(value)
    raise TypeError
