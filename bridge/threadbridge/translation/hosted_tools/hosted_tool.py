"""The description of a hosted tool, which the service runs and not the caller, and the step of its calls (§4, §8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, TypeAlias, cast

from threadbridge.api_types import (
    AssistantTool,
    InputItem,
    JsonMapping,
    LastError,
    ResponseTool,
    RunObject,
    RunStepObject,
    StepStatus,
    StepToolCall,
    StepToolCallDelta,
    UsageObject,
)
from threadbridge.ports import Entry, Event, IdGenerator, UpstreamCapabilities
from threadbridge.schemas.schema_types import Object
from threadbridge.settings import Fees
from threadbridge.translation.citations import CitationResolver
from threadbridge.translation.probe_protocol import Finding, ProbeGenerator, ProbeOptions
from threadbridge.translation.wire_objects import build_closed_step, build_open_step, build_step_delta, build_step_event

#: Statuses of a call that the service could not finish.
_FAILED_STATUSES = frozenset({"failed", "incomplete"})


class HostedToolWriter:
    """Writes the step of one call. A subclass for each tool builds the details of the call.

    Items and details are `JsonMapping` here, because a registered tool need not be one that `api_types` lists.
    """

    #: The type of the output item.
    item_type: ClassVar[str]
    #: The type of the tool, which is also the key of the call's details.
    tool_type: ClassVar[str]
    #: The step as stored; None until it has ended.
    step: RunStepObject | None = None

    def __init__(
        self, run: RunObject, *, new_id: IdGenerator, now: Callable[[], float], citations: CitationResolver
    ) -> None:
        self._run = run
        self._now = now
        self._citations = citations
        self._call_id = new_id("call")  # hosted items have no call ID, and an item's ID is never shown (§8)
        self._item: JsonMapping | None = None
        self._open_step = build_open_step(
            run, step_id=new_id("step"), created_at=int(now()), details={"type": "tool_calls", "tool_calls": []}
        )

    @property
    def is_finished(self) -> bool:
        """Whether the service has finished the call."""
        return self._item is not None

    def open(self) -> list[Event]:
        """The events that open the step, with a call without results."""
        # The key is the type of the tool, which no literal of a TypedDict can express.
        call = cast(
            "StepToolCallDelta",
            {"index": 0, "id": self._call_id, "type": self.tool_type, self.tool_type: self.build_empty_details()},
        )
        return [
            Event("thread.run.step.created", self._open_step),
            Event("thread.run.step.in_progress", self._open_step),
            build_step_delta(self._open_step["id"], call),
        ]

    def add(self, _fragment: str, /) -> list[Event]:
        """The next characters of the call's input, for a tool that streams it."""
        return []

    def finish(self, item: JsonMapping) -> list[Event]:
        """Take the finished item, and send what was not streamed. A call of a closed step does not change."""
        if self.step is not None or self._item is not None:
            return []
        self._item = item
        return self.apply_item(item)

    def close(self, *, step_status: StepStatus, usage: UsageObject, last_error: LastError | None = None) -> list[Event]:
        """The closing event. A call that was finished before the turn failed is completed all the same."""
        if self._item is not None and self._item.get("status") not in _FAILED_STATUSES:
            step_status, last_error = "completed", None
        call = cast(
            "StepToolCall", {"id": self._call_id, "type": self.tool_type, self.tool_type: self.build_full_details()}
        )
        step: RunStepObject = {**self._open_step, "step_details": {"type": "tool_calls", "tool_calls": [call]}}
        self.step = build_closed_step(step, step_status, at=int(self._now()), usage=usage, last_error=last_error)
        return [build_step_event(self.step, self._run["expires_at"])]

    def build_entry(self) -> Entry:
        """The call as a timeline entry."""
        # An item of a tool that `api_types` does not list is sent back like the others.
        item = cast("InputItem", self.build_replay_item(self._item)) if self._item else None
        return Entry(item=item, run_id=self._run["id"])

    def _build_delta(self, **details: object) -> Event:
        call = cast("StepToolCallDelta", {"index": 0, "type": self.tool_type, self.tool_type: details})
        return build_step_delta(self._open_step["id"], call)

    def build_empty_details(self) -> Mapping[str, object]:
        raise NotImplementedError

    def build_full_details(self) -> Mapping[str, object]:
        raise NotImplementedError

    def apply_item(self, item: JsonMapping, /) -> list[Event]:
        raise NotImplementedError

    def build_replay_item(self, item: JsonMapping, /) -> JsonMapping:
        return item


