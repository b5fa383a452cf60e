"""Command for more machines: worker."""

from typing import Annotated

import typer

from orchestrator.cli.asking import Json, opened, output


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(worker)


def worker(
    ctx: typer.Context,
    threads: Annotated[
        int, typer.Option(help="How many posts it sends at once; 0: as brand.yaml says.", min=0, max=128)
    ] = 0,
    name: Annotated[str, typer.Option(help="What it is called; else its machine and process.")] = "",
    as_json: Json = False,
) -> None:
    """Send what is due beside other workers that share a PostgreSQL; one of them is the clock."""
    from orchestrator.app import driving

    app, voice = opened(ctx), output(as_json)
    app.work_as(name, threads)
    driving.work(app, voice.note)
    voice.give({"stopped": True}, lambda console: console.print("Stopped; nothing is lost."))
