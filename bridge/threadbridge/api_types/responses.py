"""The Responses API: items, requests with their tools, responses, and the events of streams (§3-§8).

Servers leave out keys that the reference requires and send null for them (S4, S5): read what was received with
`.get(…)` and a default.
"""

from typing import Literal, NotRequired, Required, TypeAlias, TypedDict

from threadbridge.api_types.json_types import JsonObject


class InputTextPart(TypedDict):
    """Words to the model."""

    type: Literal["input_text"]
    text: str


class InputImagePart(TypedDict):
    """An image to the model: a URL (also a data URL) or an uploaded file."""

    type: Literal["input_image"]
    image_url: NotRequired[str | None]
    file_id: NotRequired[str | None]
    detail: NotRequired[str]


InputContentPart: TypeAlias = InputTextPart | InputImagePart


class FileCitationNote(TypedDict):
    """A source found by file search; `index` is its place in the text."""

    type: Literal["file_citation"]
    file_id: str
    index: NotRequired[int]
    filename: NotRequired[str]


class ContainerFileCitationNote(TypedDict):
    """A file in a container. Start and end are 0 for an image that is shown rather than named (§6)."""

    type: Literal["container_file_citation"]
    container_id: str
    file_id: str
    start_index: NotRequired[int]
    end_index: NotRequired[int]
    filename: NotRequired[str]


class FilePathNote(TypedDict):
    """A path in the text that stands for a file."""

    type: Literal["file_path"]
    file_id: str
    index: NotRequired[int]
    start_index: NotRequired[int]
    end_index: NotRequired[int]


class UrlCitationNote(TypedDict):
    """A page on the web. It has no counterpart in the Assistants API."""

    type: Literal["url_citation"]
    url: str
    start_index: NotRequired[int]
    end_index: NotRequired[int]
    title: NotRequired[str]


OutputAnnotation: TypeAlias = FileCitationNote | ContainerFileCitationNote | FilePathNote | UrlCitationNote


class OutputTextPart(TypedDict):
    """Words of the model. Annotations and logprobs are not sent back."""

    type: Literal["output_text"]
    text: str
    annotations: NotRequired[list[OutputAnnotation]]
    logprobs: NotRequired[list[JsonObject]]


class OutputRefusalPart(TypedDict):
    """The model's refusal to answer."""

    type: Literal["refusal"]
    refusal: str


OutputContentPart: TypeAlias = OutputTextPart | OutputRefusalPart


class InputMessageItem(TypedDict):
    """A message to the model. `role` distinguishes it from the model's own."""

    type: Literal["message"]
    role: Literal["user", "system", "developer"]
    content: list[InputContentPart]


class OutputMessageItem(TypedDict):
    """A message of the model. As input it has neither id nor status (§6)."""

    type: Literal["message"]
    role: Literal["assistant"]
    content: list[OutputContentPart]
    id: NotRequired[str]
    status: NotRequired[str | None]
    phase: NotRequired[str | None]


class FunctionCallItem(TypedDict):
    """A call of a function of the client."""

    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: str
    id: NotRequired[str]
    status: NotRequired[str | None]


class FunctionCallOutputItem(TypedDict):
    """The answer to a call."""

    type: Literal["function_call_output"]
    call_id: str
    output: str | list[InputContentPart]
    id: NotRequired[str]
    status: NotRequired[str | None]


class SummaryTextPart(TypedDict):
    """A paragraph of a summary."""

    type: Literal["summary_text"]
    text: str


class ReasoningTextPart(TypedDict):
    """A paragraph of reasoning, where the service shows it."""

    type: Literal["reasoning_text"]
    text: str


class ReasoningItem(TypedDict):
    """Reasoning. Without stored state only `encrypted_content` can be sent back (§9)."""

    type: Literal["reasoning"]
    summary: list[SummaryTextPart]
    id: NotRequired[str]
    encrypted_content: NotRequired[str | None]
    content: NotRequired[list[ReasoningTextPart]]
    status: NotRequired[str | None]


class FileSearchCallResult(TypedDict, total=False):
    """A passage that was found; its own file id may be one only the service understands (S8)."""

    file_id: str | None
    filename: str | None
    text: str | None
    score: float | None
    attributes: JsonObject | None


class FileSearchCallItem(TypedDict):
    """A search. `results` are there only where `include` asks for them (§3)."""

    type: Literal["file_search_call"]
    id: str
    status: NotRequired[str | None]
    queries: NotRequired[list[str]]
    results: NotRequired[list[FileSearchCallResult] | None]


