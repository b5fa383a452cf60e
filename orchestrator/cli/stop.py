"""Commands that hold everything back, or a part of it, and let it go again: stop, resume."""

from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console

from orchestrator.app import Orchestrator, stopping
from orchestrator.cli.asking import Json, opened, output, unfinished
from orchestrator.cli.show import plain
from orchestrator.errors import CheckError
from orchestrator.outbox import Resumed, Scope, Stop, Stopped


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(stop)
    app.command()(resume)


def stop(
    ctx: typer.Context,
    why: Annotated[str, typer.Option(help="Why, for the colleagues who find it stopped.")],
    scope: Annotated[
        str, typer.Option(help="all, tier:SLUG, campaign:ID, platform:NAME or account:NAME.")
    ] = "all",
    wait: Annotated[
        bool,
        typer.Option(
            "--wait/--no-wait",
            help="Return once nothing leaves any more; or at once, with exit code 5 while something may.",
        ),
    ] = True,
    as_json: Json = False,
) -> None:
    """Let nothing leave any more, and return once that is so; exit code 5 names what could not be held back.

    Waits for what is on its way (no longer than a lease lasts) and takes back what platforms hold until its
    time. Goes on until resume.
    """
    app, out = opened(ctx), output(as_json)
    stopped = app.stop(why, scope, wait)
    out.give(_stopped(stopped), lambda console: _tell_stopped(console, stopped))
    if stopped.under_way:
        unfinished(f"Still on their way: {stopped.under_way}. Nothing else leaves; look again in a minute.")
    if stopped.not_cancelled:
        named = ", ".join(f"{each.item_id}@{each.rev} on {each.account}" for each in stopped.not_cancelled)
        unfinished(
            f"Their platforms hold these and may make them public: {named}. "
            "We keep trying to take them back; or delete them there."
        )


def _stopped(stopped: Stopped) -> dict[str, Any]:
    named = [{"item": f"{each.item_id}@{each.rev}", **plain(each)} for each in stopped.not_cancelled]
    return {**asdict(stopped), "ended": dict(stopped.ended), "not_cancelled": named}


def _tell_stopped(console: Console, stopped: Stopped) -> None:
    ended = ", ".join(f"{count} {how}" for how, count in stopped.ended)
    console.print(f"Stop {stopped.stop_id} is in force.", markup=False)
    told = f", ended: {ended}" if ended else ""
    console.print(f"On their way when it was given: {stopped.in_flight}{told}.", markup=False)
    if stopped.unscheduled or stopped.not_cancelled:
        console.print(f"Taken back from platforms: {stopped.unscheduled}.", markup=False)
    for each in stopped.not_cancelled:
        console.print(
            f"{each.item_id}@{each.rev} is {each.status} on {each.account}: {each.reason}", markup=False
        )
    console.print(f"Let it go again with: orchestrator resume {stopped.stop_id}", markup=False)


def resume(
    ctx: typer.Context,
    stop: Annotated[str, typer.Argument(help="Number of the stop; else all.")] = "",
    scope: Annotated[str, typer.Option(help="The stops of this scope only, as stop names it.")] = "",
    pace: Annotated[
        int, typer.Option(min=0, help="Posts a minute on each account; 0: as brand.yaml says.")
    ] = 0,
    as_json: Json = False,
) -> None:
    """Let what was stopped leave again, in the order of its times and at a pace; what is too late expires."""
    if stop and scope:
        raise CheckError("Say the number of a stop, or --scope, not both.")
    if stop and not (stop.isascii() and stop.isdigit() and int(stop)):
        raise CheckError(f"{stop!r} is no number of a stop; for a scope write --scope {stop}")
    app, out = opened(ctx), output(as_json)
    resumed = app.resume(stop or scope, pace)
    data = {**asdict(resumed), "in_force": [in_force(each) for each in app.look(stopping.in_force)]}
    out.give(plain(data), lambda console: _tell_resumed(console, app, resumed))


def _tell_resumed(console: Console, app: Orchestrator, resumed: Resumed) -> None:
    over = ", ".join(map(str, resumed.stops))
    console.print(
        f"Over: stop {over}. Queued again: {resumed.queued}, expired: {resumed.expired}.", markup=False
    )
    if resumed.first_at and resumed.last_at:
        first, last = (at.astimezone(app.brand.zone) for at in (resumed.first_at, resumed.last_at))
        console.print(f"They leave from {first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S}.", markup=False)
    if resumed.stopped:
        console.print(f"Held by another stop: {resumed.stopped}.", markup=False)
    for each in app.look(stopping.in_force):
        console.print(told(each), markup=False)


def in_force(each: Stop) -> dict[str, Any]:
    """Put a stop as data."""
    return {"stop": each.id, "scope": str(Scope.of(each)), "why": each.why, "by": each.by, "at": each.at}


def told(each: Stop) -> str:
    """Put a stop as a sentence."""
    since = f"{each.at:%Y-%m-%d %H:%M} UTC"
    return f"Stop {each.id} ({Scope.of(each)}) is in force since {since}, by {each.by}: {each.why}"
