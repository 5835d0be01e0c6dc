"""The two ways an operation answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from threadbridge.ports import Event, Wire


@dataclass(frozen=True, slots=True)
class ObjectResult:
    """One object, and headers beside the usual ones."""

    body: Wire
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class StreamResult:
    """The events of a run as they come; `after` is the id of the event before the first."""

    events: AsyncIterator[Event]
    after: str | None = None


OperationResult: TypeAlias = ObjectResult | StreamResult
