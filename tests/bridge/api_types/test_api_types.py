"""The TypedDicts have the keys of the published schemas, except where recordings differ or this code uses no key."""

from __future__ import annotations

import re
import typing
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from functools import cache
from typing import NamedTuple

import pytest
import yaml

from tests.conformance.published_schema import ABSENT, SLICE
from threadbridge import api_types
from threadbridge.api_types import JsonObject

RESPONSES_SLICE = SLICE.with_name("openapi-responses.yaml")


class Published(NamedTuple):
    """The published schema of a type, and the differences from it.

    `path` is a schema of the slice and the properties below it (`Schema/property/…`; lists are looked through).
    `missing` are published keys that this code does not use, `extra` keys on the wire that no schema has, `required`
    keys that every object has although the schema does not require them, `optional` the reverse.
    """

    path: str
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


_STATUS_GROUP = ("status", "incomplete_details", "completed_at", "incomplete_at")
_GENERATION = ("temperature", "top_p", "response_format")

ASSISTANTS: Mapping[str, Published] = {
    # Objects
    "AssistantObject": Published(
        "AssistantObject", extra=("reasoning_effort",), required=("reasoning_effort", "tool_resources", *_GENERATION)
    ),
    "ThreadObject": Published("ThreadObject"),
    "MessageObject": Published("MessageObject", missing=_STATUS_GROUP),  # A32
    "StreamedMessageObject": Published("MessageObject"),
    "UpdatedMessageObject": Published(  # A32
        "MessageObject", missing=(*_STATUS_GROUP, "attachments"), extra=("file_ids",), required=("file_ids",)
    ),
    "RunObject": Published(  # A43
        "RunObject",
        extra=("tool_resources", "reasoning_effort"),
        required=("tool_resources", "reasoning_effort", "temperature", "top_p"),
    ),
    "RunStepObject": Published(  # A72
        "RunStepObject", missing=("expired_at", "metadata"), extra=("expires_at",), required=("expires_at",)
    ),
    # Parts of messages
    "TextPart": Published("MessageContentTextObject"),
    "TextValue": Published("MessageContentTextObject/text"),
    "ImageFilePart": Published("MessageContentImageFileObject"),
    "ImageFile": Published("MessageContentImageFileObject/image_file"),
    "ImageUrlPart": Published("MessageContentImageUrlObject"),
    "ImageUrl": Published("MessageContentImageUrlObject/image_url"),
    "RefusalPart": Published("MessageContentRefusalObject"),
    "FileCitationAnnotation": Published("MessageContentTextAnnotationsFileCitationObject"),
    "FileCitation": Published(
        "MessageDeltaContentTextAnnotationsFileCitationObject/file_citation", required=("file_id",)
    ),
    "FilePathAnnotation": Published("MessageContentTextAnnotationsFilePathObject"),
    "FilePath": Published("MessageContentTextAnnotationsFilePathObject/file_path"),
    "Attachment": Published("CreateMessageRequest/attachments", required=("file_id", "tools")),
    "AttachmentTool": Published("AssistantToolsFileSearchTypeOnly"),
    "MessageIncompleteDetails": Published("MessageObject/incomplete_details"),
    # Parts of runs
    "RequiredAction": Published("RunObject/required_action"),
    "RunToolCalls": Published("RunObject/required_action/submit_tool_outputs"),
    "RunToolCall": Published("RunToolCallObject"),
    "RunFunction": Published("RunToolCallObject/function"),
    "LastError": Published("RunObject/last_error"),
    "RunIncompleteDetails": Published("RunObject/incomplete_details"),
    "UsageObject": Published("RunCompletionUsage", extra=("prompt_token_details", "completion_tokens_details")),  # A46
    "TruncationStrategy": Published("TruncationObject"),
    # Parts of steps
    "MessageCreationDetails": Published("RunStepDetailsMessageCreationObject"),
    "MessageCreation": Published("RunStepDetailsMessageCreationObject/message_creation"),
    "ToolCallsDetails": Published("RunStepDetailsToolCallsObject"),
    "FunctionToolCall": Published("RunStepDetailsToolCallsFunctionObject"),
    "CalledFunction": Published("RunStepDetailsToolCallsFunctionObject/function"),
    "CodeInterpreterToolCall": Published("RunStepDetailsToolCallsCodeObject"),
    "CodeInterpreterDetails": Published("RunStepDetailsToolCallsCodeObject/code_interpreter"),
    "LogsOutput": Published("RunStepDetailsToolCallsCodeOutputLogsObject"),
    "ImageOutput": Published("RunStepDetailsToolCallsCodeOutputImageObject"),
    "ImageOutputFile": Published("RunStepDetailsToolCallsCodeOutputImageObject/image"),
    "FileSearchToolCall": Published("RunStepDetailsToolCallsFileSearchObject"),
    "FileSearchDetails": Published(
        "RunStepDetailsToolCallsFileSearchObject/file_search", required=("ranking_options", "results")
    ),
    "FileSearchResult": Published(  # A76
        "RunStepDetailsToolCallsFileSearchResultObject", extra=("attributes",), required=("attributes",)
    ),
    "FileSearchResultContent": Published(
        "RunStepDetailsToolCallsFileSearchResultObject/content", required=("type", "text")
    ),
    # Tools, tool resources, formats
    "CodeInterpreterTool": Published("AssistantToolsCode"),
    "FileSearchTool": Published("AssistantToolsFileSearch"),
    "FileSearchOptions": Published("AssistantToolsFileSearch/file_search"),
    "RankingOptions": Published("FileSearchRankingOptions", extra=("hybrid_search",), optional=("score_threshold",)),
    "FunctionTool": Published("AssistantToolsFunction"),
    "FunctionDefinition": Published("FunctionObject"),
    "NamedToolChoice": Published("AssistantsNamedToolChoice"),
    "NamedFunction": Published("AssistantsNamedToolChoice/function"),
    "ToolResources": Published("ThreadObject/tool_resources"),
    "CodeInterpreterResources": Published("ThreadObject/tool_resources/code_interpreter"),
    "FileSearchResources": Published("ThreadObject/tool_resources/file_search", extra=("vector_stores",)),  # A28
    "ResponseFormatText": Published("ResponseFormatText"),
    "ResponseFormatJsonObject": Published("ResponseFormatJsonObject"),
    "ResponseFormatJsonSchema": Published("ResponseFormatJsonSchema"),
    "JsonSchema": Published("ResponseFormatJsonSchema/json_schema"),
    # Envelopes
    "ListObject": Published("ListRunsResponse"),
    "DeletionStatus": Published("DeleteThreadResponse"),
    "ErrorObject": Published("Error"),
    "ErrorEnvelope": Published("ErrorResponse"),
    # Request bodies
    "CreateAssistantBody": Published("CreateAssistantRequest"),
    "UpdateAssistantBody": Published("ModifyAssistantRequest"),
    "CreateThreadBody": Published("CreateThreadRequest"),
    "UpdateThreadBody": Published("ModifyThreadRequest"),
    "CreateMessageBody": Published("CreateMessageRequest"),
    "TextPartBody": Published("MessageRequestContentTextObject"),
    "UpdateMetadataBody": Published("ModifyRunRequest"),
    "CreateRunBody": Published("CreateRunRequest", extra=("tool_resources",)),
    "CreateThreadAndRunBody": Published(
        "CreateThreadAndRunRequest", extra=("reasoning_effort", "additional_instructions", "additional_messages")
    ),
    "SubmitToolOutputsBody": Published("SubmitToolOutputsRunRequest"),
    "ToolOutput": Published("SubmitToolOutputsRunRequest/tool_outputs", required=("tool_call_id",)),  # A69
    # Deltas
    "MessageDeltaObject": Published("MessageDeltaObject"),
    "MessageDelta": Published("MessageDeltaObject/delta"),
    "TextPartDelta": Published("MessageDeltaContentTextObject", required=("text",)),
    "TextValueDelta": Published("MessageDeltaContentTextObject/text"),
    "ImageFilePartDelta": Published("MessageDeltaContentImageFileObject", required=("image_file",)),
    "ImageUrlPartDelta": Published("MessageDeltaContentImageUrlObject", required=("image_url",)),
    "RefusalPartDelta": Published("MessageDeltaContentRefusalObject", required=("refusal",)),
    "FileCitationAnnotationDelta": Published(
        "MessageDeltaContentTextAnnotationsFileCitationObject",
        required=("text", "file_citation", "start_index", "end_index"),
    ),
    "FilePathAnnotationDelta": Published(
        "MessageDeltaContentTextAnnotationsFilePathObject", required=("text", "file_path", "start_index", "end_index")
    ),
    "RunStepDeltaObject": Published("RunStepDeltaObject"),
    "RunStepDelta": Published("RunStepDeltaObject/delta"),
    "ToolCallsDelta": Published("RunStepDeltaStepDetailsToolCallsObject", required=("tool_calls",)),
    "FunctionToolCallDelta": Published("RunStepDeltaStepDetailsToolCallsFunctionObject", required=("function",)),
    "FunctionDelta": Published("RunStepDeltaStepDetailsToolCallsFunctionObject/function"),
    "CodeInterpreterToolCallDelta": Published(
        "RunStepDeltaStepDetailsToolCallsCodeObject", required=("code_interpreter",)
    ),
    "CodeInterpreterDelta": Published("RunStepDeltaStepDetailsToolCallsCodeObject/code_interpreter"),
    "LogsOutputDelta": Published("RunStepDeltaStepDetailsToolCallsCodeOutputLogsObject", required=("logs",)),
    "ImageOutputDelta": Published("RunStepDeltaStepDetailsToolCallsCodeOutputImageObject", required=("image",)),
    "FileSearchToolCallDelta": Published("RunStepDeltaStepDetailsToolCallsFileSearchObject"),
}

