"""The `responses` backend: the Assistants API over our store and a Responses service (explanation/architecture.md)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from threadbridge.api_types import (
    AssistantObject,
    DeletionStatus,
    JsonMapping,
    ListObject,
    MessageObject,
    ThreadObject,
    UpdatedMessageObject,
)
from threadbridge.engine.generated_files import GeneratedFilesApi
from threadbridge.engine.run_operations import RunOperations
from threadbridge.errors import BridgeError
from threadbridge.ports import (
    BackendCapabilities,
    HandlesPassthrough,
    ListQuery,
    ObjectKind,
    PassthroughRequest,
    RequestContext,
    WireResponse,
)
from threadbridge.service import assistants, attachments, messages, threads
from threadbridge.service.request_records import (
    RequestRepeated,
    identify_object,
)

#: Statuses of answers that let no run succeed.
_NOT_READY_STATUSES = (401, 403)
_FIRST_SERVER_ERROR = 500


class ResponsesBackend(RunOperations):
    """`ports.Backend`. Each method is one decision of the service layer in one transaction of the store."""

    capabilities = BackendCapabilities(lists_threads=True, streams=True, follows_runs=True, reports_runs=True)

    async def aclose(self) -> None:
        """Let running turns end, for a bounded time; then close upstream and store."""
        self._thread_queue.close()
        await self._sweeper.stop()
        await self._executor.aclose()
        await self._local_turns.drain()
        await self._ctx.wait_for_background_tasks()
        await self._ctx.event_bus.aclose()
        await self._ctx.upstream.aclose()
        await self._ctx.store.aclose()

    async def warm_up(self) -> None:
        """Load the tokenizer, so that the first message does not wait for it."""
        await self._ctx.token_counting.load()

    def list_readiness_checks(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """Checks of the store and, in a process that performs runs, of the upstream."""
        checks = {"store": self._check_store}
        return {**checks, "upstream": self._check_upstream} if self._sweeper.is_running else checks

    async def _check_store(self) -> None:
        await self._ctx.list_unfinished_runs(after=None, limit=1)

    async def _check_upstream(self) -> None:
        """Any answer will do, except that the key is wrong or the service does not work: some have no `/models`."""
        try:
            await self._ctx.upstream.request("GET", "/models")
        except BridgeError as error:
            if error.status in _NOT_READY_STATUSES or error.status >= _FIRST_SERVER_ERROR:
                raise

    async def handle_passthrough(self, context: RequestContext, request: PassthroughRequest) -> WireResponse | None:
        """The response to a request outside the Assistants API: for generated files from the store, for others from an
        upstream that handles them (the simulator). None: the gateway or transport sends it to the upstream.
        """
        response = await GeneratedFilesApi(self._get_ctx(context)).handle(request)
        if response is not None:
            return response
        upstream = self._ctx.upstream
        return await upstream.handle_passthrough(context, request) if isinstance(upstream, HandlesPassthrough) else None

    # Assistants
    async def create_assistant(self, context: RequestContext, body: JsonMapping) -> AssistantObject:
        try:
            request = await self._receive(context, ObjectKind.ASSISTANT)
            async with self._provision(context, attachments.plan_for_assistant(self._ctx.limits, body)) as provisioned:
                create = partial(assistants.create, body=body, provisioned=provisioned)
                return await self._write_once(context, request, create, identify_object)
        except RequestRepeated as repeat:
            return await self.retrieve_assistant(context, repeat.record.object_id)

    async def list_assistants(self, context: RequestContext, query: ListQuery) -> ListObject[AssistantObject]:
        return await self._read(
            context, partial(assistants.list_page, query=query, unknown_cursor=self._unknown_cursor)
        )

    async def retrieve_assistant(self, context: RequestContext, assistant_id: str) -> AssistantObject:
        return await self._read(context, partial(assistants.retrieve, assistant_id=assistant_id))

    async def update_assistant(self, context: RequestContext, assistant_id: str, body: JsonMapping) -> AssistantObject:
        async with self._provision(context, attachments.plan_for_assistant_update(self._ctx.limits, body)):
            return await self._write(context, partial(assistants.update, assistant_id=assistant_id, body=body))

    async def delete_assistant(self, context: RequestContext, assistant_id: str) -> DeletionStatus:
        return await self._write(context, partial(assistants.delete, assistant_id=assistant_id))

    # Threads
    async def create_thread(self, context: RequestContext, body: JsonMapping) -> ThreadObject:
        try:
            request = await self._receive(context, ObjectKind.THREAD)
            async with self._provision(context, attachments.plan_for_thread(self._ctx.limits, body)) as provisioned:
                create = partial(threads.create, body=body, provisioned=provisioned)
                return await self._write_once(context, request, create, identify_object, body)
        except RequestRepeated as repeat:
            return await self.retrieve_thread(context, repeat.record.object_id)

    async def list_threads(self, context: RequestContext, query: ListQuery) -> ListObject[ThreadObject]:
        return await self._read(context, partial(threads.list_page, query=query, unknown_cursor=self._unknown_cursor))

    async def retrieve_thread(self, context: RequestContext, thread_id: str) -> ThreadObject:
        return await self._read(context, partial(threads.retrieve, thread_id=thread_id))

    async def update_thread(self, context: RequestContext, thread_id: str, body: JsonMapping) -> ThreadObject:
        async with self._provision(context, attachments.plan_for_thread_update(self._ctx.limits, body)):
            return await self._write(context, partial(threads.update, thread_id=thread_id, body=body))

    async def delete_thread(self, context: RequestContext, thread_id: str) -> DeletionStatus:
        deletion = await self._write(context, partial(threads.delete, thread_id=thread_id))
        if deletion.run_id is not None:
            await self._stop_run(context, deletion.run_id)
        return deletion.response

    # Messages
    async def create_message(self, context: RequestContext, thread_id: str, body: JsonMapping) -> MessageObject:
        try:
            request = await self._receive(context, ObjectKind.MESSAGE, thread_id)
            plan = await self._plan_provisioning(context, attachments.plan_for_message, thread_id, body, [body])
            async with self._provision(context, plan) as provisioned:
                create = partial(messages.create, thread_id=thread_id, body=body, provisioned=provisioned)
                return await self._run_when_thread_free(
                    context, thread_id, partial(self._write_once, context, request, create, identify_object, body)
                )
        except RequestRepeated as repeat:
            return await self.retrieve_message(context, thread_id, repeat.record.object_id)

    async def list_messages(
        self, context: RequestContext, thread_id: str, query: ListQuery
    ) -> ListObject[MessageObject]:
        return await self._read(
            context,
            partial(messages.list_page, thread_id=thread_id, query=query, unknown_cursor=self._unknown_cursor),
        )

    async def retrieve_message(self, context: RequestContext, thread_id: str, message_id: str) -> MessageObject:
        return await self._read(context, partial(messages.retrieve, thread_id=thread_id, message_id=message_id))

    async def update_message(
        self, context: RequestContext, thread_id: str, message_id: str, body: JsonMapping
    ) -> UpdatedMessageObject:
        return await self._write(
            context, partial(messages.update, thread_id=thread_id, message_id=message_id, body=body)
        )

    async def delete_message(self, context: RequestContext, thread_id: str, message_id: str) -> DeletionStatus:
        return await self._ctx.store.write(
            partial(messages.delete, thread_id=thread_id, message_id=message_id), tenant=context.tenant
        )
