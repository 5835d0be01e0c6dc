"""The operations of the Assistants API, one call each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import TypeVar, cast

from threadbridge.api_types import (
    AssistantObject,
    DeletionStatus,
    JsonMapping,
    JsonObject,
    ListObject,
    MessageObject,
    RunObject,
    RunStepObject,
    ThreadObject,
    UpdatedMessageObject,
)
from threadbridge.errors import UnknownEvent, Unsupported
from threadbridge.ports import (
    BackendCapabilities,
    Event,
    ListQuery,
    PolledRun,
    RequestContext,
    WarningSink,
    discard_warning,
)
from threadbridge.wire.response_builder import parse_warning_headers
from threadbridge_adapters.assistants._http import (
    LegacyServiceClient,
    ServiceRequest,
    build_include_params,
    build_list_params,
    format_path,
)

BodyT = TypeVar("BodyT")

_POLL_HINT_HEADER = "openai-poll-after-ms"


class AssistantsBackend:
    """A `ports.Backend` that forwards every operation to an Assistants v2 service and returns its response."""

    def __init__(
        self,
        client: LegacyServiceClient,
        *,
        lists_threads: bool,
        follows_runs: bool = False,
        reports_runs: bool = False,
    ) -> None:
        self._client = client
        self._capabilities = BackendCapabilities(
            lists_threads=lists_threads, streams=True, follows_runs=follows_runs, reports_runs=reports_runs
        )

    @property
    def capabilities(self) -> BackendCapabilities:
        return self._capabilities

    def list_readiness_checks(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """A check of the legacy service."""
        return {"upstream": self._check_service}

    async def _check_service(self) -> None:
        await self._client.request(ServiceRequest("GET", "/assistants", params={"limit": 1}))

    async def aclose(self) -> None:
        await self._client.aclose()

    # Assistants -----------------------------------------------------------------------------------------------
    async def create_assistant(self, context: RequestContext, body: JsonMapping) -> AssistantObject:
        return await self._post_once(AssistantObject, context, format_path("create_assistant"), body)

    async def list_assistants(self, context: RequestContext, query: ListQuery) -> ListObject[AssistantObject]:
        return await self._get(
            ListObject[AssistantObject], context, format_path("list_assistants"), build_list_params(query)
        )

    async def retrieve_assistant(self, context: RequestContext, assistant_id: str) -> AssistantObject:
        return await self._get(AssistantObject, context, format_path("retrieve_assistant", assistant_id=assistant_id))

    async def update_assistant(self, context: RequestContext, assistant_id: str, body: JsonMapping) -> AssistantObject:
        return await self._post(
            AssistantObject, context, format_path("update_assistant", assistant_id=assistant_id), body
        )

    async def delete_assistant(self, context: RequestContext, assistant_id: str) -> DeletionStatus:
        return await self._delete(DeletionStatus, context, format_path("delete_assistant", assistant_id=assistant_id))

    # Threads --------------------------------------------------------------------------------------------------
    async def create_thread(self, context: RequestContext, body: JsonMapping) -> ThreadObject:
        return await self._post_once(ThreadObject, context, format_path("create_thread"), body)

    async def list_threads(self, context: RequestContext, query: ListQuery) -> ListObject[ThreadObject]:
        if not self._capabilities.lists_threads:
            raise Unsupported(
                "This service cannot list threads (A7); set `assistants.list_threads` to true for one that can."
            )
        return await self._get(ListObject[ThreadObject], context, format_path("list_threads"), build_list_params(query))

    async def retrieve_thread(self, context: RequestContext, thread_id: str) -> ThreadObject:
        return await self._get(ThreadObject, context, format_path("retrieve_thread", thread_id=thread_id))

    async def update_thread(self, context: RequestContext, thread_id: str, body: JsonMapping) -> ThreadObject:
        return await self._post(ThreadObject, context, format_path("update_thread", thread_id=thread_id), body)

    async def delete_thread(self, context: RequestContext, thread_id: str) -> DeletionStatus:
        return await self._delete(DeletionStatus, context, format_path("delete_thread", thread_id=thread_id))

    # Messages -------------------------------------------------------------------------------------------------
    async def create_message(self, context: RequestContext, thread_id: str, body: JsonMapping) -> MessageObject:
        return await self._post_once(MessageObject, context, format_path("create_message", thread_id=thread_id), body)

    async def list_messages(
        self, context: RequestContext, thread_id: str, query: ListQuery
    ) -> ListObject[MessageObject]:
        return await self._get(
            ListObject[MessageObject],
            context,
            format_path("list_messages", thread_id=thread_id),
            build_list_params(query),
        )

    async def retrieve_message(self, context: RequestContext, thread_id: str, message_id: str) -> MessageObject:
        return await self._get(
            MessageObject, context, format_path("retrieve_message", thread_id=thread_id, message_id=message_id)
        )

    async def update_message(
        self, context: RequestContext, thread_id: str, message_id: str, body: JsonMapping
    ) -> UpdatedMessageObject:
        return await self._post(
            UpdatedMessageObject,
            context,
            format_path("update_message", thread_id=thread_id, message_id=message_id),
            body,
        )

    async def delete_message(self, context: RequestContext, thread_id: str, message_id: str) -> DeletionStatus:
        return await self._delete(
            DeletionStatus, context, format_path("delete_message", thread_id=thread_id, message_id=message_id)
        )

    # Runs -----------------------------------------------------------------------------------------------------
    async def create_run(
        self,
        context: RequestContext,
        thread_id: str,
        body: JsonMapping,
        *,
        include: Sequence[str] = (),
        warn: WarningSink = discard_warning,
    ) -> RunObject:
        return await self._post_once(
            RunObject,
            context,
            format_path("create_run", thread_id=thread_id),
            body,
            build_include_params(include),
            warn,
        )

    async def stream_run(
        self,
        context: RequestContext,
        thread_id: str,
        body: JsonMapping,
        *,
        include: Sequence[str] = (),
        warn: WarningSink = discard_warning,
    ) -> AsyncIterator[Event]:
        return await self._open_stream(
            context, format_path("create_run", thread_id=thread_id), body, build_include_params(include), warn
        )

    async def create_thread_and_run(
        self,
        context: RequestContext,
        body: JsonMapping,
        *,
        include: Sequence[str] = (),
        warn: WarningSink = discard_warning,
    ) -> RunObject:
        return await self._post_once(
            RunObject, context, format_path("create_thread_and_run"), body, build_include_params(include), warn
        )

    async def stream_thread_and_run(
        self,
        context: RequestContext,
        body: JsonMapping,
        *,
        include: Sequence[str] = (),
        warn: WarningSink = discard_warning,
    ) -> AsyncIterator[Event]:
        return await self._open_stream(
            context, format_path("create_thread_and_run"), body, build_include_params(include), warn
        )

    async def follow_run(
        self, context: RequestContext, thread_id: str, run_id: str, *, after: str | None = None
    ) -> AsyncIterator[Event]:
        if not self._capabilities.follows_runs:
            raise Unsupported(
                "This service cannot replay the events of a run; set `assistants.follow_runs` to true for one that "
                "can, or retrieve the run."
            )
        if after is not None and not (after.isascii() and after.isprintable()):
            raise UnknownEvent(after)  # not a valid header value, so no service issued it
        headers = {**_build_headers(context), "Accept": "text/event-stream"} | (
            {} if after is None else {"Last-Event-ID": after}
        )
        path = format_path("follow_run", thread_id=thread_id, run_id=run_id)
        return await self._client.open_stream(ServiceRequest("GET", path, headers=headers))

    async def list_runs(self, context: RequestContext, thread_id: str, query: ListQuery) -> ListObject[RunObject]:
        return await self._get(
            ListObject[RunObject], context, format_path("list_runs", thread_id=thread_id), build_list_params(query)
        )

    async def retrieve_run(self, context: RequestContext, thread_id: str, run_id: str) -> PolledRun:
        run, headers = await self._client.request(
            ServiceRequest(
                "GET", format_path("retrieve_run", thread_id=thread_id, run_id=run_id), headers=_build_headers(context)
            )
        )
        hint = headers.get(_POLL_HINT_HEADER, "")
        return PolledRun(cast("RunObject", run), int(hint) if hint.isascii() and hint.isdigit() else None)

    async def report_run(self, context: RequestContext, thread_id: str, run_id: str) -> JsonObject:
        if not self._capabilities.reports_runs:
            raise Unsupported(
                "This service does not report what runs sent and cost; set `assistants.report_runs` to true for one "
                "that does."
            )
        return await self._get(JsonObject, context, format_path("report_run", thread_id=thread_id, run_id=run_id))

    async def update_run(self, context: RequestContext, thread_id: str, run_id: str, body: JsonMapping) -> RunObject:
        return await self._post(RunObject, context, format_path("update_run", thread_id=thread_id, run_id=run_id), body)

    async def cancel_run(self, context: RequestContext, thread_id: str, run_id: str) -> RunObject:
        return await self._post_once(
            RunObject, context, format_path("cancel_run", thread_id=thread_id, run_id=run_id), None
        )

    async def submit_tool_outputs(
        self, context: RequestContext, thread_id: str, run_id: str, body: JsonMapping
    ) -> RunObject:
        return await self._post_once(
            RunObject, context, format_path("submit_tool_outputs", thread_id=thread_id, run_id=run_id), body
        )

    async def stream_tool_outputs(
        self, context: RequestContext, thread_id: str, run_id: str, body: JsonMapping
    ) -> AsyncIterator[Event]:
        return await self._open_stream(
            context, format_path("submit_tool_outputs", thread_id=thread_id, run_id=run_id), body, {}
        )

    # Run steps ------------------------------------------------------------------------------------------------
    async def list_steps(
        self, context: RequestContext, thread_id: str, run_id: str, query: ListQuery, *, include: Sequence[str] = ()
    ) -> ListObject[RunStepObject]:
        params = {**build_list_params(query), **build_include_params(include)}
        return await self._get(
            ListObject[RunStepObject], context, format_path("list_steps", thread_id=thread_id, run_id=run_id), params
        )

    async def retrieve_step(
        self, context: RequestContext, thread_id: str, run_id: str, step_id: str, *, include: Sequence[str] = ()
    ) -> RunStepObject:
        path = format_path("retrieve_step", thread_id=thread_id, run_id=run_id, step_id=step_id)
        return await self._get(RunStepObject, context, path, build_include_params(include))

    # The four kinds of call. The first argument only states the type of the object that the operation
    # returns: the service's JSON passes unchanged and unchecked.
    async def _get(
        self, _returns: type[BodyT], context: RequestContext, path: str, params: Mapping[str, object] | None = None
    ) -> BodyT:
        request = ServiceRequest("GET", path, params or {}, headers=_build_headers(context))
        return await self._send(_returns, request)

    async def _delete(self, _returns: type[BodyT], context: RequestContext, path: str) -> BodyT:
        return await self._send(_returns, ServiceRequest("DELETE", path, headers=_build_headers(context)))

    async def _post(self, _returns: type[BodyT], context: RequestContext, path: str, body: JsonMapping) -> BodyT:
        return await self._send(_returns, ServiceRequest("POST", path, body=body, headers=_build_headers(context)))

    async def _post_once(
        self,
        _returns: type[BodyT],
        context: RequestContext,
        path: str,
        body: JsonMapping | None,
        params: Mapping[str, object] | None = None,
        warn: WarningSink = discard_warning,
    ) -> BodyT:
        """A call that is not idempotent. `stream: true` is removed: the service would respond with an event stream."""
        if body and body.get("stream"):
            body = {name: value for name, value in body.items() if name != "stream"}
        headers = _build_headers(context)
        request = ServiceRequest("POST", path, params or {}, body, is_idempotent=False, headers=headers)
        return await self._send(_returns, request, warn)

    async def _send(self, _returns: type[BodyT], request: ServiceRequest, warn: WarningSink = discard_warning) -> BodyT:
        response = await self._client.request(request)
        _forward_warnings(response.headers, warn)
        return cast("BodyT", response.body)

    async def _open_stream(
        self,
        context: RequestContext,
        path: str,
        body: JsonMapping,
        params: Mapping[str, object],
        warn: WarningSink = discard_warning,
    ) -> AsyncIterator[Event]:
        streamed, headers = {**body, "stream": True}, _build_headers(context)
        request = ServiceRequest("POST", path, params, streamed, is_idempotent=False, headers=headers)
        events = await self._client.open_stream(request)
        _forward_warnings(events.headers, warn)
        return events


def _build_headers(context: RequestContext) -> Mapping[str, str]:
    """The id of the request, so that the logs of both services can be searched for it."""
    return {} if context.request_id is None else {"X-Client-Request-Id": context.request_id}


def _forward_warnings(headers: Mapping[str, str], warn: WarningSink) -> None:
    """Report the warnings in the response headers, which only a ThreadBridge service sends."""
    for warning in parse_warning_headers(headers):
        warn(warning)
