"""Hosted tools: checks their stores, containers and files, performs the planned calls and cites their results."""

from __future__ import annotations

import base64
import hashlib
import re
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from threadbridge.api_types import JsonObject
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator._containers import ContainerFile, Containers
from threadbridge_adapters.simulator._file_contents import make_file_bytes
from threadbridge_adapters.simulator._files import Files
from threadbridge_adapters.simulator._response_request import ResponseRequest
from threadbridge_adapters.simulator._scenarios import (
    Output,
    PerformedCode,
    PerformedFileSearch,
    PlannedCode,
    PlannedFileSearch,
    ScriptedResponse,
    TextMessage,
    ToolSummaryMessage,
    format_reply,
)
from threadbridge_adapters.simulator._vector_search import VectorSearch
from threadbridge_adapters.simulator._vector_stores import VectorStores

#: `[[2]]` for a search result, `[[name.csv]]` for a file that code wrote.
_MARK: Final = re.compile(r"\[\[([^\[\]\n]+)\]\]")


#: Results quoted in a default text, and characters of each.
_MAX_SUMMARY_RESULTS: Final = 5
_MAX_QUOTE_LENGTH: Final = 120
#: The error of a response whose container expired during it.
_CONTAINER_LOST_ERROR: Final = ("server_error", "Container is expired.")
#: Pixels of each side of a chart.
_CHART_SIDE: Final = 16


@dataclass(slots=True)
class _ToolResults:
    """The results of the tool calls of one response."""

    queries: list[str] = field(default_factory=list[str])
    results: list[JsonObject] = field(default_factory=list[JsonObject])
    printed_texts: list[str] = field(default_factory=list[str])
    files: dict[str, ContainerFile] = field(default_factory=dict[str, ContainerFile])
    charts: list[ContainerFile] = field(default_factory=list[ContainerFile])
    has_run_code: bool = False
    has_lost_container: bool = False

    def annotate_citations(self, text: str) -> TextMessage:
        """The text without marks, and the annotations, with indexes as recorded; charts are cited at the beginning.

        A mark without a matching result or file remains in the text.
        """
        annotations = [_container_citation(chart, 0, 0) for chart in self.charts]
        pieces: list[str] = []
        length = consumed = 0
        for mark in _MARK.finditer(text):
            before = text[consumed : mark.start()]
            name = mark[1]
            if name in self.files:
                link = f"sandbox:{self.files[name].path}"
                start = length + len(before)
                annotations.append(_container_citation(self.files[name], start, start + len(link)))
            elif name.isdecimal() and 1 <= int(name) <= len(self.results):
                link = ""
                result = self.results[int(name) - 1]
                citation = {"type": "file_citation", "file_id": result["file_id"], "filename": result["filename"]}
                annotations.append({**citation, "index": length + len(before)})
            else:
                continue
            pieces += [before, link]
            length += len(before) + len(link)
            consumed = mark.end()
        return TextMessage("".join([*pieces, text[consumed:]]), annotations)


