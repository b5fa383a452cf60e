"""Commands about sending: publish, collect, outbox."""

from typing import Annotated, Any

import typer
from rich.console import Console

from orchestrator.app.sending import Sent
from orchestrator.cli.asking import Json, opened, output, unfinished
from orchestrator.cli.show import plain, table
from orchestrator.items import reference
from orchestrator.outbox import AttemptRow, Waits

_outbox = typer.Typer(
    help="What waits, what is uncertain and why; a person's decision.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(publish)
    app.command()(collect)
    app.add_typer(_outbox, name="outbox")


def publish(
    ctx: typer.Context,
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="Go on until nothing is due and no lease lives or lapses.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Send what is due; exit code 5 if something waits for a person."""
    app, out = opened(ctx), output(as_json)
    sent = app.publish(until_idle)
    data = {**plain(sent.outcome), "waiting": [_waits(each) for each in sent.waiting.items]}
    out.give(data, lambda console: _tell_sent(console, sent))
    app.close()
    if sent.waiting:
        unfinished(f"{len(sent.waiting)} wait for a person; look with: orchestrator outbox list")


def _tell_sent(console: Console, sent: Sent) -> None:
    counts = [f"{count} {status}" for status, count in plain(sent.outcome).items() if count]
    console.print(", ".join(counts) + "." if counts else "Nothing was due.")
    _tell_waiting(console, sent.waiting.items)


def _waits(each: Waits) -> dict[str, Any]:
    return {"item": f"{each.item_id}@{each.rev}", **plain(each)}


def _tell_waiting(console: Console, items: tuple[Waits, ...]) -> None:
    for each in items:
        console.print(
            f"{each.item_id}@{each.rev} is {each.status} on {each.account}: {each.reason}", markup=False
        )


def collect(ctx: typer.Context, as_json: Json = False) -> None:
    """Fetch what platforms report about published posts."""
    app, out = opened(ctx), output(as_json)
    receipt = app.collect()
    out.give({"new": receipt.added, "known": receipt.known}, lambda console: console.print(
        f"{receipt.added} new readings, {receipt.known} known."))  # fmt: skip


@_outbox.command("list")
def list_(ctx: typer.Context, as_json: Json = False) -> None:
    """List what waits for a person, and how many items stand where."""
    app, out = opened(ctx), output(as_json)
    waiting, counts = app.sending.outbox.waiting().items, app.state()

    def tell(console: Console) -> None:
        rows = table("status", "items", right=(1,))
        for status, count in counts.items():
            rows.add_row(status, f"{count:,}")
        console.print(rows if counts else "The outbox is empty.")
        _tell_waiting(console, waiting)

    out.give({"counts": counts, "waiting": [_waits(each) for each in waiting]}, tell)


@_outbox.command()
def show(
    ctx: typer.Context, item: Annotated[str, typer.Argument(help="The item.")], as_json: Json = False
) -> None:
    """Show one item: what it says, where it stands, and every try at it."""
    app, out = opened(ctx), output(as_json)
    row, post = app.seen(item)
    tries = app.sending.history(row.id)
    data = {
        "item": reference(row), "status": row.status, "reason": row.reason, "account": row.account,
        "due_at": row.due_at, "url": row.remote_url, "remote_id": row.remote_id, "text": post.text,
        "attempts": [_try(each) for each in tries],
    }  # fmt: skip

    def tell(console: Console) -> None:
        console.print(
            f"{reference(row)} is {row.status} on {row.account} {row.reason}".rstrip(), markup=False
        )
        console.print(row.remote_url, markup=False) if row.remote_url else None
        console.print(post.text, markup=False)
        for each in tries:
            ended = f" {each.settled} by {each.settled_by}" if each.settled else ""
            console.print(f"  try {each.number} at {each.started_at:%Y-%m-%d %H:%M:%S} UTC: {each.state}"
                          f"{ended} {each.error}".rstrip(), markup=False)  # fmt: skip

    out.give(data, tell)


def _try(row: AttemptRow) -> dict[str, Any]:
    names = ("number", "state", "started_at", "left_at", "ended_at", "error", "settled", "settled_by")
    return {name: plain(getattr(row, name)) for name in names}


@_outbox.command()
def resolve(
    ctx: typer.Context,
    item: Annotated[str, typer.Argument(help="The uncertain item.")],
    decision: Annotated[str, typer.Argument(help="published, not-there or give-up.")],
    url: Annotated[str, typer.Option(help="Where you saw it.")] = "",
    as_json: Json = False,
) -> None:
    """Decide about an item that may be public, after a look at the platform."""
    app, out = opened(ctx), output(as_json)
    status = app.resolve(item.partition("@")[0], decision, url)
    out.give({"item": item, "status": status}, lambda console: console.print(f"{item} is {status}."))
