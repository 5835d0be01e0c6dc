"""Items of the Responses API: what a request sends and a response returns (§6).

Only items that this code sends, or can receive for what it sends, are listed; items of other types are kept whole (§8).
Servers leave out keys that the reference requires and send null for them (S4, S5): read what was received with
`.get(…)` and a default.
"""

from typing import Literal, NotRequired, TypeAlias, TypedDict

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
    """A message to the model. `role` tells it from the model's own."""

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