_CALLERS = ("caller", "namespace")

RESPONSES: Mapping[str, Published] = {
    # Items
    "InputTextPart": Published("InputTextContent", missing=("prompt_cache_breakpoint",)),
    "InputImagePart": Published("InputImageContent", missing=("prompt_cache_breakpoint",), optional=("detail",)),
    "OutputTextPart": Published("OutputTextContent", optional=("annotations", "logprobs")),
    "OutputRefusalPart": Published("RefusalContent"),
    "FileCitationNote": Published("FileCitationBody", optional=("index", "filename")),
    "ContainerFileCitationNote": Published(
        "ContainerFileCitationBody", optional=("start_index", "end_index", "filename")
    ),
    "FilePathNote": Published("FilePath", extra=("start_index", "end_index"), optional=("index",)),
    "UrlCitationNote": Published("UrlCitationBody", optional=("start_index", "end_index", "title")),
    "InputMessageItem": Published("InputMessage", missing=("status",), required=("type",)),
    "OutputMessageItem": Published("OutputMessage", optional=("id", "status")),
    "FunctionCallItem": Published("FunctionToolCall", missing=_CALLERS),
    "FunctionCallOutputItem": Published(
        "FunctionCallOutputItemParam", missing=(*_CALLERS, "name"), required=("call_id",)
    ),
    "ReasoningItem": Published("ReasoningItem", optional=("id",)),
    "SummaryTextPart": Published("SummaryTextContent"),
    "ReasoningTextPart": Published("ReasoningTextContent"),
    "FileSearchCallItem": Published("FileSearchToolCall", optional=("status", "queries")),
    "FileSearchCallResult": Published("FileSearchToolCall/results"),
    "CodeInterpreterCallItem": Published(
        "CodeInterpreterToolCall", optional=("status", "container_id", "code", "outputs")
    ),
    "CodeLogsOutput": Published("CodeInterpreterOutputLogs"),
    "CodeImageOutput": Published("CodeInterpreterOutputImage"),
    "CompactionItem": Published("CompactionBody", optional=("id",)),
    # Requests
    "ResponseFunctionTool": Published("FunctionTool", missing=("output_schema", "defer_loading", "allowed_callers")),
    "ResponseFileSearchTool": Published("FileSearchTool", missing=("filters",)),
    "ResponseRankingOptions": Published("RankingOptions"),
    "ResponseCodeInterpreterTool": Published("CodeInterpreterTool", missing=("allowed_callers",)),
    "AutoContainer": Published("AutoCodeInterpreterToolParam", missing=("memory_limit", "network_policy")),
    "FunctionToolChoice": Published("ToolChoiceFunction"),
    "HostedToolChoice": Published("ToolChoiceTypes"),
    "TextOptions": Published("ResponseTextParam"),
    "TextFormatPlain": Published("ResponseFormatText"),
    "TextFormatJsonSchema": Published("TextResponseFormatJsonSchema"),
    "ReasoningOptions": Published("Reasoning", missing=("mode", "context", "generate_summary")),
    "ContextManagement": Published("ContextManagementParam"),
    "CountTokensBody": Published("TokenCountsBody", missing=("personality",), required=("model",)),
    "CreateResponseBody": Published(
        "CreateResponse",
        missing=(
            "background",
            "max_tool_calls",
            "moderation",
            "prompt",
            "prompt_cache_options",
            "prompt_cache_retention",
            "safety_identifier",
            "service_tier",
            "stream_options",
            "top_logprobs",
            "user",
        ),
        required=("model",),
    ),
    "InputTokenCount": Published("TokenCountsResource", optional=("object", "input_tokens")),
    # Responses
    "ResponseUsage": Published(
        "ResponseUsage",
        optional=("input_tokens", "input_tokens_details", "output_tokens", "output_tokens_details", "total_tokens"),
    ),
    "InputTokensDetails": Published(
        "ResponseUsage/input_tokens_details", missing=("cache_write_tokens",), optional=("cached_tokens",)
    ),
    "OutputTokensDetails": Published("ResponseUsage/output_tokens_details", optional=("reasoning_tokens",)),
    "ResponseError": Published("Error", optional=("code", "message", "param", "type")),
    "ResponseIncompleteDetails": Published("Response/incomplete_details"),
    "ResponseConversation": Published("ConversationParam-2"),
}

