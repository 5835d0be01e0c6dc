# Generated from ../_async by .ci/unasync.py: edit there.
"""`assistants`."""

from __future__ import annotations

from typing_extensions import Unpack

from threadbridge.client._backend_caller import Line
from threadbridge.client._call_options import asked
from threadbridge.client._paging import CursorPage, listing
from threadbridge.client._params import AssistantKeywords, AssistantUpdateKeywords, CallKeywords, ListKeywords, takes
from threadbridge.client._raw_response import WithoutRawResponses
from threadbridge.types import Assistant, AssistantDeleted


class Assistants(WithoutRawResponses):
    """Models with instructions and tools, kept by id."""

    def __init__(self, line: Line) -> None:
        self._line = line

    @takes(AssistantKeywords)
    def create(self, *, model: str, **options: Unpack[AssistantKeywords]) -> Assistant:
        """A new assistant."""
        call = asked(AssistantKeywords, options, model=model)
        return Assistant.model_validate(
            self._line.ask(lambda backend: backend.create_assistant(call.body), call.timeout)
        )

    @takes(CallKeywords)
    def retrieve(self, assistant_id: str, **options: Unpack[CallKeywords]) -> Assistant:
        """The assistant of this id."""
        call = asked(CallKeywords, options)
        return Assistant.model_validate(
            self._line.ask(lambda backend: backend.retrieve_assistant(assistant_id), call.timeout)
        )

    @takes(AssistantUpdateKeywords)
    def update(self, assistant_id: str, **options: Unpack[AssistantUpdateKeywords]) -> Assistant:
        """The assistant with what is given changed, and the rest as it was (A25)."""
        call = asked(AssistantUpdateKeywords, options)
        return Assistant.model_validate(
            self._line.ask(lambda backend: backend.update_assistant(assistant_id, call.body), call.timeout)
        )

    @takes(ListKeywords)
    def list(self, **options: Unpack[ListKeywords]) -> CursorPage[Assistant]:
        """Assistants, newest first unless asked otherwise."""
        call = asked(ListKeywords, options)
        return listing(
            self._line,
            Assistant,
            lambda query: lambda backend: backend.list_assistants(query),
            call.query,
            call.timeout,
        )

    @takes(CallKeywords)
    def delete(self, assistant_id: str, **options: Unpack[CallKeywords]) -> AssistantDeleted:
        """Forget the assistant."""
        call = asked(CallKeywords, options)
        return AssistantDeleted.model_validate(
            self._line.ask(lambda backend: backend.delete_assistant(assistant_id), call.timeout)
        )
