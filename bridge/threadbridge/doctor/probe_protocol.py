"""Questions to a service and its answers. A probe is a generator: it asks, looks, and asks again; others do the I/O."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from textwrap import shorten
from typing import Any, TypeAlias, TypeVar

from threadbridge.errors import UpstreamError
from threadbridge.ports import Wire
from threadbridge.translation.models.data import FAMILIES, Family
from threadbridge.translation.models.resolution import base_model

T = TypeVar("T")

#: The least the Responses API accepts (§3), and enough for one function call.
_FEW_TOKENS = 16
_CALL_TOKENS = 256
#: Characters of a service's words that are repeated; some quote whole tracebacks.
_LONGEST_WORDS = 120


@dataclass(frozen=True, slots=True)
class Question:
    """One small request; the path begins below `/v1`."""

    method: str
    path: str
    body: Wire | None = None
    #: Its answer is read as a stream of events.
    streamed: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: an object, the events of a stream, or an error."""

    body: Wire
    events: Sequence[Wire] = ()
    error: UpstreamError | None = None

    @property
    def words(self) -> str:
        """What the service said against it, for the end of a sentence, and no more than fits into a line."""
        said = "" if self.error is None else self.error.message
        return shorten(said, _LONGEST_WORDS, placeholder=" …").rstrip(".")


Dialogue: TypeAlias = Generator[Question, Answer, T]


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether the service can do something, and from what that is known. None: asking does not tell."""

    found: bool | None
    why: str


@dataclass(frozen=True, slots=True)
class Asking:
    """How this service is asked for a response: which model, and whether `store` may be said.

    `refuses_unknown`: it looks at all it is asked for, so that what it accepts it can do.
    """

    model: str
    says_store: bool = True
    refuses_unknown: bool = True

    @property
    def efforts(self) -> Sequence[str]:
        """The reasoning efforts of the model, the least first; empty for a model that has none or that nobody knows."""
        family = self._family
        return family.efforts if family is not None else ()

    @property
    def never_reasons(self) -> bool:
        """Whether the model is known to answer without thinking."""
        family = self._family
        return family is not None and not family.reasons

    @property
    def _family(self) -> Family | None:
        return FAMILIES.get(base_model(self.model))

    def question(self, text: str = "Say ok.", *, calls: bool = False, **more: Any) -> Question:
        """A request for a response of a few words, or of one call."""
        body: Wire = {"model": self.model, "input": text, "max_output_tokens": _CALL_TOKENS if calls else _FEW_TOKENS}
        if self.says_store:
            body["store"] = False
        if self.efforts:
            body["reasoning"] = {"effort": self.efforts[0]}
        body.update(more)
        return Question("POST", "/responses", body, streamed=body.get("stream") is True)


def removed(path: str) -> Dialogue[None]:
    """Take away what a probe has made; whether that succeeds is nobody's concern."""
    yield Question("DELETE", path)
