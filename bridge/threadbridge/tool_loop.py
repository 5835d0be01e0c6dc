"""The decisions of a tool loop: which function a tool call invokes, its output, when to poll, and how a run ended.

Pure decisions; `threads.runs.execute` of the client acts on them.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import orjson
from pydantic import BaseModel

from threadbridge.api_types import RunObject, RunToolCall, is_json_object
from threadbridge.errors import RunCancelled, RunError, RunExpired, RunFailed, RunIncomplete
from threadbridge.run_states import TERMINAL_STATUSES, RunStatus

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


#: Statuses in which a run makes no progress without the caller: `poll` stops at them (A62).
POLL_STOP_STATUSES = TERMINAL_STATUSES | {RunStatus.REQUIRES_ACTION}

#: Seconds that the openai SDK's helpers wait by default (A5).
DEFAULT_POLL_INTERVAL = 1.0
#: Seconds before the first three polls of `execute`: most runs are short.
FIRST_DELAYS = (0.2, 0.4, 0.8)
#: Seconds before later polls: from one to ten, growing by this factor.
MIN_DELAY, MAX_DELAY, GROWTH_FACTOR = 1.0, 10.0, 1.5
#: Up to this share is added at random, so that many clients do not poll at the same moment.
JITTER = 0.25


def get_poll_interval(requested_ms: int | None, hint_ms: int | None) -> float:
    """Seconds between two polls of `poll`: the caller's choice, else the service's hint, else one (A5, A62)."""
    if requested_ms is not None:
        return requested_ms / 1000
    return DEFAULT_POLL_INTERVAL if hint_ms is None else hint_ms / 1000


class PollBackoff:
    """The pauses of `execute`: short at first, then growing; a hint of the service takes precedence."""

    def __init__(self, random_fraction: Callable[[], float]) -> None:
        self._random_fraction = random_fraction
        self._first_delays = iter(FIRST_DELAYS)  # used once in a whole run, whatever the number of its rounds
        self._growing_delay = MIN_DELAY

    def reset(self) -> None:
        """Start the growing delays again, after tool outputs were submitted."""
        self._growing_delay = MIN_DELAY

    def get_next_delay(self, hint_ms: int | None) -> float:
        """Seconds to wait before the next poll."""
        seconds = next(self._first_delays, None)
        minimum = 0.0
        if seconds is None:
            seconds, minimum = self._growing_delay, MIN_DELAY
            self._growing_delay = min(seconds * GROWTH_FACTOR, MAX_DELAY)
        if hint_ms is not None:
            seconds = hint_ms / 1000
        return max(seconds, minimum) * (1 + JITTER * self._random_fraction())


_ERRORS: Mapping[str, type[RunError]] = {
    RunStatus.FAILED: RunFailed,
    RunStatus.EXPIRED: RunExpired,
    RunStatus.CANCELLED: RunCancelled,
    RunStatus.INCOMPLETE: RunIncomplete,
}


def get_run_error(run: RunObject) -> RunError | None:
    """The error that stands for a run at its end; None for one that completed."""
    error_type = _ERRORS.get(run["status"])
    if error_type is None:
        return None
    reason = ""
    error, details = run.get("last_error"), run.get("incomplete_details")
    if error:
        reason = f": {error.get('code')}: {error.get('message')}"
    elif details:
        reason = f": {details.get('reason')}"
    return error_type(f"run {run['id']} is {run['status']}{reason}", run)


def build_round_limit_error(run: RunObject, max_rounds: int) -> RunError:
    """The error of a run that was cancelled because it required tool outputs too often."""
    return RunCancelled(
        f"run {run['id']} was cancelled: it required tool outputs more than {max_rounds} times (max_rounds)", run
    )
