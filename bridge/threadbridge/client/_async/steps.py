"""`threads.runs.steps`."""

from __future__ import annotations

from typing_extensions import Unpack

from threadbridge.client._backend_caller import AsyncBackendCaller
from threadbridge.client._call_options import parse_call_options
from threadbridge.client._paging import AsyncPaginator, paginate_async
from threadbridge.client._params import StepListParams, StepParams, accepts_params
from threadbridge.client._raw_response import WithoutRawResponses
from threadbridge.types import RunStep


class AsyncSteps(WithoutRawResponses):
    """What a run did, step by step."""

    def __init__(self, caller: AsyncBackendCaller) -> None:
        self._caller = caller

    @accepts_params(StepParams)
    async def retrieve(self, step_id: str, *, thread_id: str, run_id: str, **options: Unpack[StepParams]) -> RunStep:
        """The step of this id."""
        call = parse_call_options(StepParams, options)
        return RunStep.model_validate(
            await self._caller.call(
                lambda backend, context: backend.retrieve_step(
                    context, thread_id, run_id, step_id, include=call.include
                ),
                call.timeout,
            )
        )

    @accepts_params(StepListParams)
    def list(self, run_id: str, *, thread_id: str, **options: Unpack[StepListParams]) -> AsyncPaginator[RunStep]:
        """Steps of the run, newest first unless asked otherwise."""
        call = parse_call_options(StepListParams, options)
        return paginate_async(
            self._caller,
            RunStep,
            lambda query: (
                lambda backend, context: backend.list_steps(context, thread_id, run_id, query, include=call.include)
            ),
            call.query,
            call.timeout,
        )
