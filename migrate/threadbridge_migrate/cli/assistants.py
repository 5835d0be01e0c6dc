"""`migrate assistants`: export, diff, load, import-prompts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from threadbridge_migrate.cli.error_report import ExitCode, report_errors

if TYPE_CHECKING:
    from threadbridge_migrate.export.sources import ArchiveLocation, BackendLocation

app = typer.Typer(no_args_is_help=True, help="Assistants as reviewed configuration, a file each.")

_EXPORT_CODES = (
    "Exit codes: 0 written; 2 wrong usage; 3 the service rejected the key; 4 the source failed; 5 no assistants."
)
_DIFF_CODES = "Exit codes: 0 equal; 1 different; 2 wrong usage or a wrong file; 3 the key was rejected; 4 DEST failed."
_LOAD_CODES = (
    "Exit codes: 0 applied; 1 applied with new ids, or --apply is missing and there are differences; 2 wrong usage or "
    "a wrong file; 3 the key was rejected; 4 DEST failed; 5 all were equal."
)

Only = Annotated[list[str] | None, typer.Option("--only", metavar="ID", help="Only these assistants.")]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder with the files of the assistants.")]
Destination = Annotated[str, typer.Argument(metavar="DEST", help="URL of a store or of a service.")]
Tenant = Annotated[str | None, typer.Option("--tenant", help="Tenant that owns the assistants.")]


@app.command("export", epilog=_EXPORT_CODES)
def export(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Archive, URL of a store, or URL of a service.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the files.")] = Path("assistants"),
    only: Only = None,
    to: Annotated[
        Literal["configuration", "agents"], typer.Option("--to", help="agents: definitions for the Agents SDK.")
    ] = "configuration",
    tenant: Tenant = None,
) -> None:
    """Write each assistant as a file, ID.toml, with its instructions in ID.md next to it.

    `threadbridge serve --assistants DIR` serves the folder. Files of the same names are replaced. With --to agents the
    export names what is lost.
    """
    losses: list[str] = []
    with report_errors():
        import asyncio

        from threadbridge_migrate.assistants.agent_files import render_agent
        from threadbridge_migrate.assistants.assistant_source import read_assistants
        from threadbridge_migrate.assistants.configuration_files import render, write_files

        found = asyncio.run(read_assistants(_resolve(source, "SOURCE", tenant)))
        chosen = {key: value for key, value in found.items() if only is None or key in only}
        _require_all(only, found, source)
        for assistant in chosen.values():
            if to == "agents":
                texts, lost = render_agent(assistant)
                losses += lost
            else:
                texts = render(assistant)
            write_files(out, texts)
    typer.echo(f"Wrote {len(chosen)} assistants to {out}")
    for loss in losses:
        typer.echo(f"migrate: {loss}", err=True)
    raise typer.Exit(ExitCode.DONE if chosen else ExitCode.NOTHING_TO_DO)


@app.command("diff", epilog=_DIFF_CODES)
def diff(folder: Folder, destination: Destination, only: Only = None, tenant: Tenant = None) -> None:
    """Show what loading the folder would change in DEST, as a unified diff."""
    with report_errors():
        lines, _ = _compare(folder, destination, only, tenant)
    for line in lines:
        typer.echo(line)
    raise typer.Exit(ExitCode.ITEM_ERRORS if lines else ExitCode.DONE)


@app.command("load", epilog=_LOAD_CODES)
def load(
    folder: Folder,
    destination: Destination,
    only: Only = None,
    apply: Annotated[bool, typer.Option("--apply", help="Write; without it the changes are only shown.")] = False,
    tenant: Tenant = None,
) -> None:
    """Put the assistants of a folder into a store or a service. Shows the changes first; --apply makes them.

    A store keeps the ids. A service assigns a new id to an assistant that it does not have: each is printed.
    """
    with report_errors():
        import asyncio

        from threadbridge_migrate.assistants.assistant_source import put_assistants
        from threadbridge_migrate.assistants.configuration_files import read_folder

        lines, changed = _compare(folder, destination, only, tenant)
        for line in lines:
            typer.echo(line)
        if not changed:
            typer.echo("Nothing to change")
            raise typer.Exit(ExitCode.NOTHING_TO_DO)
        if not apply:
            typer.echo(f"{len(changed)} assistants would change; add --apply to write them")
            raise typer.Exit(ExitCode.ITEM_ERRORS)
        bodies = read_folder(folder)
        place = _resolve_backend(destination, tenant)
        ids = asyncio.run(put_assistants(place, {each: bodies[each] for each in changed}))
    renamed = {old: new for old, new in ids.items() if old != new}
    typer.echo(f"Wrote {len(ids)} assistants to {destination}")
    for old, new in renamed.items():
        typer.echo(f"migrate: {old} is {new} there", err=True)
    raise typer.Exit(ExitCode.ITEM_ERRORS if renamed else ExitCode.DONE)


@app.command("import-prompts", epilog=_EXPORT_CODES)
def import_prompts(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON with prompt objects.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the files.")] = Path("assistants"),
    variables: Annotated[
        list[str] | None, typer.Option("--var", metavar="NAME=VALUE", help="Value of a variable of the prompts.")
    ] = None,
) -> None:
    """Write prompt objects (pmpt_…, ended on 2026-11-30) as assistants, and name what assistants do not have."""
    losses: list[str] = []
    with report_errors():
        import orjson

        from threadbridge_migrate.assistants.configuration_files import render, write_files
        from threadbridge_migrate.assistants.prompt_objects import convert_prompt, find_prompts
        from threadbridge_migrate.errors import ArchiveError

        try:
            prompts = find_prompts(orjson.loads(file.read_bytes()))
        except orjson.JSONDecodeError:
            prompts = []
        if not prompts:
            raise ArchiveError(f"{file} has no prompt object; save them as JSON with their ids (pmpt_…).")
        values = {name: value for name, _, value in (word.partition("=") for word in variables or ())}
        newest = {str(prompt["id"]): prompt for prompt in prompts}
        for prompt in newest.values():
            converted = convert_prompt(prompt, values)
            losses += converted.losses
            write_files(out, render(converted.assistant))
            typer.echo(f"{prompt['id']} is {converted.assistant['id']}")
    for loss in losses:
        typer.echo(f"migrate: {loss}", err=True)
    raise typer.Exit(ExitCode.ITEM_ERRORS if losses else ExitCode.DONE)


def _resolve(word: str, name: str, tenant: str | None) -> ArchiveLocation | BackendLocation:
    from threadbridge_migrate.export.sources import resolve

    return resolve(word, option=name, settings={"tenant": tenant} if tenant else None)


def _resolve_backend(word: str, tenant: str | None) -> BackendLocation:
    from threadbridge_migrate.errors import UsageError
    from threadbridge_migrate.export.sources import BackendLocation

    place = _resolve(word, "DEST", tenant)
    if not isinstance(place, BackendLocation):
        raise UsageError(f"DEST {word!r} is an archive, which is not changed; name a store or a service.")
    return place


def _require_all(only: Sequence[str] | None, found: object, place: str) -> None:
    from collections.abc import Container
    from typing import cast

    from threadbridge_migrate.errors import UsageError

    missing = [each for each in only or () if each not in cast("Container[str]", found)]
    if missing:
        raise UsageError(f"{place} has no assistant {missing[0]!r}; check --only.")


def _compare(
    folder: Path, destination: str, only: Sequence[str] | None, tenant: str | None
) -> tuple[list[str], list[str]]:
    """The lines of the diff, and the ids of the assistants that differ."""
    import asyncio

    from threadbridge_migrate.assistants.assistant_source import read_assistants
    from threadbridge_migrate.assistants.configuration_files import (
        build_stored_form,
        compare_texts,
        read_folder,
        render,
    )

    bodies = read_folder(folder)
    _require_all(only, bodies, str(folder))
    stored = asyncio.run(read_assistants(_resolve_backend(destination, tenant)))
    lines: list[str] = []
    changed: list[str] = []
    for assistant_id, body in bodies.items():
        if only is not None and assistant_id not in only:
            continue
        before = render(stored[assistant_id]) if assistant_id in stored else {}
        stored_form = build_stored_form(assistant_id, body)
        differences = list(compare_texts(before, render(stored_form)))
        if differences:
            lines += differences
            changed.append(assistant_id)
    return lines, changed