class HostedTools:
    """`file_search` over the vector stores, `code_interpreter` over the containers."""

    def __init__(self, files: Files, stores: VectorStores, searches: VectorSearch, containers: Containers) -> None:
        self._files = files
        self._stores = stores
        self._searches = searches
        self._containers = containers

    def check_resources(
        self, tools: Sequence[JsonObject], history: Sequence[JsonObject], items: Sequence[JsonObject]
    ) -> None:
        """Raise the service's errors for missing or expired stores, containers and files, and foreign code calls.

        An `auto` container is the one of the last code call in the context, also if that container is gone
        (community.openai.com, "Container is expired").
        """
        calls = [item for item in items if item.get("type") == "code_interpreter_call"]
        for tool in tools:
            if tool["type"] == "file_search":
                for store_id in tool["vector_store_ids"]:
                    if store_id not in self._stores:
                        raise errors.tools_vector_store_not_found(store_id)
                    self._stores.get_active(store_id)
            elif tool["type"] == "code_interpreter":
                container = tool["container"]
                if isinstance(container, str):
                    self._containers.get_running(container)
                    if any(call.get("container_id") != container for call in calls):
                        raise errors.ServiceError(f"Expected container_id: {container}")  # pydantic/pydantic-ai#7461
                    continue
                for file_id in container.get("file_ids") or ():
                    self._files.get_file(file_id)
                used = [item for item in (*history, *calls) if item.get("type") == "code_interpreter_call"]
                if used and not self._containers.is_running(used[-1]["container_id"]):
                    raise errors.container_expired()

    def run_tools(
        self, answer: ScriptedResponse, request: ResponseRequest, context: Sequence[JsonObject]
    ) -> ScriptedResponse:
        """The response plan with its searches and code performed and its text with citations."""
        if not any(isinstance(output, PlannedFileSearch | PlannedCode) for output in answer.outputs):
            return answer
        tool_results = _ToolResults()
        outputs: list[Output] = []
        for output in answer.outputs:
            match output:
                case PlannedFileSearch(queries=queries):
                    results = self._searches.search_for_tool(_find_tool(request, "file_search"), queries)
                    tool_results.queries += queries
                    tool_results.results += results
                    outputs.append(PerformedFileSearch(queries, results))
                case PlannedCode():
                    tool = _find_tool(request, "code_interpreter")
                    outputs.append(self._run_code(output, tool["container"], tool_results, context))
                case ToolSummaryMessage():
                    outputs.append(_compose_summary(tool_results, request))
                case TextMessage(text=text, annotations=()):
                    outputs.append(tool_results.annotate_citations(text))
                case _:
                    outputs.append(output)
            if tool_results.has_lost_container:
                return replace(answer, outputs=outputs, status="failed", error=_CONTAINER_LOST_ERROR)
        return replace(answer, outputs=outputs)

    def _run_code(
        self,
        plan: PlannedCode,
        container_param: str | JsonObject,
        tool_results: _ToolResults,
        context: Sequence[JsonObject],
    ) -> PerformedCode:
        """Perform planned code in the named container; for `auto` in the last running one of this context, else in a
        new one.
        """
        if isinstance(container_param, str):
            container = self._containers.get_running(container_param)
        else:
            used_ids = (
                item["container_id"] for item in reversed(context) if item.get("type") == "code_interpreter_call"
            )
            running_id = next(filter(self._containers.is_running, used_ids), None)
            container = (
                self._containers.get_running(running_id)
                if running_id is not None
                else self._containers.create_container(
                    "auto",
                    file_ids=container_param.get("file_ids") or (),
                    memory_limit=container_param.get("memory_limit"),
                )
            )
        if plan.loses_container and container.has_run_code:
            self._containers.delete(container.id)
            tool_results.has_lost_container = True
            return PerformedCode(plan.code, container.id, ())
        container.has_run_code = True
        outputs: list[JsonObject] = [{"type": "logs", "logs": text} for text in plan.printed_texts]
        for name, text in plan.written_files:
            tool_results.files[name] = self._containers.put_file(
                container, name, make_file_bytes(text.encode()), source="assistant"
            )
        for name in plan.drawn_charts:
            image = make_file_bytes(make_chart_png(name))
            tool_results.charts.append(self._containers.put_image(container, image))
            encoded = base64.b64encode(image.read()).decode()
            outputs.append({"type": "image", "url": f"data:image/png;base64,{encoded}"})
            if name:
                tool_results.files[name] = self._containers.put_file(container, name, image, source="assistant")
        tool_results.printed_texts += plan.printed_texts
        tool_results.has_run_code = True
        return PerformedCode(plan.code, container.id, outputs)


def _find_tool(request: ResponseRequest, kind: str) -> JsonObject:
    for tool in request.tools:
        if tool["type"] == kind:
            return tool
    raise errors.ServiceError(f"The script uses the tool '{kind}', which the request does not have.")


def _compose_summary(tool_results: _ToolResults, request: ResponseRequest) -> TextMessage:
    """A text that quotes each of the best results by its line with the most query words, and links all files."""
    lines: list[str] = []
    if tool_results.queries:
        words = {word for query in tool_results.queries for word in query.lower().split()}
        quotes: list[str] = []
        for number, result in enumerate(tool_results.results[:_MAX_SUMMARY_RESULTS], 1):
            candidates = [line.strip() for line in result["text"].splitlines() if line.strip()] or [""]
            best = max(candidates, key=lambda line: len(words & set(line.lower().split())))
            quote = best[:_MAX_QUOTE_LENGTH].rstrip(" .;").replace("[[", "[").replace("]]", "]")
            quotes.append(f"{quote}[[{number}]]")
        lines.append(f"FOUND: {'; '.join(quotes) or 'nothing'}.")
    if tool_results.has_run_code:
        links = "".join(f" [{name}]([[{name}]])" for name in tool_results.files)
        lines.append(f"RESULT: {'; '.join(tool_results.printed_texts)}{links}")
    text = "\n".join(lines)
    reply = format_reply(request, text)
    return tool_results.annotate_citations(text) if reply == text else TextMessage(reply)


def _container_citation(file: ContainerFile, start: int, end: int) -> JsonObject:
    return {
        "type": "container_file_citation",
        "container_id": file.container_id,
        "end_index": end,
        "file_id": file.id,
        "filename": file.name,
        "start_index": start,
    }


def make_chart_png(name: str) -> bytes:
    """A valid PNG in one colour that depends on the name."""
    colour = hashlib.md5(name.encode(), usedforsecurity=False).digest()[:3]
    rows = (b"\0" + colour * _CHART_SIDE) * _CHART_SIDE
    header = struct.pack(">IIBBBBB", _CHART_SIDE, _CHART_SIDE, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _encode_chunk(b"IHDR", header)
        + _encode_chunk(b"IDAT", zlib.compress(rows))
        + _encode_chunk(b"IEND", b"")
    )


def _encode_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
