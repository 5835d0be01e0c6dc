"""Probes of a service: generators that yield requests and receive responses; the caller does the I/O."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from textwrap import shorten
from typing import Any, TypeAlias, TypeVar

from threadbridge.api_types import JsonMapping, JsonObject
from threadbridge.errors import UpstreamError
from threadbridge.translation.models.data import MODEL_FAMILIES, ModelFamily
from threadbridge.translation.models.resolution import get_base_model

T = TypeVar("T")

#: The least that the Responses API accepts (§3), and enough for one function call.
_TEXT_TOKENS = 16
_CALL_TOKENS = 256
#: Characters of an error message that are repeated; some servers send whole tracebacks.
_MAX_ERROR_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """One small request; the path begins below `/v1`."""

    method: str
    path: str
    body: JsonObject | None = None
    #: Whether the answer is read as a stream of events.
    is_streamed: bool = False


@dataclass(frozen=True, slots=True)
class ProbeResponse:
    """The answer: an object, the events of a stream, or an error."""

    body: JsonMapping
    events: Sequence[JsonMapping] = ()
    error: UpstreamError | None = None

    @property
    def error_text(self) -> str:
        """The error message, shortened to one line, for the end of a sentence."""
        message = "" if self.error is None else self.error.message
        return shorten(message, _MAX_ERROR_CHARACTERS, placeholder=" …").rstrip(".")


ProbeGenerator: TypeAlias = Generator[ProbeRequest, ProbeResponse, T]


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether the service can do something, and the evidence. None: a probe cannot tell."""

    is_supported: bool | None
    reason: str


@dataclass(frozen=True, slots=True)
class ProbeOptions:
    """How to build requests for this service: which model, and whether it accepts `store`.

    `rejects_unknown_parameters`: the service checks all parameters, so it supports those that it accepts.
    `is_known_model`: the name identifies the model; an alias or a deployment may have the name of another model.
    """

    model: str
    sends_store: bool = True
    rejects_unknown_parameters: bool = True
    is_known_model: bool = True

    @property
    def efforts(self) -> Sequence[str]:
        """The reasoning efforts of the model, the lowest first; empty for a model without any or an unknown one."""
        return self._family.efforts if self._family is not None else ()

    @property
    def never_reasons(self) -> bool:
        """Whether the model is known not to reason."""
        return self._family is not None and not self._family.is_reasoning

    @property
    def _family(self) -> ModelFamily | None:
        return MODEL_FAMILIES.get(get_base_model(self.model)) if self.is_known_model else None

    def build_request(self, text: str = "Say ok.", *, calls: bool = False, **more: Any) -> ProbeRequest:
        """A request for a short response, or for one call."""
        body: JsonObject = {
            "model": self.model,
            "input": text,
            "max_output_tokens": _CALL_TOKENS if calls else _TEXT_TOKENS,
        }
        if self.sends_store:
            body["store"] = False
        if self.efforts:
            body["reasoning"] = {"effort": self.efforts[0]}
        body.update(more)
        return ProbeRequest("POST", "/responses", body, is_streamed=body.get("stream") is True)


def delete_resource(path: str) -> ProbeGenerator[None]:
    """Delete what a probe has created, ignoring failures."""
    yield ProbeRequest("DELETE", path)


def judge_list(response: ProbeResponse, path: str) -> Finding:
    """Whether the answer is a list."""
    if isinstance(response.body.get("data"), list):
        return Finding(is_supported=True, reason=f"`GET {path}` is answered")
    return Finding(is_supported=False, reason=f"`GET {path}`: {response.error_text or 'no list came back'}")


def judge_acceptance(response: ProbeResponse, what: str) -> Finding:
    """Whether the service accepted `what`."""
    if response.error is not None:
        return Finding(is_supported=False, reason=f"{what}: {response.error_text}")
    return Finding(is_supported=True, reason=f"{what} is accepted")
