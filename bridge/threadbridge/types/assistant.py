"""Assistants, their tools and response formats (A20-A24, A55)."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from threadbridge.types._model import OrUnknown, WireModel


class CodeInterpreterTool(WireModel):
    """Runs Python in a sandbox."""

    type: Literal["code_interpreter"]


class RankingOptions(WireModel):
    """How search results are scored and filtered."""

    ranker: str | None = None
    score_threshold: float | None = None
    hybrid_search: Any = None


class FileSearch(WireModel):
    """The settings of a `file_search` tool."""

    max_num_results: int | None = None
    ranking_options: RankingOptions | None = None


class FileSearchTool(WireModel):
    """Searches the vector stores of assistant and thread."""

    type: Literal["file_search"]
    file_search: FileSearch | None = None


class FunctionDefinition(WireModel):
    """A function that the model may call; `parameters` is its JSON Schema."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class FunctionTool(WireModel):
    """A function of the client."""

    type: Literal["function"]
    function: FunctionDefinition


AssistantTool: TypeAlias = Annotated[CodeInterpreterTool | FileSearchTool | FunctionTool, OrUnknown()]


class CodeInterpreterResources(WireModel):
    """Files that the sandbox can open."""

    file_ids: list[str] | None = None


class FileSearchResources(WireModel):
    """Vector stores that are searched."""

    vector_store_ids: list[str] | None = None


class ToolResources(WireModel):
    """Files and vector stores of the hosted tools."""

    code_interpreter: CodeInterpreterResources | None = None
    file_search: FileSearchResources | None = None


class ResponseFormatText(WireModel):
    """Plain text."""

    type: Literal["text"]


class ResponseFormatJSONObject(WireModel):
    """Any JSON object."""

    type: Literal["json_object"]


class JSONSchema(WireModel):
    """A named JSON Schema."""

    name: str
    description: str | None = None
    strict: bool | None = None

    @property
    def schema_(self) -> dict[str, Any] | None:
        """The schema. Its name in the API, `schema`, is a method of pydantic models."""
        return (self.model_extra or {}).get("schema")


class ResponseFormatJSONSchema(WireModel):
    """JSON that matches a schema."""

    type: Literal["json_schema"]
    json_schema: JSONSchema


#: `"auto"` or an object (A23).
AssistantResponseFormatOption: TypeAlias = Annotated[
    str | ResponseFormatText | ResponseFormatJSONObject | ResponseFormatJSONSchema, OrUnknown()
]


class AssistantToolChoiceFunction(WireModel):
    """The function that must be called."""

    name: str


class AssistantToolChoice(WireModel):
    """The one tool that must be used."""

    type: str
    function: AssistantToolChoiceFunction | None = None


#: `"none"`, `"auto"`, `"required"` or an object (A55).
AssistantToolChoiceOption: TypeAlias = Annotated[str | AssistantToolChoice, OrUnknown()]


class Assistant(WireModel):
    """A model with instructions and tools (A20)."""

    id: str
    object: str = "assistant"
    created_at: int | None = None
    name: str | None = None
    description: str | None = None
    model: str | None = None
    instructions: str | None = None
    tools: list[AssistantTool] = Field(default_factory=list[AssistantTool])
    top_p: float | None = None
    temperature: float | None = None
    reasoning_effort: str | None = None
    tool_resources: ToolResources | None = None
    metadata: dict[str, str] | None = None
    response_format: AssistantResponseFormatOption | None = None


class AssistantDeleted(WireModel):
    """The response to a deletion (A19)."""

    id: str
    object: str = "assistant.deleted"
    deleted: bool
