"""The description of a hosted tool: a tool that the service runs, not the caller (§4, §8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, cast

from threadbridge.api_types import AssistantTool, JsonMapping, ResponseTool, StepToolCall
from threadbridge.ports import UpstreamCapabilities
from threadbridge.schemas.schema_types import Object
from threadbridge.settings import Fees
from threadbridge.translation.hosted_tools.step_writer import HostedToolWriter
from threadbridge.translation.probe_protocol import Finding, ProbeGenerator, ProbeOptions

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


def _echo_definition(tool: JsonMapping) -> AssistantTool:
    return cast("AssistantTool", {"type": tool["type"]})  # a registered tool need not be one of the API


def _is_always_replayable(_item: JsonMapping, _container_id: str | None) -> bool:
    return True


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
    #: The tool as an assistant or a run shows it (A22).
    normalize: Callable[[JsonMapping], AssistantTool] = _echo_definition

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
    is_replayable: Callable[[JsonMapping, str | None], bool] = _is_always_replayable

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
