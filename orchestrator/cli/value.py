"""Commands about worth: link, report."""

import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.app.ledger import Asked
from orchestrator.cli.asking import Json, opened, output
from orchestrator.errors import CheckError, OutsideError
from orchestrator.report import FORMATS


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(link)
    app.command()(report)


def link(
    ctx: typer.Context,
    url: Annotated[str, typer.Argument(help="Where it leads.")],
    no_click_id: Annotated[
        bool, typer.Option("--no-click-id", help="The target gets no oc=, by which an order finds its click.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a tracked link by hand."""
    app, out = opened(ctx), output(as_json)
    made = app.link(url, click_id=not no_click_id)
    data = {"link": made, "target": url, "click_id": not no_click_id}
    out.give(data, lambda console: console.print(made, markup=False))


def report(
    ctx: typer.Context,
    format_: Annotated[str, typer.Option("--format", help=f"{', '.join(FORMATS)}.")] = "",
    file: Annotated[Path | None, typer.Option("-o", "--output", help="Write it to this file.")] = None,
    campaign: Annotated[str, typer.Option(help="A campaign's id or its playbook; else all.")] = "",
    from_: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")] = None,
    to: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day.")] = None,
    as_json: Json = False,
) -> None:
    """Say what it was worth, against the four goals."""
    app, out = opened(ctx), output(as_json)
    kind = format_ or (file.suffix.lstrip(".") if file else "") or ("json" if as_json else "md")
    if as_json and file is None and kind != "json":
        raise CheckError(f"--json and --format {kind} exclude each other; or write to a file with -o FILE")
    if kind not in FORMATS:
        raise CheckError(f"--format {kind!r}: choose one of {', '.join(FORMATS)}")
    asked = Asked(campaign, from_.date() if from_ else None, to.date() if to else None)
    text = app.report(asked, kind)
    if file is None:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        return
    write(file, text)
    out.give(
        {"file": file, "format": kind}, lambda console: console.print(f"Written to {file}", markup=False)
    )


def write(file: Path, text: str) -> None:
    """Write a file whole or not at all."""
    fresh = file.with_name(f".{file.name}.new")
    try:
        if file.exists() and not file.is_file():  # a device or a pipe, such as /dev/stdout
            file.write_text(text, encoding="utf-8")
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(file)
    except OSError as error:
        with suppress(OSError):
            fresh.unlink()
        raise OutsideError(
            f"{file} cannot be written: {error.strerror}. Make room or name another place."
        ) from error