#: Types that list what is read of a response, which repeats its request, and of events, which have the keys of their
#: type; with the schemas whose keys they may have.
SUBSETS: Mapping[str, str] = {"ResponseObject": r"Response", "ResponseEvent": r"Response\w+Event"}

#: Types of parts that no schema names: the vector stores of a creation body, token details (A46), search settings.
UNPUBLISHED = frozenset(
    {
        "ChunkingStrategy",
        "CompletionTokensDetails",
        "FileSearchDelta",
        "Identified",
        "NewVectorStore",
        "PromptTokenDetails",
        "RunChanges",
        "StaticChunking",
    }
)


@cache
def _schemas(slice_name: str) -> JsonObject:
    path = SLICE.with_name(slice_name)
    if not path.is_file():
        pytest.skip(ABSENT)
    document: JsonObject = yaml.load(path.read_text(), yaml.CSafeLoader)
    schemas: JsonObject = document["components"]["schemas"]
    return schemas


class Keys(NamedTuple):
    """The keys of a published object, and those it requires."""

    known: frozenset[str]
    required: frozenset[str]


def _list_shapes(schemas: JsonObject, schema: JsonObject) -> list[JsonObject]:
    """The object schemas of a schema: references, alternatives and lists are resolved."""
    if "$ref" in schema:
        return _list_shapes(schemas, schemas[schema["$ref"].rsplit("/", 1)[1]])
    if schema.get("type") == "array":
        return _list_shapes(schemas, schema["items"])
    if "properties" in schema:
        return [schema]
    parts: list[JsonObject] = [part for name in ("allOf", "anyOf", "oneOf") for part in schema.get(name, ())]
    return [shape for part in parts for shape in _list_shapes(schemas, part)]


