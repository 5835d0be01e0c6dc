"""Searches in vector stores, for the search endpoint and for `file_search`, with filters over attributes of files."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from threadbridge.api_types import JsonObject, is_json_list
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator import _validators as validators
from threadbridge_adapters.simulator._vector_store_files import FullTextIndex, SearchHit
from threadbridge_adapters.simulator._vector_stores import VectorStore, VectorStores

_ORDER_OPERATORS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_COMPARISONS: Final = ("eq", "ne", *_ORDER_OPERATORS, "in", "nin")
_COMPOUNDS: Final = ("and", "or")
MAX_RESULTS: Final = 50
DEFAULT_RESULTS: Final = 10


def check_filter(path: str, value: Any) -> None:
    """Check one filter and the filters nested in it."""
    kind = validators.require_object(path, value).get("type")
    if kind is None:
        raise errors.missing_parameter(f"{path}.type")
    if kind in _COMPOUNDS:
        validators.check_members(
            path, value, {"type": validators.string(), "filters": validators.anything}, required=("filters",)
        )
        for index, each in enumerate(validators.require_array(f"{path}.filters", value["filters"])):
            check_filter(f"{path}.filters[{index}]", each)
        return
    validators.one_of(*_COMPARISONS, *_COMPOUNDS)(f"{path}.type", kind)
    allowed = {"type": validators.string(), "key": validators.string(), "value": validators.anything}
    validators.check_members(path, value, allowed, required=("key", "value"))
    operand = value["value"]
    for each in operand if is_json_list(operand) else [operand]:
        if not isinstance(each, str | bool | int | float):
            raise errors.invalid_type(f"{path}.value", "one of a string, number or boolean", each)
    if is_json_list(operand) != (kind in ("in", "nin")):
        expected = "an array" if kind in ("in", "nin") else "one of a string, number or boolean"
        raise errors.invalid_type(f"{path}.value", expected, operand)


def matches_filter(filters: JsonObject | None, attributes: JsonObject) -> bool:
    """Whether a file with these attributes matches the filter."""
    if filters is None:
        return True
    kind = filters["type"]
    if kind in _COMPOUNDS:
        inner = [matches_filter(each, attributes) for each in filters["filters"]]
        return all(inner) if kind == "and" else any(inner)
    expected: Any = filters["value"]
    actual: Any = attributes.get(filters["key"])
    match kind:
        case "eq":
            return bool(actual == expected)
        case "ne":
            return bool(actual != expected)
        case "in":
            return actual in expected
        case "nin":
            return actual not in expected
        case _:
            comparable = any(isinstance(actual, types) and isinstance(expected, types) for types in ((int, float), str))
            return comparable and _ORDER_OPERATORS[kind](actual, expected)


def check_query(path: str, value: Any) -> None:
    """Check for one or several queries."""
    if isinstance(value, str):
        return
    if not is_json_list(value):
        raise errors.invalid_type(path, "one of a string or array of strings", value)
    validators.array_of_strings()(path, value)


RANKING_OPTIONS: Mapping[str, validators.Validator] = {
    "ranker": validators.one_of("none", "auto", "default-2024-11-15"),
    "score_threshold": validators.decimal(minimum=0, maximum=1),
    "hybrid_search": validators.object_with(
        {
            "embedding_weight": validators.decimal(minimum=0, maximum=1),
            "text_weight": validators.decimal(minimum=0, maximum=1),
        },
        required=("embedding_weight", "text_weight"),
    ),
}
_SEARCH_PARAMETERS: Mapping[str, validators.Validator] = {
    "query": check_query,
    "rewrite_query": validators.boolean,
    "max_num_results": validators.integer(minimum=1, maximum=MAX_RESULTS),
    "filters": check_filter,
    "ranking_options": validators.object_with(RANKING_OPTIONS),
}


class VectorSearch:
    """Searches the files whose indexing is complete."""

    def __init__(self, stores: VectorStores, index: FullTextIndex) -> None:
        self._stores = stores
        self._index = index

    def search(self, store_id: str, raw: Any) -> JsonObject:
        """`POST /v1/vector_stores/{id}/search`."""
        body = validators.check_members("", raw, _SEARCH_PARAMETERS, required=("query",))
        store = self._stores.get_active(store_id)
        queries = [body["query"]] if isinstance(body["query"], str) else body["query"]
        hits = self.find_best_chunks([store], queries, body, default_limit=DEFAULT_RESULTS)
        data = [
            {**head, "content": [{"type": "text", "text": text}]}
            for head, text in ((_describe_hit(store, hit), hit.text) for store, hit in hits)
        ]
        return {
            "object": "vector_store.search_results.page",
            "search_query": queries,
            "data": data,
            "has_more": False,
            "next_page": None,
        }

    def search_for_tool(self, tool: JsonObject, queries: Sequence[str]) -> list[JsonObject]:
        """The results of a `file_search` call with this tool, best first, in the form of the call's item."""
        stores = [self._stores.get_active(store_id) for store_id in tool["vector_store_ids"]]
        out: list[JsonObject] = []
        for store, hit in self.find_best_chunks(stores, queries, tool, default_limit=20):
            head = _describe_hit(store, hit)
            out.append(
                {
                    "attributes": head["attributes"],
                    "file_id": head["file_id"],
                    "filename": head["filename"],
                    "score": head["score"],
                    "text": hit.text,
                }
            )
        return out

    def find_best_chunks(
        self, stores: Sequence[VectorStore], queries: Sequence[str], options: JsonObject, *, default_limit: int
    ) -> list[tuple[VectorStore, SearchHit]]:
        """The best chunks of all stores for all queries, each once with its best score."""
        limit = options.get("max_num_results") or default_limit
        min_score = (options.get("ranking_options") or JsonObject()).get("score_threshold") or 0
        best: dict[tuple[str, str], tuple[VectorStore, SearchHit]] = {}
        for store in stores:
            file_ids = {
                file.file.id
                for file in store.files.values()
                if file.status == "completed" and matches_filter(options.get("filters"), file.attributes)
            }
            for query in queries:
                for hit in self._index.search(store.id, query, file_ids=file_ids, limit=limit):
                    known = best.get((hit.file_id, hit.text))
                    if hit.score >= min_score and (known is None or known[1].score < hit.score):
                        best[hit.file_id, hit.text] = (store, hit)
        return sorted(best.values(), key=lambda pair: -pair[1].score)[:limit]


def _describe_hit(store: VectorStore, hit: SearchHit) -> JsonObject:
    file = store.files[hit.file_id]
    return {
        "file_id": hit.file_id,
        "filename": file.file.filename,
        "score": hit.score,
        "attributes": file.attributes,
    }
