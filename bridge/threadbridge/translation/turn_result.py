"""What one turn of a run (one response of the Responses API) leaves behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from threadbridge.ports import Entry, Turn, Wire
from threadbridge.translation.produced_files import ContainerFileRef, ProducedFile


@dataclass(frozen=True, slots=True)
class TurnInterruption:
    """Why a turn is cut short from outside: the upstream failed, somebody cancelled, the deadline passed, or the prompt
    is longer than its budget.
    """

    status: Literal["failed", "cancelled", "expired", "incomplete"]
    last_error: Wire | None = None  # {"code", "message"}, with status failed (A47)
    unbilled: bool = False  # the service took the request for a wrong one, or was never asked, and charges nothing


@dataclass(frozen=True, slots=True)
class TurnOutcome:
    """The rows one turn writes, all in one transaction.

    `run` is the whole run as it is after the turn: `completed`, `requires_action`, `incomplete`, `failed`,
    `cancelled` or `expired`. `steps` and the messages in `entries` are in REST form (A32, A72). The steps were not
    there before the turn.
    """

    run: Wire
    steps: Sequence[Wire]
    entries: Sequence[Entry]
    turn: Turn
    #: The files that code made; what they are cited by is in the messages already.
    files: Sequence[ProducedFile] = ()
    #: The lasting ids of all files known in containers, by their place.
    container_file_ids: Mapping[ContainerFileRef, str] = field(default_factory=dict[ContainerFileRef, str])
    #: What the service calls the last item of the response; None where it gave none.
    last_item_id: str | None = None
