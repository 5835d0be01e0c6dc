"""`threadbridge doctor`: capabilities of the upstream service, and warnings about settings and store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from threadbridge.doctor.capability_detection import DetectionResult
    from threadbridge.doctor.config_lint import LintWarning
    from threadbridge.doctor.report import DoctorReport
    from threadbridge.ports import UpstreamCapabilities
    from threadbridge.settings import Settings
    from threadbridge.translation.models.resolution import ModelCatalog

_SUPPORT_LABELS = {True: "yes", False: "no", None: "?"}
_WIDTH = 10_000


def doctor(
    upstream: Annotated[
        str | None, typer.Option(metavar="URL", help="Base URL of the service to probe.", show_default="the configured")
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Model to ask.", show_default="one that the service lists")
    ] = None,
    store: Annotated[str | None, typer.Option(metavar="URL", help="Store that holds the threads.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of the report.")] = False,
) -> None:
    """Detect the capabilities of the Responses service, and check settings and store for silent problems.

    Sends a few dozen small requests, prints the matching provider profile with the settings for it, and lists
    warnings: files that no tool reads, instructions that were replaced, models and prompts that will be shut down,
    threads without truncation. Everything created at the service is deleted again.
    """
    from threadbridge.runtime.settings_loader import load_settings, reject_secret_argument

    reject_secret_argument("--upstream", "upstream.base_url", upstream)
    settings = load_settings(upstream=upstream, store=store)
    report = asyncio.run(_diagnose(settings, model))
    if as_json:
        import orjson

        typer.echo(orjson.dumps(report.to_json()))
    else:
        _print_report(report)


async def _diagnose(settings: Settings, model: str | None) -> DoctorReport:
    from threadbridge.doctor.report import DoctorReport, match_profile
    from threadbridge.translation.provider_profiles import get_profile
    from threadbridge_adapters.model_catalog import build_catalog

    service, detection = await _detect_capabilities(settings, model)
    profile_match = match_profile(detection, service.partition("/")[0].partition(":")[0])
    matched_upstream = settings.upstream.model_copy(
        update={"profile": profile_match.profile, "capabilities": profile_match.capabilities}
    )
    catalog = build_catalog(detection.models, service=service) if detection.models else None
    warnings = await _lint_configuration(
        settings.model_copy(update={"upstream": matched_upstream}),
        get_profile(matched_upstream, hosted_tools=settings.hosted_tools),
        catalog,
    )
    return DoctorReport(service, settings.upstream.profile, detection, profile_match, warnings)


async def _detect_capabilities(settings: Settings, model: str | None) -> tuple[str, DetectionResult]:
    """The name of the service and its detected capabilities; prints the expected cost before the first request."""
    from threadbridge.doctor.capability_detection import MAX_MODEL_RESPONSES, MAX_REQUESTS, run_probes
    from threadbridge_adapters.composition import open_upstream

    upstream_settings = settings.upstream.model_copy(update={"timeout": settings.doctor.timeout})
    upstream = open_upstream(settings.model_copy(update={"upstream": upstream_settings, "performs_runs": True}))
    try:
        service = upstream.name or "the simulator"
        typer.echo(
            f"Probing {service}: at most {MAX_REQUESTS} requests of {settings.doctor.timeout:g} s each, of which at "
            f"most {MAX_MODEL_RESPONSES} get a short answer from a model. On a service that bills, that is about "
            "2,000 output tokens.",
            err=True,
        )
        return service, await run_probes(upstream, model)
    finally:
        await upstream.aclose()


async def _lint_configuration(
    settings: Settings, profile: UpstreamCapabilities, catalog: ModelCatalog | None
) -> Sequence[LintWarning]:
    from threadbridge.doctor.config_lint import lint_configuration
    from threadbridge_adapters.openai_http.sdk_client import has_openai_models
    from threadbridge_adapters.stores import open_store
    from threadbridge_adapters.stores.sqlite.connection import parse_store_url

    openai_models = has_openai_models(settings)
    path = parse_store_url(settings.store).path
    if path is None or not path.exists():
        typer.echo("There is no store to check; name one with --store.", err=True)
        return await lint_configuration(settings, None, profile, catalog, openai_models=openai_models)
    store = await open_store(settings.store)
    try:
        return await lint_configuration(settings, store, profile, catalog, openai_models=openai_models)
    finally:
        await store.aclose()


def _print_report(report: DoctorReport) -> None:
    from rich.console import Console
    from rich.table import Table

    from threadbridge.translation.provider_profiles import CAPABILITIES

    profile_match = report.profile_match
    typer.echo(f"profile {profile_match.profile}: {profile_match.reason}\n")
    table = Table("capability", "found", "why", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in CAPABILITIES:
        finding = report.detection.findings[name]
        table.add_row(name, _SUPPORT_LABELS[finding.is_supported], finding.reason)
    Console(width=_WIDTH, highlight=False, markup=False).print(table)
    typer.echo(f"\n{profile_match.to_toml()}")
    if report.configured_profile != profile_match.profile:
        typer.echo(f"\nThe configured profile is {report.configured_profile}.")
    _print_list("Notes on this service:", report.detection.quirks)
    _print_list("Warnings about settings and store:", [warning.message for warning in report.warnings])


def _print_list(heading: str, sentences: Sequence[str]) -> None:
    if sentences:
        typer.echo("\n".join(["", heading, *(f"- {sentence}" for sentence in sentences)]))