class CodeLogsOutput(TypedDict):
    """What the code printed."""

    type: Literal["logs"]
    logs: str


class CodeImageOutput(TypedDict):
    """An image the code drew, as a data URL."""

    type: Literal["image"]
    url: str


CodeOutput: TypeAlias = CodeLogsOutput | CodeImageOutput


class CodeInterpreterCallItem(TypedDict):
    """Code that ran. `outputs` are there only where `include` asks for them (§3)."""

    type: Literal["code_interpreter_call"]
    id: str
    status: NotRequired[str | None]
    container_id: NotRequired[str | None]
    code: NotRequired[str | None]
    outputs: NotRequired[list[CodeOutput] | None]


class CompactionItem(TypedDict):
    """A summary, made by the service, of everything before it (§11)."""

    type: Literal["compaction"]
    encrypted_content: str
    id: NotRequired[str | None]
    created_by: NotRequired[str]


HostedToolCallItem: TypeAlias = FileSearchCallItem | CodeInterpreterCallItem
#: An item of a response.
OutputItem: TypeAlias = OutputMessageItem | FunctionCallItem | ReasoningItem | HostedToolCallItem | CompactionItem
#: An item of a request. Everything a response returns can be sent back.
InputItem: TypeAlias = InputMessageItem | FunctionCallOutputItem | OutputItem


class ResponseFunctionTool(TypedDict):
    """A function that the model may call."""

    type: Literal["function"]
    name: str
    description: NotRequired[str | None]
    parameters: JsonObject | None
    strict: bool | None


class ResponseRankingOptions(TypedDict, total=False):
    """How search results are scored and cut off."""

    ranker: str
    score_threshold: float
    hybrid_search: JsonObject | None


class ResponseFileSearchTool(TypedDict):
    """Searches vector stores."""

    type: Literal["file_search"]
    vector_store_ids: list[str]
    max_num_results: NotRequired[int]
    ranking_options: NotRequired[ResponseRankingOptions]


class AutoContainer(TypedDict):
    """A new container with these files, gone with the response."""

    type: Literal["auto"]
    file_ids: NotRequired[list[str]]


class ResponseCodeInterpreterTool(TypedDict):
    """Runs Python in a container, named by its id or new."""

    type: Literal["code_interpreter"]
    container: str | AutoContainer


ResponseTool: TypeAlias = ResponseFunctionTool | ResponseFileSearchTool | ResponseCodeInterpreterTool


class FunctionToolChoice(TypedDict):
    """The function that must be called."""

    type: Literal["function"]
    name: str


class HostedToolChoice(TypedDict):
    """The hosted tool that must be used."""

    type: Literal["file_search", "code_interpreter"]


ResponseToolChoice: TypeAlias = Literal["none", "auto", "required"] | FunctionToolChoice | HostedToolChoice


class TextFormatPlain(TypedDict):
    """Plain text, or any JSON object."""

    type: Literal["text", "json_object"]


class TextFormatJsonSchema(TypedDict):
    """JSON that fits a schema."""

    type: Literal["json_schema"]
    name: str
    schema: JsonObject
    description: NotRequired[str]
    strict: NotRequired[bool | None]


TextFormat: TypeAlias = TextFormatPlain | TextFormatJsonSchema


class TextOptions(TypedDict, total=False):
    """The form of the answer."""

    format: TextFormat
    verbosity: str


class ReasoningOptions(TypedDict, total=False):
    """How much the model thinks."""

    effort: str | None
    summary: str | None


class ContextManagement(TypedDict):
    """When the service compacts its input (§11)."""

    type: Literal["compaction"]
    compact_threshold: NotRequired[int | None]


class CountTokensBody(TypedDict, total=False):
    """`POST /responses/input_tokens` (§11)."""

    model: Required[str]
    input: str | list[InputItem]
    instructions: str
    tools: list[ResponseTool]
    tool_choice: ResponseToolChoice
    parallel_tool_calls: bool
    text: TextOptions
    reasoning: ReasoningOptions
    truncation: Literal["auto", "disabled"]
    previous_response_id: str
    conversation: str


class CreateResponseBody(CountTokensBody, total=False):
    """`POST /responses`."""

    include: list[str]
    max_output_tokens: int
    temperature: float
    top_p: float
    store: bool
    stream: bool
    prompt_cache_key: str
    context_management: list[ContextManagement]
    metadata: dict[str, str]


class InputTokenCount(TypedDict, total=False):
    """The answer to `CountTokensBody`."""

    object: Literal["response.input_tokens"]
    input_tokens: int


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

    One type for all events: servers leave out the keys by which the reference distinguishes them (S4).
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
