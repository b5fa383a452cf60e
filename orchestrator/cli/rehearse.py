"""Command for practice: rehearse."""

import signal
import sys
import threading
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.console import Console

from orchestrator.cli.asking import Json, opened, output


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(rehearse)


def rehearse(
    ctx: typer.Context,
    port: Annotated[int, typer.Option(help="The port to listen on; 0: a free one.", min=0, max=65535)] = 8399,
    account: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=CLASS or NAME=CLASS:TOKEN: an account, and what protects it from doubles: "
            "key, container, listing or nothing. Default: practice=key."
        ),
    ] = None,
    faults: Annotated[
        list[str] | None,
        typer.Option(
            help="KIND:RATE or KIND:RATE:SECONDS: what goes wrong with which share of the posts, "
            "such as lost-reply:0.1 or slow-after:0.05:30."
        ),
    ] = None,
    latency: Annotated[float, typer.Option(help="Seconds before every answer.", min=0.0)] = 0.0,
    lag: Annotated[float, typer.Option(help="Seconds until a listing shows a new post.", min=0.0)] = 0.0,
    control: Annotated[str, typer.Option(help="The control token; else it is drawn and shown.")] = "",
    connect: Annotated[bool, typer.Option("--connect", help="Connect the accounts with the brand.")] = False,
    as_json: Json = False,
) -> None:
    """Run a platform on this machine to practise on, with faults on demand, until Ctrl-C."""
    from orchestrator.app import rehearsing  # a server of its own, which no other command needs

    voice, ended = output(as_json), threading.Event()
    cast = rehearsing.cast(account or ["practice=key"], faults or [])
    app = opened(ctx) if connect else None
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with rehearsing.running(cast, port, control, latency, lag) as stage:
        if app is not None:
            stage.connect(app)
        voice.give(stage.document(), lambda console: _tell(console, stage.advice(connect)))
        sys.stdout.flush()
        for line in stage.arrivals(ended):
            voice.note(line)
            sys.stdout.flush()
    voice.note("Stopped; what was posted here is gone.")


def _tell(console: Console, lines: Iterable[str]) -> None:
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
