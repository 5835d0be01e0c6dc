"""What one turn of a run (one response of the Responses API) leaves behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from threadbridge.ports import Entry, Turn, Wire
from threadbridge.translation.produced_files import ContainerFileRef, ProducedFile


@dataclass(frozen=True, slots=True)
class TurnInterruption:
    """Why a turn ends early: an upstream failure, a cancellation, expiry, or a prompt that exceeds its budget."""

    status: Literal["failed", "cancelled", "expired", "incomplete"]
    last_error: Wire | None = None  # {"code", "message"}, with status failed (A47)
    unbilled: bool = False  # the service rejected the request or never got it, and charges nothing


@dataclass(frozen=True, slots=True)
class TurnOutcome:
    """The rows one turn writes, all in one transaction.

    `run` is the run after the turn: `completed`, `requires_action`, `incomplete`, `failed`, `cancelled` or `expired`.
    `steps` are new. They and the messages in `entries` are in REST form (A32, A72).
    """

    run: Wire
    steps: Sequence[Wire]
    entries: Sequence[Entry]
    turn: Turn
    #: The files that code made; the messages cite them already.
    files: Sequence[ProducedFile] = ()
    #: The lasting ids of all files known in containers, by their place.
    container_file_ids: Mapping[ContainerFileRef, str] = field(default_factory=dict[ContainerFileRef, str])
    #: The ID of the last item of the response; None where it has none.
    last_item_id: str | None = None
