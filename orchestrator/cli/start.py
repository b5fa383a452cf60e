"""Commands that start something: demo, init, serve, upgrade."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from orchestrator import report as reports
from orchestrator.app import Orchestrator, samples, schema
from orchestrator.cli.asking import Asked, Json, opened, output
from orchestrator.cli.show import table
from orchestrator.cli.value import write
from orchestrator.value import Value


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (demo, init, serve, upgrade):
        app.command()(command)


def demo(
    out: Annotated[Path, typer.Option(help="Where the report and the brand's copy go.")] = Path("out"),
    as_json: Json = False,
) -> None:
    """Tell the whole story on the sample brand: people, tiers, posts, clicks, orders, report."""
    # The web framework is most of the time a command takes to start; only these two need it.
    from orchestrator import web
    from orchestrator.app import story

    voice = output(as_json)
    value = story.tell(out / "demo", lambda app, sock: web.running(app, sock=sock), voice.note)
    text = {kind: reports.write(value, kind) for kind in ("html", "json")}
    for kind in text:
        write(out / f"report.{kind}", text[kind])
    data = {"report": out / "report.html", "goals": json.loads(text["json"])["goals"]}
    voice.give(data, lambda console: _tell(console, value))
    voice.note(
        f"The page is {out / 'report.html'}; look around with: orchestrator --brand {out / 'demo'} serve"
    )


def _tell(console: Console, value: Value) -> None:
    console.print(value.headline, markup=False, style="bold")
    rows = table("goal", "figure", "value", "grade", right=(2,))
    for goal in value.goals:
        for number, figure in enumerate(goal.figures):
            rows.add_row("" if number else goal.title, figure.label, figure.shown, figure.grade)
    console.print(rows)


def init(
    folder: Annotated[Path, typer.Argument(help="The new brand's folder.")],
    admin: Annotated[
        str, typer.Option(help="What the first admin, the folder's owner, is called.")
    ] = "owner",
    as_json: Json = False,
) -> None:
    """Make a new brand folder that passes check, with its first admin."""
    voice = output(as_json)
    samples.begin(folder)
    with Orchestrator(folder) as app:
        token = app.found(admin)
    data = {"brand": str(folder), "admin": admin, "token": token}

    def tell(console: Console) -> None:
        console.print(f"{folder} is ready; {admin} is its admin. Edit brand.yaml, then:", markup=False)
        console.print(f"  orchestrator --brand {folder} check", markup=False)
        console.print(f"Token of {admin} for programs and pages, shown this once: {token}", markup=False)

    voice.give(data, tell)


def serve(
    ctx: typer.Context,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.")] = 8321,
    as_json: Json = False,
) -> None:
    """Run web pages, tracked links, webhooks, the clock and workers in one process."""
    from orchestrator import web

    voice = output(as_json)
    web.serve(opened(ctx), host, port, voice.note)
    voice.give({"stopped": True}, lambda console: console.print("Stopped; nothing is lost."))


def upgrade(ctx: typer.Context, as_json: Json = False) -> None:
    """Move the database's schema forward to this version's."""
    asked: Asked = ctx.obj
    before, after = schema.upgrade_brand(asked.folder)
    text = (
        f"The schema was {before} and is {after}." if before != after else f"The schema is {after} already."
    )
    output(as_json).give({"before": before, "after": after}, lambda console: console.print(text))