def _read_keys(slice_name: str, path: str) -> Keys:
    schemas = _schemas(slice_name)
    name, *steps = path.split("/")
    shapes = _list_shapes(schemas, schemas[name])
    for step in steps:
        shapes = [below for shape in shapes for below in _list_shapes(schemas, shape["properties"].get(step, {}))]
    assert shapes, path
    known = set[str]().union(*(shape["properties"] for shape in shapes))
    required = set[str]().union(*(shape.get("required", ()) for shape in shapes))
    return Keys(frozenset(known), frozenset(required))


def _get_keys(name: str) -> AbstractSet[str]:
    return typing.get_type_hints(getattr(api_types, name)).keys()


def _check(name: str, published: Published, slice_name: str) -> None:
    known, required = _read_keys(slice_name, published.path)
    assert _get_keys(name) == (known - set(published.missing)) | set(published.extra)
    expected = (required - set(published.missing) - set(published.optional)) | set(published.required)
    assert getattr(api_types, name).__required_keys__ == expected
    # An outdated exception would hide a new difference.
    assert not set(published.missing) - known
    assert not set(published.extra) & known
    assert not set(published.required) & required
    assert not set(published.optional) - required


@pytest.mark.parametrize("name", ASSISTANTS)
def test_a_type_of_the_assistants_api_has_the_published_keys(name: str) -> None:
    _check(name, ASSISTANTS[name], SLICE.name)


@pytest.mark.parametrize("name", RESPONSES)
def test_a_type_of_the_responses_api_has_the_published_keys(name: str) -> None:
    _check(name, RESPONSES[name], RESPONSES_SLICE.name)


@pytest.mark.parametrize("name", SUBSETS)
def test_a_type_with_a_subset_of_keys_has_published_keys_only(name: str) -> None:
    schemas = [schema for schema in _schemas(RESPONSES_SLICE.name) if re.fullmatch(SUBSETS[name], schema)]
    known = frozenset[str]().union(*(_read_keys(RESPONSES_SLICE.name, schema).known for schema in schemas))
    assert set(_get_keys(name)) <= known


def test_every_type_is_compared() -> None:
    types = {name for name in api_types.__all__ if typing.is_typeddict(getattr(api_types, name))}
    assert types == ASSISTANTS.keys() | RESPONSES.keys() | SUBSETS.keys() | UNPUBLISHED