#: What the IDs of a tool's resources identify: vector stores to search, or files to copy into a container.
ResourceKind: TypeAlias = Literal["vector_store_ids", "file_ids"]
StepWriterClass: TypeAlias = type[HostedToolWriter]


@dataclass(frozen=True, slots=True)
class HostedToolResources:
    """What the hosted tools of a run work on.

    `container_id` is None where each response gets a fresh container, whose state ends with the response.
    `by_tool` holds the `tool_resources` of the run by tool type.
    """

    vector_store_ids: tuple[str, ...] = ()
    file_ids: tuple[str, ...] = ()
    container_id: str | None = None
    by_tool: Mapping[str, JsonMapping] = field(default_factory=dict[str, JsonMapping])


@dataclass(frozen=True, slots=True)
class ToolFees:
    """What the service charges for a tool besides tokens."""

    #: The name under which a call without a configured price is reported.
    call_name: str | None = None
    #: The configured price of a call in US dollars; None: not configured.
    get_call_price: Callable[[Fees], float | None] = lambda _: None
    #: The name of a fee that is charged by time, which no price here includes.
    standing_name: str | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class HostedTool:
    """One hosted tool. A new one needs a module that builds this row, and an entry in the registry.

    The functions take `JsonMapping`, because a new tool need not be one that `api_types` lists.
    """

    #: Its `type` in the Assistants API, in the Responses API and in a step.
    type: str

    # Schema (A21, A22)
    #: What a caller may send as the tool.
    definition: Object
    #: What a caller may send under `tool_resources`; None: the tool has no resources.
    resources: Object | None = None
    #: The same when an assistant or a thread is created.
    new_resources: Object | None = None
    #: Which IDs the resources hold. Files can be attached for a tool that has a kind (A38).
    resource_kind: ResourceKind | None = None
    #: The resources that an assistant with the tool shows when it has none (A22).
    empty_resources: JsonMapping | None = None
    #: The tool as an assistant or a run shows it (A22). By default its type, which need not be one of the API.
    normalize: Callable[[JsonMapping], AssistantTool] = lambda tool: cast("AssistantTool", {"type": tool["type"]})

    # Request (§4)
    #: The tool for the request, from its definition, its resources and the model that the run names; None: left out.
    build_request: Callable[[JsonMapping, HostedToolResources, str], ResponseTool | None]
    #: The `include` value without which the output item is incomplete (§3).
    include: str | None = None
    #: Whether the tool works in a container, with the files of its resources.
    uses_container: bool = False

    # Output and replay (§8, §9)
    writer: StepWriterClass
    #: The event type that streams a fragment of the call's input.
    fragment_event: str | None = None
    #: A call of a step without the content that is only shown on request (A77).
    strip_content: Callable[[JsonMapping], StepToolCall] | None = None
    #: The `include` value of the Assistants API that requests this content.
    content_include: str | None = None
    #: Whether the item may be sent again in the same run; the container is the one that the request names.
    is_replayable: Callable[[JsonMapping, str | None], bool] = lambda _item, _container_id: True

    # The service
    #: The capability of a service that has the tool: a field of UpstreamCapabilities, or one of its `other_tools`.
    capability: str
    #: Finds out whether a service has the tool; None where another tool's probe covers the capability.
    probe: Callable[[ProbeOptions], ProbeGenerator[Finding]] | None = None
    fees: ToolFees = ToolFees()

    @property
    def item_type(self) -> str:
        """The type of its output items."""
        return self.writer.item_type

    def is_supported(self, profile: UpstreamCapabilities) -> bool:
        """Whether the service has the tool."""
        if hasattr(profile, self.capability):
            return bool(getattr(profile, self.capability))
        return self.capability in profile.other_tools
