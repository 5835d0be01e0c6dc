"""`assistants`."""

from __future__ import annotations

from typing_extensions import Unpack

from threadbridge.client._async.resource import AsyncResource
from threadbridge.client._call_options import (
    AssistantParams,
    AssistantUpdateParams,
    CallParams,
    ListParams,
    accepts_params,
    parse_call_options,
)
from threadbridge.client._paging import AsyncPaginator
from threadbridge.types import Assistant, AssistantDeleted


class AsyncAssistants(AsyncResource):
    """Assistants: models with instructions and tools, stored by id."""

    @accepts_params(AssistantParams)
    async def create(self, *, model: str, **options: Unpack[AssistantParams]) -> Assistant:
        """Create an assistant (A21)."""
        call = parse_call_options(AssistantParams, options, model=model)
        return await self._call(Assistant, lambda backend, context: backend.create_assistant(context, call.body), call)

    @accepts_params(CallParams)
    async def retrieve(self, assistant_id: str, **options: Unpack[CallParams]) -> Assistant:
        """The assistant with this id. Raises NotFound."""
        call = parse_call_options(CallParams, options)
        return await self._call(
            Assistant, lambda backend, context: backend.retrieve_assistant(context, assistant_id), call
        )

    @accepts_params(AssistantUpdateParams)
    async def update(self, assistant_id: str, **options: Unpack[AssistantUpdateParams]) -> Assistant:
        """Change the given fields of the assistant; the other fields stay (A25). Raises NotFound."""
        call = parse_call_options(AssistantUpdateParams, options)
        return await self._call(
            Assistant, lambda backend, context: backend.update_assistant(context, assistant_id, call.body), call
        )

    @accepts_params(ListParams)
    def list(self, **options: Unpack[ListParams]) -> AsyncPaginator[Assistant]:
        """The assistants, newest first by default."""
        call = parse_call_options(ListParams, options)
        return self._paginate(
            Assistant, lambda query: lambda backend, context: backend.list_assistants(context, query), call
        )

    @accepts_params(CallParams)
    async def delete(self, assistant_id: str, **options: Unpack[CallParams]) -> AssistantDeleted:
        """Delete the assistant. Raises NotFound."""
        call = parse_call_options(CallParams, options)
        return await self._call(
            AssistantDeleted, lambda backend, context: backend.delete_assistant(context, assistant_id), call
        )
