"""What a streamed run step grows by (A91-A94)."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from threadbridge.types._model import OrUnknown, WireModel
from threadbridge.types.message_delta import UnknownDelta
from threadbridge.types.run_step import CodeInterpreterImage, FileSearchCall, MessageCreation


class FunctionDelta(WireModel):
    """A name, once; arguments to append; an output."""

    name: str | None = None
    arguments: str | None = None
    output: str | None = None


class FunctionToolCallDelta(WireModel):
    """A function call, or more of its arguments."""

    index: int
    id: str | None = None
    type: Literal["function"]
    function: FunctionDelta | None = None


class CodeInterpreterLogsDelta(WireModel):
    """More of what the code printed."""

    index: int
    type: Literal["logs"]
    logs: str | None = None


class CodeInterpreterImageDelta(WireModel):
    """An image the code made."""

    index: int
    type: Literal["image"]
    image: CodeInterpreterImage | None = None


CodeInterpreterOutputDelta: TypeAlias = Annotated[
    CodeInterpreterLogsDelta | CodeInterpreterImageDelta, OrUnknown(UnknownDelta)
]


class CodeInterpreterDelta(WireModel):
    """More code, or more of what came of it."""

    input: str | None = None
    outputs: list[CodeInterpreterOutputDelta] | None = None


class CodeInterpreterToolCallDelta(WireModel):
    """Code that is being written or runs."""

    index: int
    id: str | None = None
    type: Literal["code_interpreter"]
    code_interpreter: CodeInterpreterDelta | None = None


class FileSearchToolCallDelta(WireModel):
    """A search that is being made."""

    index: int
    id: str | None = None
    type: Literal["file_search"]
    file_search: FileSearchCall | None = None


ToolCallDelta: TypeAlias = Annotated[
    CodeInterpreterToolCallDelta | FileSearchToolCallDelta | FunctionToolCallDelta, OrUnknown(UnknownDelta)
]


class ToolCallDeltaObject(WireModel):
    """The calls that grow."""

    type: Literal["tool_calls"]
    tool_calls: list[ToolCallDelta] | None = None


class RunStepDeltaMessageDelta(WireModel):
    """The message that the step writes."""

    type: Literal["message_creation"]
    message_creation: MessageCreation | None = None


StepDetailsDelta: TypeAlias = Annotated[ToolCallDeltaObject | RunStepDeltaMessageDelta, OrUnknown()]


class RunStepDelta(WireModel):
    """The details that grow."""

    step_details: StepDetailsDelta | None = None


class RunStepDeltaEvent(WireModel):
    """The data of `thread.run.step.delta`; `id` is the step's."""

    id: str
    object: str = "thread.run.step.delta"
    delta: RunStepDelta
