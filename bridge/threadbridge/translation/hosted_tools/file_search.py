"""File search: the service searches vector stores (§4, A22, A76, A77, A82, A92)."""

from __future__ import annotations

from typing import cast

from threadbridge.api_types import (
    FileSearchCallResult,
    FileSearchDetails,
    FileSearchOptions,
    FileSearchResult,
    FileSearchTool,
    FileSearchToolCall,
    JsonMapping,
    RankingOptions,
    ResponseFileSearchTool,
    ResponseRankingOptions,
    RunObject,
)
from threadbridge.ports import Event, build_path
from threadbridge.schemas.schema_types import (
    METADATA,
    AnyObject,
    Array,
    Choice,
    Decimal,
    Integer,
    Object,
    String,
    TaggedUnion,
    build_variant,
)
from threadbridge.translation.citations import get_result_file_id
from threadbridge.translation.hosted_tools.hosted_tool import (
    HostedTool,
    HostedToolResources,
    HostedToolWriter,
    ToolFees,
)
from threadbridge.translation.models.data import DEFAULT_SEARCH_RESULTS, MODEL_FAMILIES
from threadbridge.translation.models.resolution import get_base_model
from threadbridge.translation.probe_protocol import (
    Finding,
    ProbeGenerator,
    ProbeOptions,
    ProbeRequest,
    delete_resource,
    judge_acceptance,
)

MAX_VECTOR_STORES = 1
MAX_SEARCH_RESULTS = 50

#: The names of the legacy ranker; the Responses API knows only a later one and `auto` (§4).
_LEGACY_RANKERS = ("auto", "default_2024_08_21")
#: What a step shows (A76).
_STEP_RANKING_OPTIONS: RankingOptions = {"ranker": "default_2024_08_21", "score_threshold": 0.0}
#: What an assistant shows (A22).
_DEFAULT_RANKING_OPTIONS: RankingOptions = {**_STEP_RANKING_OPTIONS, "hybrid_search": None}

# -- Schema --------------------------------------------------------------------------------------------------------

_RANKING_OPTIONS = Object(
    {
        "ranker": Choice(*_LEGACY_RANKERS),
        "score_threshold": Decimal(0, 1),
        # Not documented, but every echo of the tool has it, and clients send back what they read.
        "hybrid_search": AnyObject(),
    },
    required=("score_threshold",),
)
_OPTIONS = Object({"max_num_results": Integer(1, MAX_SEARCH_RESULTS), "ranking_options": _RANKING_OPTIONS})
_CHUNKING = TaggedUnion(
    {
        "auto": build_variant(),
        "static": build_variant(
            {
                "static": Object(
                    {"max_chunk_size_tokens": Integer(100, 4096), "chunk_overlap_tokens": Integer(0)},
                    required=("max_chunk_size_tokens", "chunk_overlap_tokens"),
                )
            },
            required=("static",),
        ),
    }
)
_NEW_VECTOR_STORE = Object({"file_ids": Array(String()), "chunking_strategy": _CHUNKING, "metadata": METADATA})
_VECTOR_STORE_IDS = Array(String(), MAX_VECTOR_STORES)


def _normalize(tool: JsonMapping) -> FileSearchTool:
    options: FileSearchOptions = tool.get("file_search", {})
    ranking: RankingOptions = {**_DEFAULT_RANKING_OPTIONS, **options.get("ranking_options", {})}
    if "max_num_results" not in options:
        return {"type": "file_search", "file_search": {"ranking_options": ranking}}
    max_results = options["max_num_results"]
    return {"type": "file_search", "file_search": {"max_num_results": max_results, "ranking_options": ranking}}


# -- Request -------------------------------------------------------------------------------------------------------


def _build_request(tool: JsonMapping, resources: HostedToolResources, model: str) -> ResponseFileSearchTool | None:
    """The tool; None without a vector store, which the Responses API requires: nothing would be found (§4)."""
    if not resources.vector_store_ids:
        return None
    options: FileSearchOptions = tool.get("file_search", {})
    family = MODEL_FAMILIES.get(get_base_model(model))
    default_results = family.search_results if family is not None else DEFAULT_SEARCH_RESULTS
    ranking: RankingOptions = options.get("ranking_options") or {}
    ranker = ranking.get("ranker") or "auto"
    ranking_options: ResponseRankingOptions = {
        "ranker": "auto" if ranker in _LEGACY_RANKERS else ranker,
        "score_threshold": ranking.get("score_threshold") or 0.0,
    }
    hybrid_search = ranking.get("hybrid_search")
    if hybrid_search is not None:
        ranking_options["hybrid_search"] = hybrid_search
    return {
        "type": "file_search",
        "vector_store_ids": list(resources.vector_store_ids),
        "max_num_results": options.get("max_num_results") or default_results,
        "ranking_options": ranking_options,
    }


