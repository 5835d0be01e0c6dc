"""The tools the service runs itself: what they need must exist, and what the answer plans with them is performed."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from threadbridge.ports import Wire
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator._citations import cited
from threadbridge_adapters.simulator._containers import Container, ContainerFile, Containers
from threadbridge_adapters.simulator._default_reply import formatted
from threadbridge_adapters.simulator._file_bytes import content_of
from threadbridge_adapters.simulator._files import Files
from threadbridge_adapters.simulator._request import Request
from threadbridge_adapters.simulator._sample_png import chart
from threadbridge_adapters.simulator._scenarios import (
    Answer,
    CodeCall,
    Findings,
    Output,
    Python,
    Search,
    SearchCall,
    Text,
)
from threadbridge_adapters.simulator._vector_search import Searches
from threadbridge_adapters.simulator._vector_stores import VectorStores

#: Results an answer tells of when nobody wrote its text, and characters of each.
_TOLD: Final = 5
_QUOTED: Final = 120
#: How a response fails whose container died in the middle of it.
_DEATH: Final = ("server_error", "Container is expired.")


@dataclass(slots=True)
class _Work:
    """What the tools of one answer gave so far."""

    queries: list[str] = field(default_factory=list[str])
    results: list[Wire] = field(default_factory=list[Wire])
    prints: list[str] = field(default_factory=list[str])
    files: dict[str, ContainerFile] = field(default_factory=dict[str, ContainerFile])
    charts: list[ContainerFile] = field(default_factory=list[ContainerFile])
    computed: bool = False
    died: bool = False


class HostedTools:
    """`file_search` over the vector stores, `code_interpreter` over the containers."""

    def __init__(self, files: Files, stores: VectorStores, searches: Searches, containers: Containers) -> None:
        self._files = files
        self._stores = stores
        self._searches = searches
        self._containers = containers

    def check(self, tools: Sequence[Wire], items: Sequence[Wire]) -> None:
        """Refuse stores, containers and files that are not there or have expired, and code that ran elsewhere."""
        for tool in tools:
            if tool["type"] == "file_search":
                for store_id in tool["vector_store_ids"]:
                    if store_id not in self._stores:
                        raise errors.tools_vector_store_not_found(store_id)
                    self._stores.active(store_id)
            elif tool["type"] == "code_interpreter":
                container = tool["container"]
                if isinstance(container, str):
                    self._containers.running(container)
                    _check_places(items, container)
                else:
                    for file_id in container.get("file_ids") or ():
                        self._files.file(file_id)

    def perform(self, answer: Answer, request: Request, context: Sequence[Wire]) -> Answer:
        """The answer with its searches and its code performed, and its text with citations."""
        if not any(isinstance(output, Search | Python) for output in answer.outputs):
            return answer
        work = _Work()
        outputs: list[Output] = []
        for output in answer.outputs:
            outputs.append(self._output(output, work, request, context))
            if work.died:
                return replace(answer, outputs=outputs, status="failed", error=_DEATH)
        return replace(answer, outputs=outputs)

    def _output(self, output: Output, work: _Work, request: Request, context: Sequence[Wire]) -> Output:
        match output:
            case Search(queries=queries):
                return self._search(queries, work, request)
            case Python():
                return self._compute(output, work, request, context)
            case Findings():
                return _told(work, request)
            case Text(text=text, annotations=()):
                return cited(text, work.results, work.files, work.charts)
            case _:
                return output

    def _search(self, queries: Sequence[str], work: _Work, request: Request) -> SearchCall:
        results = self._searches.results(_tool(request, "file_search"), queries)
        work.queries += queries
        work.results += results
        return SearchCall(queries, results)

    def _compute(self, planned: Python, work: _Work, request: Request, context: Sequence[Wire]) -> CodeCall:
        container = self._container(_tool(request, "code_interpreter")["container"], context)
        if planned.dies and container.ran:
            self._containers.delete(container.id)
            work.died = True
            return CodeCall(planned.code, container.id, ())
        container.ran = True
        outputs: list[Wire] = [{"type": "logs", "logs": text} for text in planned.prints]
        for name, text in planned.writes:
            work.files[name] = self._containers.put(container, name, content_of(text.encode()), source="assistant")
        for name in planned.draws:
            image = content_of(chart(name))
            work.charts.append(self._containers.draw(container, image))
            encoded = base64.b64encode(image.read()).decode()
            outputs.append({"type": "image", "url": f"data:image/png;base64,{encoded}"})
            if name:
                work.files[name] = self._containers.put(container, name, image, source="assistant")
        work.prints += planned.prints
        work.computed = True
        return CodeCall(planned.code, container.id, outputs)

    def _container(self, wanted: str | Wire, context: Sequence[Wire]) -> Container:
        """The named container; for `auto` the one last used in this context if it still runs, or a new one."""
        if isinstance(wanted, str):
            return self._containers.running(wanted)
        for item in reversed(context):
            if item.get("type") == "code_interpreter_call" and self._containers.is_running(item["container_id"]):
                return self._containers.running(item["container_id"])
        return self._containers.open(
            "auto", file_ids=wanted.get("file_ids") or (), memory_limit=wanted.get("memory_limit")
        )


def _check_places(items: Sequence[Wire], container_id: str) -> None:
    """Calls that are told of must have run in the container that is named (pydantic/pydantic-ai#7461)."""
    for item in items:
        if item.get("type") == "code_interpreter_call" and item.get("container_id") != container_id:
            raise errors.ServiceError(f"Expected container_id: {container_id}")


def _tool(request: Request, kind: str) -> Wire:
    for tool in request.tools:
        if tool["type"] == kind:
            return tool
    raise errors.ServiceError(f"The script uses the tool '{kind}', which the request does not have.")


def _told(work: _Work, request: Request) -> Text:
    lines: list[str] = []
    if work.queries:
        found = [f"{_quoted(result['text'], work.queries)}[[{n}]]" for n, result in enumerate(work.results[:_TOLD], 1)]
        lines.append(f"FOUND: {'; '.join(found) or 'nothing'}.")
    if work.computed:
        links = "".join(f" [{name}]([[{name}]])" for name in work.files)
        lines.append(f"RESULT: {'; '.join(work.prints)}{links}")
    text = "\n".join(lines)
    said = formatted(request, text)
    return cited(text, work.results, work.files, work.charts) if said == text else Text(said)


def _quoted(text: str, queries: Sequence[str]) -> str:
    """The line of a result that says most about the queries."""
    words = {word for query in queries for word in query.lower().split()}
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [""]
    line = max(lines, key=lambda each: len(words & set(each.lower().split())))
    return line[:_QUOTED].rstrip(" .;").replace("[[", "[").replace("]]", "]")
