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
Tools: TypeAlias = Mapping[str, Callable[..., Any]]


@dataclass(frozen=True, slots=True)
class Prepared:
    """One call, ready to be made; or `refusal`, the output that says why it cannot be."""

    call_id: str
    function: Callable[..., Any] | None = None
    arguments: Mapping[str, Any] | None = None
    refusal: str = ""

    @property
    def asynchronous(self) -> bool:
        """Whether the call returns at once, with something to await."""
        return self.function is None or inspect.iscoroutinefunction(self.function)


def pending_calls(run: Wire) -> list[Wire]:
    """The calls that a run in `requires_action` waits for (A64)."""
    action = run.get("required_action") or {}
    return list((action.get("submit_tool_outputs") or {}).get("tool_calls") or [])


def prepared(call: Wire, tools: Tools) -> Prepared:
    """Find the function of a call and check that it takes the arguments the model wrote."""
    asked = call.get("function") or {}
    name, text = asked.get("name"), asked.get("arguments") or "{}"
    function = tools.get(str(name))
    if function is None:
        return _refused(call, f"There is no function {name!r}. Known functions: {', '.join(sorted(tools)) or 'none'}.")
    try:
        arguments = orjson.loads(text)
    except orjson.JSONDecodeError as exc:
        return _refused(call, f"The arguments of {name!r} are not valid JSON: {exc}.")
    if not isinstance(arguments, dict):
        return _refused(call, f"The arguments of {name!r} must be a JSON object.")
    misfit = _misfit(function, arguments)
    if misfit is not None:
        return _refused(call, f"{name!r} does not take these arguments: {misfit}.")
    return Prepared(call["id"], function, arguments)


def attempt(call: Prepared) -> str | Awaitable[Any]:
    """Make the call: its output, or what must still be awaited for it. Raises nothing a function may raise."""
    if call.function is None:
        return call.refusal
    try:
        answer = call.function(**(call.arguments or {}))
        return answer if inspect.isawaitable(answer) else output_of(answer)
    except Exception as exc:
        return failure_output(exc)


async def settled(attempted: str | Awaitable[Any]) -> str:
    """The output of an attempted call."""
    if isinstance(attempted, str):
        return attempted
    try:
        return output_of(await attempted)
    except Exception as exc:
        return failure_output(exc)


def output_of(answer: Any) -> str:
    """A function's answer as tool output: text as it is, everything else as JSON. Raises TypeError if it cannot be."""
    if isinstance(answer, str):
        return answer
    try:
        options = orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY
        return orjson.dumps(answer, default=_opened, option=options).decode()
    except orjson.JSONEncodeError as exc:
        raise TypeError(f"the result cannot be written as JSON: {exc}") from exc


def failure_output(exc: Exception) -> str:
    """What the model reads in place of an answer when a function raised."""
    return error_output(f"{type(exc).__name__}: {exc}")


def error_output(message: str) -> str:
    """An output that says what was wrong."""
    return orjson.dumps({"error": message.encode("utf-8", "replace").decode()}).decode()


def _refused(call: Wire, message: str) -> Prepared:
    return Prepared(call["id"], refusal=error_output(message))


def _misfit(function: Callable[..., Any], arguments: Mapping[str, Any]) -> str | None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some built-in functions have none; calling will tell
        return None
    try:
        signature.bind(**arguments)
    except TypeError as exc:
        return str(exc)
    return None


def _opened(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, set | frozenset):
        return list(value)
    raise TypeError
