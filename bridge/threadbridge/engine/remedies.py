"""The remedies of one turn: what it changes about its request after an error of the upstream (`engine.recovery`)."""

from __future__ import annotations

from dataclasses import replace

from threadbridge.context_window.report import format_no_compaction_warning, format_overflow_warning, get_prompt_tokens
from threadbridge.engine.context import EngineContext
from threadbridge.engine.hosted_tool_session import HostedToolSession
from threadbridge.engine.recovery import FailedRequest
from threadbridge.engine.upstream_state import UpstreamState
from threadbridge.errors import UpstreamError
from threadbridge.logs import get_logger
from threadbridge.ports import WarningSink
from threadbridge.translation.error_classifier import OPTIONAL_PARAMETERS
from threadbridge.translation.rejected_references import Reference, find_rejected_references, is_temporary

_log = get_logger("threadbridge.run")

#: A prompt from this length on may be too long for a small model.
_LARGE_PROMPT_TOKENS = 3000


class TurnRemedies:
    """`recovery.Remedies` of one turn, and what its next request leaves out."""

    def __init__(
        self, ctx: EngineContext, upstream_state: UpstreamState, tool_session: HostedToolSession, *, warn: WarningSink
    ) -> None:
        self._ctx = ctx
        self._upstream_state = upstream_state
        self._tool_session = tool_session
        self._warn = warn
        #: Parameters that the model rejected in this turn.
        self.rejected_parameters: frozenset[str] = frozenset()
        #: References that the service cannot use, as it said in this turn.
        self.rejected_references: set[Reference] = set()
        #: The service's first error about the request that nothing explains.
        self.unknown_error: UpstreamError | None = None
        self._lasting_references: set[Reference] = set()  # those that later turns leave out too
        self._simplified_parameters: frozenset[str] = frozenset()  # left out in case one of them is the cause
        self._shortening_count = 0
        self._container_replaced = False

    async def leave_out_parameter(self, failed: FailedRequest) -> bool:
        self.rejected_parameters |= {failed.match.detail}
        return True

    async def wait_for_conversation(self, failed: FailedRequest) -> bool:
        return failed.error is not None and await self._upstream_state.wait_for_lock(failed.error)

    async def drop_lost_state(self, failed: FailedRequest) -> bool:
        return failed.error is not None and await self._upstream_state.drop_lost_state(failed.match.kind, failed.error)

    async def replace_container(self, failed: FailedRequest) -> bool:
        if self._container_replaced or not await self._tool_session.replace_container():
            return False
        self._container_replaced = True
        await self._upstream_state.send_full_history("container_replaced")
        run_id = self._upstream_state.start.run["id"]
        _log.info("replaced the container of the thread", run_id=run_id, error=failed.message)
        return True

    async def shorten_history(self, failed: FailedRequest) -> bool:  # noqa: ARG002  a remedy
        before = self._upstream_state.start
        if (
            self._shortening_count >= self._ctx.rules.history.truncation.overflow_retries
            or not await self._upstream_state.shorten_history()
        ):
            return False
        self._shortening_count += 1
        self._warn(format_overflow_warning(before.report, self._upstream_state.start.report, before.run))
        return True

    async def leave_out_compaction(self, failed: FailedRequest) -> bool:
        self._upstream_state.start = replace(self._upstream_state.start, compact_at=None)
        self._warn(format_no_compaction_warning(failed.body["model"]))
        return True

    async def replace_references(self, failed: FailedRequest) -> bool:
        param = failed.error.param if failed.error is not None else None
        found = set(find_rejected_references(failed.message, param, failed.body)) - self.rejected_references
        self.rejected_references |= found
        if not is_temporary(failed.message):
            self._lasting_references |= found
        return bool(found)

    async def simplify_request(self, failed: FailedRequest) -> bool:
        if self.unknown_error is not None or failed.error is None:
            return False
        self.unknown_error = failed.error
        optional = OPTIONAL_PARAMETERS.keys() | {"context_management"}
        self._simplified_parameters = frozenset(optional & failed.body.keys()) - self.rejected_parameters
        self.rejected_parameters |= self._simplified_parameters
        continuation = self._upstream_state.start.continuation
        if continuation is None or continuation.point is None:
            return bool(self._simplified_parameters)
        await self._upstream_state.try_full_history()
        return True

    async def shorten_large_history(self, failed: FailedRequest) -> bool:
        """A service may reject a prompt that is too long in any words."""
        if get_prompt_tokens(self._upstream_state.start.report) < _LARGE_PROMPT_TOKENS:
            return False
        self.rejected_parameters -= self._simplified_parameters  # they were not the cause
        self._simplified_parameters = frozenset()
        return await self.shorten_history(failed)

    def record_rejections(self, model: str) -> None:
        """Remember what the service rejected, now that it answers a request without it."""
        if not (self.rejected_parameters or self._lasting_references or self.unknown_error):
            return
        if self._simplified_parameters:
            names = ", ".join(sorted(self._simplified_parameters))
            self._warn(f"The service rejected the request until {names} were left out.")
        self.unknown_error, self._simplified_parameters = None, frozenset()
        rejections = self._ctx.parameter_rejections
        learned = [
            *rejections.learn(model, self.rejected_parameters - rejections.list_rejected_parameters(model)),
            *rejections.learn_references(self._lasting_references, self._upstream_state.start.run["id"]),
        ]
        self._lasting_references = set()
        if learned:
            self._ctx.run_in_background(rejections.save(self._ctx.tenant, learned))
