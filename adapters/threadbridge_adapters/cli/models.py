"""`threadbridge models`: shutdown dates and replacements of the models that assistants use."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from threadbridge.settings import Settings
    from threadbridge.translation.models.listing import ModelRow
    from threadbridge.translation.models.resolution import ModelCatalog

models = typer.Typer(
    name="models",
    help="List the models that assistants use: shutdown dates, replacements, parameters that are not sent.",
    invoke_without_command=True,
    add_completion=False,
)

_HEADINGS = ("model", "state", "shutdown", "replacement", "not sent")


@models.callback(invoke_without_command=True)
def list_models(
    context: typer.Context,
    pinned: Annotated[
        bool, typer.Option("--pinned", help="Only models that assistants in the store use, with their number.")
    ] = False,
    store: Annotated[str | None, typer.Option(metavar="URL", help="Store that holds the assistants.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line instead of a table.")] = False,
) -> None:
    """List the models that assistants use: shutdown dates, replacements, and parameters that are not sent.

    Reads the built-in table of OpenAI's models, the settings, and the list that `refresh` wrote. The table applies to
    an upstream with the profile `openai`, and without a profile to api.openai.com.
    """
    if context.invoked_subcommand is not None:
        return
    from threadbridge.runtime.settings_loader import load_settings
    from threadbridge.service.assistants import count_pinned_models
    from threadbridge.translation.models.listing import list_model_rows
    from threadbridge.translation.models.resolution import ModelPolicy
    from threadbridge_adapters.cli.store_reader import print_store, read_store
    from threadbridge_adapters.model_catalog import get_catalog_path, read_catalog
    from threadbridge_adapters.openai_http.sdk_client import has_openai_models

    settings = load_settings(store=store)
    catalog = read_catalog(get_catalog_path(settings))
    policy = ModelPolicy(
        settings.models,
        sampling=settings.policies.sampling,
        catalog=catalog,
        openai_models=has_openai_models(settings),
    )
    if not policy.openai_models:
        typer.echo(
            "The model names of this upstream are not OpenAI's, so only what it lists and what is configured is shown; "
            "if they are OpenAI's, set upstream.profile to openai.",
            err=True,
        )
    counts = asyncio.run(read_store(settings, count_pinned_models)) if pinned else None
    rows = list(list_model_rows(policy, datetime.now(UTC).date(), counts))
    if as_json:
        typer.echo(_format_json(rows, counts))
        return
    if pinned:
        print_store(settings)
    _print_table(rows, counts)


@models.command()
def refresh() -> None:
    """Fetch the models and their shutdown dates from the configured service, and store the list.

    While the list is less than a day old, creating a run with a model that is not in it fails.
    """
    from threadbridge.runtime.settings_loader import load_settings
    from threadbridge.translation.capability_fallbacks import require_model_list
    from threadbridge.translation.provider_profiles import get_profile
    from threadbridge_adapters.model_catalog import get_catalog_path, write_catalog

    settings = load_settings()
    require_model_list(get_profile(settings.upstream), settings.upstream.profile)
    catalog = asyncio.run(_fetch_catalog(settings))
    path = get_catalog_path(settings)
    write_catalog(path, catalog)
    typer.echo(f"{len(catalog.shutdown_dates)} models written to {path}", err=True)


async def _fetch_catalog(settings: Settings) -> ModelCatalog:
    from threadbridge_adapters.composition import open_upstream
    from threadbridge_adapters.model_catalog import fetch_catalog

    upstream = open_upstream(settings)
    try:
        return await fetch_catalog(upstream, service=upstream.name)
    finally:
        await upstream.aclose()


def _format_json(rows: list[ModelRow], counts: Counter[str] | None) -> str:
    import orjson

    objects = [row.to_json() | ({} if counts is None else {"assistants": counts[row.model]}) for row in rows]
    return "\n".join(orjson.dumps(item).decode() for item in objects)


def _print_table(rows: list[ModelRow], counts: Counter[str] | None) -> None:
    from threadbridge_adapters.cli.text_table import print_table

    headings = _HEADINGS if counts is None else (*_HEADINGS, "assistants")
    cells = [
        (
            row.model,
            row.state,
            "-" if row.shutdown_date is None else row.shutdown_date.isoformat(),
            row.replacement or "-",
            "\n".join(row.dropped_parameters) or "-",
            *(() if counts is None else (str(counts[row.model]),)),
        )
        for row in rows
    ]
    print_table(headings, cells, right_aligned=("assistants",))
