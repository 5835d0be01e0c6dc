"""`threads.runs.steps`."""

from __future__ import annotations

from typing_extensions import Unpack

from threadbridge.client._backend_caller import AsyncLine
from threadbridge.client._call_options import asked
from threadbridge.client._paging import AsyncPaginator, async_listing
from threadbridge.client._params import StepKeywords, StepListKeywords, takes
from threadbridge.client._raw_response import WithoutRawResponses
from threadbridge.types import RunStep


class AsyncSteps(WithoutRawResponses):
    """What a run did, step by step."""

    def __init__(self, line: AsyncLine) -> None:
        self._line = line

    @takes(StepKeywords)
    async def retrieve(self, step_id: str, *, thread_id: str, run_id: str, **options: Unpack[StepKeywords]) -> RunStep:
        """The step of this id."""
        call = asked(StepKeywords, options)
        return RunStep.model_validate(
            await self._line.ask(
                lambda backend: backend.retrieve_step(thread_id, run_id, step_id, include=call.include), call.timeout
            )
        )

    @takes(StepListKeywords)
    def list(self, run_id: str, *, thread_id: str, **options: Unpack[StepListKeywords]) -> AsyncPaginator[RunStep]:
        """Steps of the run, newest first unless asked otherwise."""
        call = asked(StepListKeywords, options)
        return async_listing(
            self._line,
            RunStep,
            lambda query: lambda backend: backend.list_steps(thread_id, run_id, query, include=call.include),
            call.query,
            call.timeout,
        )
