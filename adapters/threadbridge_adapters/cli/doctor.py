"""`threadbridge doctor`: what the service behind can do, and what goes wrong silently."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from threadbridge.doctor.capability_detection import DetectionResult
    from threadbridge.doctor.config_lint import LintWarning
    from threadbridge.doctor.report import DoctorReport
    from threadbridge.ports import UpstreamCapabilities
    from threadbridge.settings import Settings
    from threadbridge.translation.models.policy import ModelCatalog

_FOUND = {True: "yes", False: "no", None: "?"}
_WIDTH = 10_000


def doctor(
    upstream: Annotated[
        str | None, typer.Option(metavar="URL", help="Base URL of the service to ask.", show_default="the configured")
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Model to ask.", show_default="one that the service lists")
    ] = None,
    store: Annotated[str | None, typer.Option(metavar="URL", help="Where the threads are kept.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object in place of the report.")] = False,
) -> None:
    """Find out what the Responses service can do, and what goes wrong silently.

    Asks the service with a few dozen small requests, prints the profile it deserves with the settings that say so, and
    lists the traps in settings and store: files that nothing looks into, instructions that were replaced, models and
    prompts that end, threads that nobody cuts. What it makes at the service it takes away again.
    """
    from threadbridge.runtime.settings_loader import load_settings

    settings = load_settings(upstream=upstream, store=store)
    diagnosis = asyncio.run(_diagnosed(settings, model))
    if as_json:
        import orjson

        typer.echo(orjson.dumps(diagnosis.to_json()))
    else:
        _print(diagnosis)


async def _diagnosed(settings: Settings, model: str | None) -> DoctorReport:
    from threadbridge.doctor.profile_matching import match_profile
    from threadbridge.doctor.report import DoctorReport
    from threadbridge.translation.provider_profiles import get_profile
    from threadbridge_adapters.model_catalog import catalog_of

    service, examination = await _examined(settings, model)
    fit = match_profile(examination, service.partition("/")[0].partition(":")[0])
    deserved = settings.upstream.model_copy(update={"profile": fit.profile, "capabilities": fit.capabilities})
    catalog = catalog_of(examination.models, service=service) if examination.models else None
    traps = await _traps(settings, get_profile(deserved, hosted_tools=settings.hosted_tools), catalog)
    return DoctorReport(service, settings.upstream.profile, examination, fit, traps)


async def _examined(settings: Settings, model: str | None) -> tuple[str, DetectionResult]:
    """Where the service is, and what was found. What it will cost is said before anything is asked."""
    from threadbridge.doctor.capability_detection import MAX_MODEL_RESPONSES, MAX_REQUESTS
    from threadbridge.doctor.probe_runner import examine
    from threadbridge_adapters.composition import open_upstream

    patient = settings.upstream.model_copy(update={"timeout": settings.doctor.timeout})
    upstream = open_upstream(settings.model_copy(update={"upstream": patient, "performs_runs": True}))
    try:
        service = upstream.name or "the simulator"
        typer.echo(
            f"Asking {service}: at most {MAX_REQUESTS} requests of {settings.doctor.timeout:g} s each, of which a "
            f"model answers at most {MAX_MODEL_RESPONSES} with a few words. On a service that bills, that is about "
            "2,000 tokens of answers.",
            err=True,
        )
        return service, await examine(upstream, model)
    finally:
        await upstream.aclose()


async def _traps(
    settings: Settings, profile: UpstreamCapabilities, catalog: ModelCatalog | None
) -> Sequence[LintWarning]:
    from threadbridge.doctor.probe_runner import traps
    from threadbridge_adapters.stores import open_store
    from threadbridge_adapters.stores.sqlite.sqlite_url import parse_store_url

    path = parse_store_url(settings.store).path
    if path is None or not path.exists():
        typer.echo("There is no store to look at; name one with --store.", err=True)
        return await traps(settings, None, profile, catalog)
    opened = await open_store(settings.store)
    try:
        return await traps(settings, opened, profile, catalog)
    finally:
        await opened.aclose()


def _print(diagnosis: DoctorReport) -> None:
    from rich.console import Console

    fit = diagnosis.profile_match
    typer.echo(f"profile {fit.profile}: {fit.reason}\n")
    Console(width=_WIDTH, highlight=False, markup=False).print(_table(diagnosis))
    typer.echo(f"\n{fit.to_toml()}")
    if diagnosis.configured_profile != fit.profile:
        typer.echo(f"\nThe configured profile is {diagnosis.configured_profile}.")
    _print_list("What is worth knowing of it:", diagnosis.detection.quirks)
    _print_list("What goes wrong silently:", [trap.message for trap in diagnosis.warnings])


def _print_list(heading: str, sentences: Sequence[str]) -> None:
    if sentences:
        typer.echo("\n".join(["", heading, *(f"- {sentence}" for sentence in sentences)]))


def _table(diagnosis: DoctorReport) -> Table:
    from rich.table import Table

    from threadbridge.translation.provider_profiles import CAPABILITIES

    table = Table("capability", "found", "why", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in CAPABILITIES:
        finding = diagnosis.detection.findings[name]
        table.add_row(name, _FOUND[finding.is_supported], finding.reason)
    return table
