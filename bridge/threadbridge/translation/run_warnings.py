"""What the creator of a run should know: where it will be done in another way than it was asked for."""

from __future__ import annotations

from collections.abc import Collection

from threadbridge.ports import Wire
from threadbridge.translation.models.resolution import ResolvedModel
from threadbridge.translation.provider_profiles import Profile
from threadbridge.translation.request_builder import build_request
from threadbridge.translation.tool_mapping import HostedTools

#: Which stores there are to search, the turn finds out.
_SOME = HostedTools(vector_store_ids=("vs",))


def run_warnings(run: Wire, model: ResolvedModel, refused: Collection[str], profile: Profile) -> tuple[str, ...]:
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
        hosted=_SOME,
        refused=refused,
        profile=profile,
    )
    return plan.warnings
