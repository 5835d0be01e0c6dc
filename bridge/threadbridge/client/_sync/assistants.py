# Generated from ../_async by .ci/unasync.py: edit there.
"""`assistants`."""

from __future__ import annotations

from typing_extensions import Unpack

from threadbridge.client._call_options import (
    AssistantParams,
    AssistantUpdateParams,
    CallParams,
    ListParams,
    accepts_params,
    parse_call_options,
)
from threadbridge.client._paging import CursorPage
from threadbridge.client._sync.resource import Resource
from threadbridge.types import Assistant, AssistantDeleted


class Assistants(Resource):
    """Assistants: models with instructions and tools, stored by id."""

    @accepts_params(AssistantParams)
    def create(self, *, model: str, **options: Unpack[AssistantParams]) -> Assistant:
        """Create an assistant (A21)."""
        call = parse_call_options(AssistantParams, options, model=model)
        return self._call(Assistant, lambda backend, context: backend.create_assistant(context, call.body), call)

    @accepts_params(CallParams)
    def retrieve(self, assistant_id: str, **options: Unpack[CallParams]) -> Assistant:
        """The assistant with this id. Raises NotFound."""
        call = parse_call_options(CallParams, options)
        return self._call(Assistant, lambda backend, context: backend.retrieve_assistant(context, assistant_id), call)

    @accepts_params(AssistantUpdateParams)
    def update(self, assistant_id: str, **options: Unpack[AssistantUpdateParams]) -> Assistant:
        """Change the given fields of the assistant; the other fields stay (A25). Raises NotFound."""
        call = parse_call_options(AssistantUpdateParams, options)
        return self._call(
            Assistant, lambda backend, context: backend.update_assistant(context, assistant_id, call.body), call
        )

    @accepts_params(ListParams)
    def list(self, **options: Unpack[ListParams]) -> CursorPage[Assistant]:
        """The assistants, newest first by default."""
        call = parse_call_options(ListParams, options)
        return self._paginate(
            Assistant, lambda query: lambda backend, context: backend.list_assistants(context, query), call
        )

    @accepts_params(CallParams)
    def delete(self, assistant_id: str, **options: Unpack[CallParams]) -> AssistantDeleted:
        """Delete the assistant. Raises NotFound."""
        call = parse_call_options(CallParams, options)
        return self._call(
            AssistantDeleted, lambda backend, context: backend.delete_assistant(context, assistant_id), call
        )
