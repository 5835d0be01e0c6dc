# Generated from ../_async by .ci/unasync.py: edit there.
"""`assistants`."""

from __future__ import annotations

from typing_extensions import Unpack

from threadbridge.client._backend_caller import BackendCaller
from threadbridge.client._call_options import parse_call_options
from threadbridge.client._paging import CursorPage, paginate
from threadbridge.client._params import AssistantParams, AssistantUpdateParams, CallParams, ListParams, accepts_params
from threadbridge.client._raw_response import WithoutRawResponses
from threadbridge.types import Assistant, AssistantDeleted


class Assistants(WithoutRawResponses):
    """Models with instructions and tools, kept by id."""

    def __init__(self, caller: BackendCaller) -> None:
        self._caller = caller

    @accepts_params(AssistantParams)
    def create(self, *, model: str, **options: Unpack[AssistantParams]) -> Assistant:
        """A new assistant."""
        call = parse_call_options(AssistantParams, options, model=model)
        return Assistant.model_validate(
            self._caller.call(lambda backend, context: backend.create_assistant(context, call.body), call.timeout)
        )

    @accepts_params(CallParams)
    def retrieve(self, assistant_id: str, **options: Unpack[CallParams]) -> Assistant:
        """The assistant of this id."""
        call = parse_call_options(CallParams, options)
        return Assistant.model_validate(
            self._caller.call(lambda backend, context: backend.retrieve_assistant(context, assistant_id), call.timeout)
        )

    @accepts_params(AssistantUpdateParams)
    def update(self, assistant_id: str, **options: Unpack[AssistantUpdateParams]) -> Assistant:
        """The assistant with what is given changed, and the rest as it was (A25)."""
        call = parse_call_options(AssistantUpdateParams, options)
        return Assistant.model_validate(
            self._caller.call(
                lambda backend, context: backend.update_assistant(context, assistant_id, call.body), call.timeout
            )
        )

    @accepts_params(ListParams)
    def list(self, **options: Unpack[ListParams]) -> CursorPage[Assistant]:
        """Assistants, newest first unless asked otherwise."""
        call = parse_call_options(ListParams, options)
        return paginate(
            self._caller,
            Assistant,
            lambda query: lambda backend, context: backend.list_assistants(context, query),
            call.query,
            call.timeout,
        )

    @accepts_params(CallParams)
    def delete(self, assistant_id: str, **options: Unpack[CallParams]) -> AssistantDeleted:
        """Forget the assistant."""
        call = parse_call_options(CallParams, options)
        return AssistantDeleted.model_validate(
            self._caller.call(lambda backend, context: backend.delete_assistant(context, assistant_id), call.timeout)
        )