# -- Step ----------------------------------------------------------------------------------------------------------


class FileSearchWriter(HostedToolWriter):
    """A search in vector stores. Results come with the end of the step (A92), their content on request (A77)."""

    item_type = "file_search_call"
    tool_type = "file_search"
    _results: tuple[FileSearchResult, ...] = ()

    def build_empty_details(self) -> FileSearchDetails:
        return {"ranking_options": _get_ranking_options(self._run), "results": []}

    def build_full_details(self) -> FileSearchDetails:
        return {"ranking_options": _get_ranking_options(self._run), "results": list(self._results)}

    def apply_item(self, item: JsonMapping, /) -> list[Event]:
        results: list[FileSearchCallResult] = item.get("results") or []
        self._citations.add_search_results(results)
        self._results = tuple(
            {
                "file_id": get_result_file_id(result),
                "file_name": result.get("filename") or "",
                "score": result.get("score"),
                "attributes": result.get("attributes") or {},
                "content": [{"type": "text", "text": result.get("text") or ""}],
            }
            for result in results
        )
        return []


def _get_ranking_options(run: RunObject) -> RankingOptions:
    """Those of the run's tool, without `hybrid_search` (A76)."""
    options: RankingOptions = _STEP_RANKING_OPTIONS
    for tool in run["tools"]:
        if tool["type"] == "file_search":
            options = tool.get("file_search", {}).get("ranking_options") or _STEP_RANKING_OPTIONS
            break
    return {
        "ranker": options.get("ranker", "default_2024_08_21"),
        "score_threshold": options.get("score_threshold", 0.0),
    }


def _strip_results(call: JsonMapping) -> FileSearchToolCall:
    search: FileSearchDetails | None = call["file_search"]
    if not search or not search["results"]:  # null in steps that were loaded
        return cast("FileSearchToolCall", call)
    # Every key but one, also those that no type lists.
    results = [{name: value for name, value in result.items() if name != "content"} for result in search["results"]]
    return cast("FileSearchToolCall", {**call, "file_search": {**search, "results": results}})


# -- Service -------------------------------------------------------------------------------------------------------


def probe_file_search(options: ProbeOptions) -> ProbeGenerator[Finding]:
    """Creates a vector store, sends the tool that would search it, and deletes the store."""
    vector_store = yield ProbeRequest("POST", "/vector_stores", {"name": "threadbridge doctor"})
    if vector_store.error is not None or "id" not in vector_store.body:
        return Finding(
            is_supported=False, reason=f"`POST /vector_stores`: {vector_store.error_text or 'no id came back'}"
        )
    tool = {"type": "file_search", "vector_store_ids": [vector_store.body["id"]]}
    response = yield options.build_request(tools=[tool], tool_choice="none")
    yield from delete_resource(build_path("vector_stores", str(vector_store.body["id"])))
    return judge_acceptance(response, "the tool")


FILE_SEARCH = HostedTool(
    type="file_search",
    definition=build_variant({"file_search": _OPTIONS}),
    resources=Object({"vector_store_ids": _VECTOR_STORE_IDS}),
    # At creation a vector store may be described instead of named by its ID (A21, A28).
    new_resources=Object(
        {"vector_store_ids": _VECTOR_STORE_IDS, "vector_stores": Array(_NEW_VECTOR_STORE, MAX_VECTOR_STORES)},
        exclusive=("vector_store_ids", "vector_stores"),
    ),
    resource_kind="vector_store_ids",
    normalize=_normalize,
    build_request=_build_request,
    include="file_search_call.results",
    writer=FileSearchWriter,
    strip_content=_strip_results,
    content_include="step_details.tool_calls[*].file_search.results[*].content",
    capability="file_search",
    probe=probe_file_search,
    fees=ToolFees(call_name="file_search_call", get_call_price=lambda fees: fees.file_search_call),
)
