"""Code interpreter: the service runs Python in a container (§4, §12, A22, A93)."""

from __future__ import annotations

from collections.abc import Callable

from threadbridge.api_types import (
    CodeInterpreterDetails,
    CodeInterpreterOutput,
    CodeOutput,
    JsonMapping,
    ResponseCodeInterpreterTool,
    RunObject,
)
from threadbridge.ports import Event, IdGenerator
from threadbridge.schemas.schema_types import Array, Object, String, build_variant
from threadbridge.translation.citations import CitationResolver
from threadbridge.translation.hosted_tools.hosted_tool import (
    HostedTool,
    HostedToolResources,
    HostedToolWriter,
    ToolFees,
)
from threadbridge.translation.probe_protocol import (
    Finding,
    ProbeGenerator,
    ProbeOptions,
    ProbeRequest,
    judge_acceptance,
    judge_list,
)

MAX_CODE_INTERPRETER_FILES = 20

_RESOURCES = Object({"file_ids": Array(String(), MAX_CODE_INTERPRETER_FILES)})


def _build_request(_tool: JsonMapping, resources: HostedToolResources, _model: str) -> ResponseCodeInterpreterTool:
    if resources.container_id:
        return {"type": "code_interpreter", "container": resources.container_id}
    return {"type": "code_interpreter", "container": {"type": "auto", "file_ids": list(resources.file_ids)}}


class CodeInterpreterWriter(HostedToolWriter):
    """Python code as the model writes it, then its outputs (A93)."""

    item_type = "code_interpreter_call"
    tool_type = "code_interpreter"

    def __init__(
        self, run: RunObject, *, new_id: IdGenerator, now: Callable[[], float], citations: CitationResolver
    ) -> None:
        super().__init__(run, new_id=new_id, now=now, citations=citations)
        self._code: list[str] = []
        self._outputs: list[CodeInterpreterOutput] = []

    def add(self, fragment: str, /) -> list[Event]:
        """The next characters of the code."""
        self._code.append(fragment)
        return [self._build_delta(input=fragment)]

    def build_empty_details(self) -> CodeInterpreterDetails:
        return {"input": "", "outputs": []}

    def build_full_details(self) -> CodeInterpreterDetails:
        return {"input": "".join(self._code), "outputs": list(self._outputs)}

    def apply_item(self, item: JsonMapping, /) -> list[Event]:
        streamed, code = "".join(self._code), item.get("code") or ""
        rest = code[len(streamed) :] if code.startswith(streamed) else ""
        events = self.add(rest) if rest else []
        outputs: list[CodeOutput] = item.get("outputs") or []
        for output in outputs:
            kind, logs, url = output.get("type"), output.get("logs"), output.get("url")
            converted: CodeInterpreterOutput | None = None
            if kind == "logs" and isinstance(logs, str):
                converted = {"type": "logs", "logs": logs}
            elif kind == "image" and isinstance(url, str):
                file_id = self._citations.generated_files.register_inline_image(url)
                if file_id is not None:
                    converted = {"type": "image", "image": {"file_id": file_id}}
            if converted is not None:  # a step cannot show other outputs
                events.append(self._build_delta(outputs=[{"index": len(self._outputs), **converted}]))
                self._outputs.append(converted)
        return events

    def build_replay_item(self, item: JsonMapping, /) -> JsonMapping:
        """Without images, which are megabytes of text that the model has seen."""
        outputs: list[CodeOutput] | None = item.get("outputs")
        replayable = [output for output in outputs if output.get("type") != "image"] if outputs else outputs
        return {**item, "outputs": replayable}


def _is_replayable(item: JsonMapping, container_id: str | None) -> bool:
    """The service rejects code that ran in another container than the one in the request (§9)."""
    return container_id is None or item.get("container_id") in (None, container_id)


def probe_code_interpreter(options: ProbeOptions) -> ProbeGenerator[Finding]:
    """Lists containers and sends the tool that would run code in one; creates none."""
    listed = judge_list((yield ProbeRequest("GET", "/containers?limit=1")), "/containers")
    if not listed.is_supported:
        return listed
    tool = {"type": "code_interpreter", "container": {"type": "auto"}}
    return judge_acceptance((yield options.build_request(tools=[tool], tool_choice="none")), "the tool")


CODE_INTERPRETER = HostedTool(
    type="code_interpreter",
    definition=build_variant(),
    resources=_RESOURCES,
    new_resources=_RESOURCES,
    resource_kind="file_ids",
    empty_resources={"file_ids": []},
    build_request=_build_request,
    include="code_interpreter_call.outputs",
    uses_container=True,
    writer=CodeInterpreterWriter,
    fragment_event="response.code_interpreter_call_code.delta",
    is_replayable=_is_replayable,
    capability="code_interpreter",
    probe=probe_code_interpreter,
    fees=ToolFees(standing_name="code_interpreter_container"),
)
