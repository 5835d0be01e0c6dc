"""Pages of a list, which fetch the next page themselves (A10, A11)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterator
from dataclasses import replace
from typing import Any, Generic, Self, TypeAlias, TypeVar

from pydantic import PrivateAttr

from threadbridge.api_types import JsonMapping
from threadbridge.client._backend_caller import AsyncBackendCaller, BackendCall, BackendCaller
from threadbridge.ports import ListQuery
from threadbridge.types import WireModel

ItemT = TypeVar("ItemT", bound=WireModel)

#: The backend call for the page that a query describes.
PageCall: TypeAlias = Callable[[ListQuery], BackendCall[JsonMapping]]


class _Page(WireModel, Generic[ItemT]):
    """The envelope of a list (A10)."""

    object: str = "list"
    data: list[ItemT] = []  # noqa: RUF012  # pydantic copies defaults
    first_id: str | None = None
    last_id: str | None = None
    has_more: bool | None = None

    _paginator: Any = PrivateAttr(None)

    @classmethod
    def from_wire(cls, wire: JsonMapping, item: type[ItemT], paginator: Any) -> Self:
        """The page in an envelope of the wire; `paginator` fetches the next one."""
        data = [item.model_validate(entry) for entry in wire["data"]]
        page = cls.model_construct(set(wire), **{**wire, "data": data})
        page._paginator = paginator
        return page

    def has_next_page(self) -> bool:
        """Whether there may be another page. Without `has_more`, an empty page is the last one (C5)."""
        return bool(self.data) and self.has_more is not False

    def _next_query(self, query: ListQuery) -> ListQuery:
        if not self.has_next_page():
            raise RuntimeError("there is no further page; ask has_next_page() first")
        return replace(query, after=getattr(self.data[-1], "id"), before=None)  # noqa: B009  # ItemT has no bound id


class AsyncCursorPage(_Page[ItemT], Generic[ItemT]):
    """One page. Iteration continues through all further pages."""

    async def get_next_page(self) -> AsyncCursorPage[ItemT]:
        """The page after this one. Raises RuntimeError if there is none."""
        paginator: AsyncPaginator[ItemT] = self._paginator
        return await paginator.get_page(self._next_query(paginator.query))

    async def iter_pages(self) -> AsyncIterator[AsyncCursorPage[ItemT]]:
        """This page and all after it."""
        page = self
        yield page
        while page.has_next_page():
            page = await page.get_next_page()
            yield page

    async def __aiter__(self) -> AsyncIterator[ItemT]:
        async for page in self.iter_pages():
            for item in page.data:
                yield item


class AsyncPaginator(Generic[ItemT]):
    """The result of `list`: await it for the first page, or iterate over all items."""

    def __init__(
        self,
        caller: AsyncBackendCaller,
        item: type[ItemT],
        page_call: PageCall,
        query: ListQuery,
        timeout: float | None,
    ) -> None:
        self.query = query
        self._caller = caller
        self._item = item
        self._page_call = page_call
        self._timeout = timeout

    def __await__(self) -> Generator[Any, None, AsyncCursorPage[ItemT]]:
        return self._get_first_page().__await__()

    async def __aiter__(self) -> AsyncIterator[ItemT]:
        async for item in await self._get_first_page():
            yield item

    async def get_page(self, query: ListQuery) -> AsyncCursorPage[ItemT]:
        """The page that another query describes."""
        return await AsyncPaginator(self._caller, self._item, self._page_call, query, self._timeout)

    async def _get_first_page(self) -> AsyncCursorPage[ItemT]:
        wire = await self._caller.call(self._page_call(self.query), self._timeout)
        return AsyncCursorPage[ItemT].from_wire(wire, self._item, self)


class CursorPage(_Page[ItemT], Generic[ItemT]):
    """One page. Iteration continues through all further pages."""

    def get_next_page(self) -> CursorPage[ItemT]:
        """The page after this one. Raises RuntimeError if there is none."""
        paginator: Paginator[ItemT] = self._paginator
        return paginator.get_page(self._next_query(paginator.query))

    def iter_pages(self) -> Iterator[CursorPage[ItemT]]:
        """This page and all after it."""
        page = self
        yield page
        while page.has_next_page():
            page = page.get_next_page()
            yield page

    def __iter__(self) -> Iterator[ItemT]:  # type: ignore[override]  # a page is a list first, a model second
        for page in self.iter_pages():
            yield from page.data


class Paginator(Generic[ItemT]):
    """The call of a list, which fetches each of its pages."""

    def __init__(
        self, caller: BackendCaller, item: type[ItemT], page_call: PageCall, query: ListQuery, timeout: float | None
    ) -> None:
        self.query = query
        self._caller = caller
        self._item = item
        self._page_call = page_call
        self._timeout = timeout

    def get_first_page(self) -> CursorPage[ItemT]:
        """The page that the query describes."""
        wire = self._caller.call(self._page_call(self.query), self._timeout)
        return CursorPage[ItemT].from_wire(wire, self._item, self)

    def get_page(self, query: ListQuery) -> CursorPage[ItemT]:
        """The page that another query describes."""
        return Paginator(self._caller, self._item, self._page_call, query, self._timeout).get_first_page()


def paginate_async(
    caller: AsyncBackendCaller, item: type[ItemT], page_call: PageCall, query: ListQuery, timeout: float | None
) -> AsyncPaginator[ItemT]:
    """What the asynchronous `list` returns: await it for a page, or iterate over all items."""
    return AsyncPaginator(caller, item, page_call, query, timeout)


def paginate(
    caller: BackendCaller, item: type[ItemT], page_call: PageCall, query: ListQuery, timeout: float | None
) -> CursorPage[ItemT]:
    """What the synchronous `list` returns: the first page."""
    return Paginator(caller, item, page_call, query, timeout).get_first_page()
