"""Request bodies of the Responses API, and their tools (§3-§5)."""

from typing import Literal, NotRequired, Required, TypeAlias, TypedDict

from threadbridge.api_types.json_types import JsonObject
from threadbridge.api_types.response_items import InputItem


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
