"""Responses and the events of their streams (§7, §8).

Servers leave out keys that the reference requires and send null for them (S4, S5): read what was received with
`.get(…)` and a default.
"""

from typing import Literal, Required, TypedDict

from threadbridge.api_types.response_items import OutputAnnotation, OutputContentPart, OutputItem


class InputTokensDetails(TypedDict, total=False):
    """What the input tokens were."""

    cached_tokens: int | None


class OutputTokensDetails(TypedDict, total=False):
    """What the output tokens were."""

    reasoning_tokens: int | None


class ResponseUsage(TypedDict, total=False):
    """The tokens of a response. Counts may be missing or null (S5)."""

    input_tokens: int | None
    input_tokens_details: InputTokensDetails | None
    output_tokens: int | None
    output_tokens_details: OutputTokensDetails | None
    total_tokens: int | None


class ResponseError(TypedDict, total=False):
    """Why a response failed (S6)."""

    code: str | None
    message: str | None
    param: str | None
    type: str | None


class ResponseIncompleteDetails(TypedDict, total=False):
    """Why a response is incomplete (A81)."""

    reason: str | None


class ResponseConversation(TypedDict):
    """The conversation that a response belongs to."""

    id: str


class ResponseObject(TypedDict, total=False):
    """A response, whole or in an event of its stream. What it repeats of its request is not read and not listed."""

    id: str
    object: Literal["response"]
    created_at: float
    completed_at: float | None
    model: str
    status: str
    output: list[OutputItem]
    usage: ResponseUsage | None
    error: ResponseError | None
    incomplete_details: ResponseIncompleteDetails | None
    conversation: ResponseConversation | None
    previous_response_id: str | None


class ResponseEvent(TypedDict, total=False):
    """An event: `type`, and of the other keys those that its type has.

    One type for all events: servers leave out the keys by which the reference tells them apart (S4).
    """

    type: Required[str]
    sequence_number: int
    response: ResponseObject | None
    item: OutputItem | None
    item_id: str | None
    output_index: int | None
    content_index: int | None
    annotation_index: int | None
    delta: str | None
    part: OutputContentPart | None
    annotation: OutputAnnotation | None
    #: The event `error` comes with its fields on itself, or in an object (S6).
    error: ResponseError | None
    code: str | None
    message: str | None
    param: str | None
