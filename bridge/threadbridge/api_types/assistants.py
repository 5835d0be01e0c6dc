"""Assistants and their tools (A20-A24, A28, A55)."""

from typing import Literal, NotRequired, TypeAlias, TypedDict

from threadbridge.api_types.json_types import JsonObject

Metadata: TypeAlias = dict[str, str]


class RankingOptions(TypedDict, total=False):
    """How search results are scored and cut off."""

    ranker: str
    score_threshold: float
    hybrid_search: JsonObject | None


class FileSearchOptions(TypedDict, total=False):
    """The settings of a `file_search` tool."""

    max_num_results: int
    ranking_options: RankingOptions


class FunctionDefinition(TypedDict):
    """A function of the client; `parameters` is its JSON Schema."""

    name: str
    description: NotRequired[str]
    parameters: NotRequired[JsonObject]
    strict: NotRequired[bool | None]


class CodeInterpreterTool(TypedDict):
    """Runs Python in a sandbox."""

    type: Literal["code_interpreter"]


class FileSearchTool(TypedDict):
    """Searches the vector stores of assistant and thread."""

    type: Literal["file_search"]
    file_search: NotRequired[FileSearchOptions]


class FunctionTool(TypedDict):
    """A function that the model may call."""

    type: Literal["function"]
    function: FunctionDefinition


AssistantTool: TypeAlias = CodeInterpreterTool | FileSearchTool | FunctionTool


class NamedFunction(TypedDict):
    """The function that must be called."""

    name: str


class NamedToolChoice(TypedDict):
    """The one tool that must be used (A55). `function` is there for a function only."""

    type: Literal["function", "code_interpreter", "file_search"]
    function: NotRequired[NamedFunction]


ToolChoice: TypeAlias = Literal["none", "auto", "required"] | NamedToolChoice


class CodeInterpreterResources(TypedDict, total=False):
    """The files that the sandbox can open."""

    file_ids: list[str]


class StaticChunking(TypedDict):
    """The sizes of chunks, in tokens."""

    max_chunk_size_tokens: int
    chunk_overlap_tokens: int


class ChunkingStrategy(TypedDict):
    """How files are split; `static` is there where the type says so."""

    type: Literal["auto", "static"]
    static: NotRequired[StaticChunking]


class NewVectorStore(TypedDict, total=False):
    """A vector store to be created with its owner."""

    file_ids: list[str]
    chunking_strategy: ChunkingStrategy
    metadata: Metadata


class FileSearchResources(TypedDict, total=False):
    """The vector stores that are searched; `vector_stores` is accepted at creation only and never stored."""

    vector_store_ids: list[str]
    vector_stores: list[NewVectorStore]


class ToolResources(TypedDict, total=False):
    """What the hosted tools work on."""

    code_interpreter: CodeInterpreterResources
    file_search: FileSearchResources


class ResponseFormatText(TypedDict):
    """Plain text."""

    type: Literal["text"]


class ResponseFormatJsonObject(TypedDict):
    """Any JSON object."""

    type: Literal["json_object"]


class JsonSchema(TypedDict):
    """A named JSON Schema."""

    name: str
    description: NotRequired[str]
    schema: NotRequired[JsonObject]
    strict: NotRequired[bool | None]


class ResponseFormatJsonSchema(TypedDict):
    """JSON that fits a schema."""

    type: Literal["json_schema"]
    json_schema: JsonSchema


ResponseFormat: TypeAlias = Literal["auto"] | ResponseFormatText | ResponseFormatJsonObject | ResponseFormatJsonSchema


class AssistantObject(TypedDict):
    """A model with instructions and tools, in wire order (A20). Imported ones may have null sampling parameters."""

    id: str
    object: Literal["assistant"]
    created_at: int
    name: str | None
    description: str | None
    model: str
    instructions: str | None
    tools: list[AssistantTool]
    top_p: float | None
    temperature: float | None
    reasoning_effort: str | None
    tool_resources: ToolResources
    metadata: Metadata
    response_format: ResponseFormat
