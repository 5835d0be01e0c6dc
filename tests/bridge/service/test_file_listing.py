from __future__ import annotations

from typing import cast

import pytest

from threadbridge.api_types import ListObject
from threadbridge.ports import Page
from threadbridge.service.generated_files import (
    FileObject,
    FileQuery,
    OwnFiles,
    UpstreamFilesQuery,
    merge_file_pages,
    parse_file_query,
    plan_upstream_query,
)


def file(name: str, created_at: int) -> FileObject:
    return cast("FileObject", {"id": name, "created_at": created_at})


OWN = OwnFiles(Page([file("own-3", 3), file("own-1", 1)], has_more=False), cursor_is_own=False)
THEIRS: Page[FileObject] = Page([file("their-4", 4), file("their-2", 2)], has_more=False)
NOTHING: Page[FileObject] = Page([], has_more=False)


def ids(page: ListObject[FileObject]) -> list[str]:
    return [each["id"] for each in page["data"]]


def test_a_list_that_one_page_holds_is_by_time() -> None:
    page = merge_file_pages(FileQuery(), OWN, THEIRS)

    assert ids(page) == ["their-4", "own-3", "their-2", "own-1"]
    assert (page["first_id"], page["last_id"], page["has_more"]) == ("their-4", "own-1", False)


def test_of_a_longer_list_ours_come_first() -> None:
    page = merge_file_pages(FileQuery(limit=3), OWN, THEIRS)

    assert (ids(page), page["has_more"]) == (["own-3", "own-1", "their-4"], True)


def test_in_ascending_order_ours_come_behind_the_others() -> None:
    query = FileQuery(limit=3, order="asc")
    ascending = OwnFiles(Page([file("own-1", 1), file("own-3", 3)], has_more=False), cursor_is_own=False)
    more = Page([file("their-2", 2), file("their-4", 4), file("their-5", 5)], has_more=True)

    assert ids(merge_file_pages(query, ascending, more)) == ["their-2", "their-4", "their-5"]
    assert ids(merge_file_pages(query, ascending, Page(more.data[:2], has_more=False))) == [
        "their-2",
        "their-4",
        "own-1",
    ]


@pytest.mark.parametrize(
    ("query", "own", "missing"),
    [
        (FileQuery(limit=5), OWN, UpstreamFilesQuery(3, None)),
        (FileQuery(limit=2), OWN, UpstreamFilesQuery(1, None)),  # only whether there is more
        (FileQuery(limit=2), OwnFiles(Page(OWN.page.data, has_more=True), cursor_is_own=False), None),
        (FileQuery(limit=2, order="asc", after="their-2"), OWN, UpstreamFilesQuery(2, "their-2")),
        (FileQuery(limit=2, order="asc", after="own-1"), OwnFiles(OWN.page, cursor_is_own=True), None),
    ],
)
def test_the_service_is_asked_for_what_a_page_lacks(
    query: FileQuery, own: OwnFiles, missing: UpstreamFilesQuery | None
) -> None:
    assert plan_upstream_query(query, own) == missing


@pytest.mark.parametrize(
    "given", [{"limit": "0"}, {"limit": "10001"}, {"limit": "many"}, {"order": "up"}, {"purpose": "batch"}]
)
def test_queries_that_are_none_of_our_affair_are_left_to_the_service(given: dict[str, str]) -> None:
    assert parse_file_query(given) is None


def test_a_page_holds_ten_thousand_files_where_nothing_else_is_said() -> None:
    assert parse_file_query({"purpose": "assistants_output", "after": "x"}) == FileQuery(10_000, "desc", "x")
