"""Hosted tools: checks their stores, containers and files, and performs the planned calls."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from threadbridge.ports import Wire
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator._citations import annotate_citations
from threadbridge_adapters.simulator._containers import Container, ContainerFile, Containers
from threadbridge_adapters.simulator._default_reply import format_reply
from threadbridge_adapters.simulator._file_bytes import make_file_bytes
from threadbridge_adapters.simulator._files import Files
from threadbridge_adapters.simulator._request import ResponseRequest
from threadbridge_adapters.simulator._sample_png import make_chart_png
from threadbridge_adapters.simulator._scenarios import (
    Output,
    PerformedCode,
    PerformedFileSearch,
    PlannedCode,
    PlannedFileSearch,
    ScriptedResponse,
    TextMessage,
    ToolSummaryMessage,
)
from threadbridge_adapters.simulator._vector_search import VectorSearch
from threadbridge_adapters.simulator._vector_stores import VectorStores

#: Results quoted in a default text, and characters of each.
_MAX_SUMMARY_RESULTS: Final = 5
_MAX_QUOTE_LENGTH: Final = 120
#: The error of a response whose container expired during it.
_CONTAINER_LOST_ERROR: Final = ("server_error", "Container is expired.")


@dataclass(slots=True)
class _ToolResults:
    """The results of the tool calls of one response."""

    queries: list[str] = field(default_factory=list[str])
    results: list[Wire] = field(default_factory=list[Wire])
    printed_texts: list[str] = field(default_factory=list[str])
    files: dict[str, ContainerFile] = field(default_factory=dict[str, ContainerFile])
    charts: list[ContainerFile] = field(default_factory=list[ContainerFile])
    has_run_code: bool = False
    has_lost_container: bool = False


class HostedTools:
    """`file_search` over the vector stores, `code_interpreter` over the containers."""

    def __init__(self, files: Files, stores: VectorStores, searches: VectorSearch, containers: Containers) -> None:
        self._files = files
        self._stores = stores
        self._searches = searches
        self._containers = containers

    def check_resources(self, tools: Sequence[Wire], items: Sequence[Wire]) -> None:
        """Raise the service's errors for missing or expired stores, containers and files, and foreign code calls."""
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
                    _check_container_ids(items, container)
                else:
                    for file_id in container.get("file_ids") or ():
                        self._files.get_file(file_id)

    def run_tools(
        self, answer: ScriptedResponse, request: ResponseRequest, context: Sequence[Wire]
    ) -> ScriptedResponse:
        """The response plan with its searches and code performed and its text with citations."""
        if not any(isinstance(output, PlannedFileSearch | PlannedCode) for output in answer.outputs):
            return answer
        tool_results = _ToolResults()
        outputs: list[Output] = []
        for output in answer.outputs:
            outputs.append(self._resolve_output(output, tool_results, request, context))
            if tool_results.has_lost_container:
                return replace(answer, outputs=outputs, status="failed", error=_CONTAINER_LOST_ERROR)
        return replace(answer, outputs=outputs)

    def _resolve_output(
        self, output: Output, tool_results: _ToolResults, request: ResponseRequest, context: Sequence[Wire]
    ) -> Output:
        match output:
            case PlannedFileSearch(queries=queries):
                return self._run_file_search(queries, tool_results, request)
            case PlannedCode():
                return self._run_code(output, tool_results, request, context)
            case ToolSummaryMessage():
                return _compose_summary(tool_results, request)
            case TextMessage(text=text, annotations=()):
                return annotate_citations(text, tool_results.results, tool_results.files, tool_results.charts)
            case _:
                return output

    def _run_file_search(
        self, queries: Sequence[str], tool_results: _ToolResults, request: ResponseRequest
    ) -> PerformedFileSearch:
        results = self._searches.search_for_tool(_find_tool(request, "file_search"), queries)
        tool_results.queries += queries
        tool_results.results += results
        return PerformedFileSearch(queries, results)

    def _run_code(
        self, plan: PlannedCode, tool_results: _ToolResults, request: ResponseRequest, context: Sequence[Wire]
    ) -> PerformedCode:
        container = self._select_container(_find_tool(request, "code_interpreter")["container"], context)
        if plan.loses_container and container.has_run_code:
            self._containers.delete(container.id)
            tool_results.has_lost_container = True
            return PerformedCode(plan.code, container.id, ())
        container.has_run_code = True
        outputs: list[Wire] = [{"type": "logs", "logs": text} for text in plan.printed_texts]
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

    def _select_container(self, container_param: str | Wire, context: Sequence[Wire]) -> Container:
        """The named container; for `auto` the last one used in this context if it has not expired, else a new one."""
        if isinstance(container_param, str):
            return self._containers.get_running(container_param)
        for item in reversed(context):
            if item.get("type") == "code_interpreter_call" and self._containers.is_running(item["container_id"]):
                return self._containers.get_running(item["container_id"])
        return self._containers.create_container(
            "auto", file_ids=container_param.get("file_ids") or (), memory_limit=container_param.get("memory_limit")
        )


def _check_container_ids(items: Sequence[Wire], container_id: str) -> None:
    """Code calls in the input must have run in the named container (pydantic/pydantic-ai#7461)."""
    for item in items:
        if item.get("type") == "code_interpreter_call" and item.get("container_id") != container_id:
            raise errors.ServiceError(f"Expected container_id: {container_id}")


def _find_tool(request: ResponseRequest, kind: str) -> Wire:
    for tool in request.tools:
        if tool["type"] == kind:
            return tool
    raise errors.ServiceError(f"The script uses the tool '{kind}', which the request does not have.")


def _compose_summary(tool_results: _ToolResults, request: ResponseRequest) -> TextMessage:
    lines: list[str] = []
    if tool_results.queries:
        quotes = [
            f"{_quote_best_line(result['text'], tool_results.queries)}[[{n}]]"
            for n, result in enumerate(tool_results.results[:_MAX_SUMMARY_RESULTS], 1)
        ]
        lines.append(f"FOUND: {'; '.join(quotes) or 'nothing'}.")
    if tool_results.has_run_code:
        links = "".join(f" [{name}]([[{name}]])" for name in tool_results.files)
        lines.append(f"RESULT: {'; '.join(tool_results.printed_texts)}{links}")
    text = "\n".join(lines)
    reply = format_reply(request, text)
    return (
        annotate_citations(text, tool_results.results, tool_results.files, tool_results.charts)
        if reply == text
        else TextMessage(reply)
    )


def _quote_best_line(text: str, queries: Sequence[str]) -> str:
    """The line of a result with the most query words."""
    words = {word for query in queries for word in query.lower().split()}
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [""]
    line = max(lines, key=lambda each: len(words & set(each.lower().split())))
    return line[:_MAX_QUOTE_LENGTH].rstrip(" .;").replace("[[", "[").replace("]]", "]")
