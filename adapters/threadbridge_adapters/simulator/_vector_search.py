"""Searches in vector stores: the search endpoint's, and those of `file_search`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from threadbridge.ports import Wire
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator import _validators as checks
from threadbridge_adapters.simulator._attribute_filters import check_filter, matches
from threadbridge_adapters.simulator._full_text_search import Hit, Index
from threadbridge_adapters.simulator._vector_stores import VectorStore, VectorStores

MOST_RESULTS: Final = 50
USUAL_RESULTS: Final = 10


def check_query(path: str, value: Any) -> None:
    """One query, or several."""
    if isinstance(value, str):
        return
    if not isinstance(value, list):
        raise errors.wrong_type(path, "one of a string or array of strings", value)
    checks.strings()(path, value)


RANKING: Mapping[str, checks.Check] = {
    "ranker": checks.one_of("none", "auto", "default-2024-11-15"),
    "score_threshold": checks.decimal(least=0, most=1),
    "hybrid_search": checks.shape(
        {"embedding_weight": checks.decimal(least=0, most=1), "text_weight": checks.decimal(least=0, most=1)},
        required=("embedding_weight", "text_weight"),
    ),
}
_SEARCH: Mapping[str, checks.Check] = {
    "query": check_query,
    "rewrite_query": checks.boolean,
    "max_num_results": checks.integer(least=1, most=MOST_RESULTS),
    "filters": check_filter,
    "ranking_options": checks.shape(RANKING),
}


class Searches:
    """Searches over the files that are ready."""

    def __init__(self, stores: VectorStores, index: Index) -> None:
        self._stores = stores
        self._index = index

    def search(self, store_id: str, raw: Any) -> Wire:
        """`POST /v1/vector_stores/{id}/search`."""
        body = checks.members("", raw, _SEARCH, required=("query",))
        store = self._stores.active(store_id)
        queries = [body["query"]] if isinstance(body["query"], str) else body["query"]
        found = self.found([store], queries, body, usual=USUAL_RESULTS)
        data = [
            {**head, "content": [{"type": "text", "text": text}]}
            for head, text in ((_head(store, hit), hit.text) for store, hit in found)
        ]
        return {
            "object": "vector_store.search_results.page",
            "search_query": queries,
            "data": data,
            "has_more": False,
            "next_page": None,
        }

    def results(self, tool: Wire, queries: Sequence[str]) -> list[Wire]:
        """The results of a `file_search` call with this tool, the best first, as the call's item shows them."""
        stores = [self._stores.active(store_id) for store_id in tool["vector_store_ids"]]
        out: list[Wire] = []
        for store, hit in self.found(stores, queries, tool, usual=20):
            head = _head(store, hit)
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

    def found(
        self, stores: Sequence[VectorStore], queries: Sequence[str], options: Wire, *, usual: int
    ) -> list[tuple[VectorStore, Hit]]:
        """The best chunks of all stores for all queries; each chunk once, with its best score."""
        most = options.get("max_num_results") or usual
        least = (options.get("ranking_options") or {}).get("score_threshold") or 0
        best: dict[tuple[str, str], tuple[VectorStore, Hit]] = {}
        for store in stores:
            among = {
                file.file.id
                for file in store.files.values()
                if file.status == "completed" and matches(options.get("filters"), file.attributes)
            }
            for query in queries:
                for hit in self._index.search(store.id, query, among=among, most=most):
                    known = best.get((hit.file_id, hit.text))
                    if hit.score >= least and (known is None or known[1].score < hit.score):
                        best[hit.file_id, hit.text] = (store, hit)
        return sorted(best.values(), key=lambda pair: -pair[1].score)[:most]


def _head(store: VectorStore, hit: Hit) -> Wire:
    file = store.files[hit.file_id]
    return {
        "file_id": hit.file_id,
        "filename": file.file.filename,
        "score": hit.score,
        "attributes": file.attributes,
    }
