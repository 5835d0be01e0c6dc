"""Searches in vector stores, for the search endpoint and for `file_search`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from threadbridge.ports import Wire
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator import _validators as validators
from threadbridge_adapters.simulator._attribute_filters import check_filter, matches_filter
from threadbridge_adapters.simulator._full_text_search import FullTextIndex, SearchHit
from threadbridge_adapters.simulator._vector_stores import VectorStore, VectorStores

MAX_RESULTS: Final = 50
DEFAULT_RESULTS: Final = 10


def check_query(path: str, value: Any) -> None:
    """Check for one or several queries."""
    if isinstance(value, str):
        return
    if not isinstance(value, list):
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

    def search(self, store_id: str, raw: Any) -> Wire:
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

    def search_for_tool(self, tool: Wire, queries: Sequence[str]) -> list[Wire]:
        """The results of a `file_search` call with this tool, best first, in the form of the call's item."""
        stores = [self._stores.get_active(store_id) for store_id in tool["vector_store_ids"]]
        out: list[Wire] = []
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
        self, stores: Sequence[VectorStore], queries: Sequence[str], options: Wire, *, default_limit: int
    ) -> list[tuple[VectorStore, SearchHit]]:
        """The best chunks of all stores for all queries, each once with its best score."""
        limit = options.get("max_num_results") or default_limit
        min_score = (options.get("ranking_options") or {}).get("score_threshold") or 0
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


def _describe_hit(store: VectorStore, hit: SearchHit) -> Wire:
    file = store.files[hit.file_id]
    return {
        "file_id": hit.file_id,
        "filename": file.file.filename,
        "score": hit.score,
        "attributes": file.attributes,
    }
