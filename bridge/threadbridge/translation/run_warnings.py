"""What the creator of a run should know: where it will be done in another way than it was asked for."""

from __future__ import annotations

from collections.abc import Collection

from threadbridge.ports import UpstreamCapabilities, Wire
from threadbridge.translation.hosted_tools.hosted_tool import HostedToolResources
from threadbridge.translation.models.resolution import ResolvedModel
from threadbridge.translation.request_builder import build_request

#: Which stores there are to search, the turn finds out.
_PLACEHOLDER_RESOURCES = HostedToolResources(vector_store_ids=("vs",))


def list_run_warnings(
    run: Wire, model: ResolvedModel, rejected_parameters: Collection[str], profile: UpstreamCapabilities
) -> tuple[str, ...]:
    """One sentence each: a successor that is asked, a parameter it refuses, a tool it is not told of, what the service
    lacks.

    They are those of the run's first request, before anything of the thread is in it.
    """
    plan = build_request(
        run,
        (),
        model=model,
        stream=False,
        first_turn=True,
        hosted_tools=_PLACEHOLDER_RESOURCES,
        rejected_parameters=rejected_parameters,
        profile=profile,
    )
    return plan.warnings
