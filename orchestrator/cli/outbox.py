"""Commands about sending: publish, collect, outbox."""

from collections.abc import Sequence
from textwrap import shorten
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from orchestrator.app import Orchestrator, stopping, views
from orchestrator.app.sending import Sent
from orchestrator.app.views import ItemView, Wanted
from orchestrator.cli import stop
from orchestrator.cli.asking import Json, opened, output, tell, unfinished
from orchestrator.cli.show import plain, table
from orchestrator.documents import suggest
from orchestrator.errors import CheckError
from orchestrator.items import Status, reference
from orchestrator.outbox import AttemptRow, Waits, shown
from orchestrator.tracking import kits
from orchestrator.tracking.kits import Share

_AHEAD = (Status.PLANNED, Status.QUEUED, Status.SCHEDULED)  # still to leave
_READ, _SHOWN, _ON_A_PAGE = 1000, 40, 100  # items

_outbox = typer.Typer(
    help="What waits, what is uncertain and why; a person's decision.", invoke_without_command=True
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
    """Send what is due; exit code 5 if something waits for a person, or could not leave yet."""
    app, out = opened(ctx), output(as_json)
    if not until_idle:
        app.recover()
    sent = app.publish(until_idle)
    tell(app, lambda telling: telling.run(settled=True))
    late = [each for each in _found(app, (Status.QUEUED,)) if each.item.leave_at > each.item.due_at]
    data = {
        **plain(sent.outcome),
        "waiting": [_waits(each) for each in sent.waiting.items],
        "again": [{**_line(each), "reason": each.item.reason, "from": each.item.leave_at} for each in late],
    }
    out.give(data, lambda console: _tell_sent(console, sent, late))
    if sent.waiting:
        unfinished(f"Waiting for a person: {len(sent.waiting)}. Look with: orchestrator outbox list")
    if late:
        unfinished(f"Could not leave yet: {len(late)}. Run again: orchestrator publish --until-idle")


def _tell_sent(console: Console, sent: Sent, late: Sequence[ItemView]) -> None:
    counts = [f"{count} {status}" for status, count in plain(sent.outcome).items() if count]
    console.print(", ".join(counts) + "." if counts else "Nothing was due.")
    _tell_waiting(console, sent.waiting.items[:_ON_A_PAGE])
    for each in late:
        console.print(f"{each.ref} is tried again on {each.item.account}: {each.item.reason}", markup=False)


def _waits(each: Waits) -> dict[str, Any]:
    return {"item": f"{each.item_id}@{each.rev}", **plain(each)}


def _tell_waiting(console: Console, items: tuple[Waits, ...]) -> None:
    for each in items:
        console.print(
            f"{each.item_id}@{each.rev} is {each.status} on {each.account}: {each.reason}", markup=False
        )
    for advice in dict.fromkeys(_advice(each) for each in items):
        console.print(advice, markup=False)


def _advice(each: Waits) -> str:
    """Say what a person can do about an item that waits for them."""
    if each.status == Status.UNCERTAIN:
        return (
            "Uncertain ones may be public. Let us look: orchestrator publish --until-idle. "
            "Or look yourself, then: orchestrator outbox resolve ITEM published|not-there|give-up"
        )
    if each.status == Status.FAILED:
        return "Failed ones go back to their author: change the text or picture and apply again."
    if each.stop_id:
        return f"Those that stop {each.stop_id} holds leave after: orchestrator resume {each.stop_id}"
    connect = f"orchestrator connect {each.channel} {each.account}"
    return f"Those on {each.account} leave once it is connected: {connect}"


def collect(ctx: typer.Context, as_json: Json = False) -> None:
    """Fetch what platforms report about published posts; exit code 5 if an account could not be read."""
    app, out = opened(ctx), output(as_json)
    found = app.collect()
    data = {"new": found.added, "known": found.known, "missed": found.missed}
    out.give(data, lambda console: console.print(f"{found.added} new readings, {found.known} known."))
    if found.missed:
        unfinished(f"Could not be read: {len(found.missed)}. Run again later: orchestrator collect")


@_outbox.callback()
def _bare(ctx: typer.Context, as_json: Json = False) -> None:
    """List where no other word follows."""
    if ctx.invoked_subcommand is None:
        list_(ctx, as_json=as_json)
    elif as_json:
        raise CheckError(f"say --json at the end: orchestrator outbox {ctx.invoked_subcommand} ... --json")


@_outbox.command("list")
def list_(
    ctx: typer.Context,
    status: Annotated[str, typer.Option(help="Only items that are, say, planned or published.")] = "",
    page: Annotated[int, typer.Option(help="Which page of what waits for a person.", min=1)] = 1,
    as_json: Json = False,
) -> None:
    """List what is still to leave and what waits for a person, and how many items stand where."""
    app, out = opened(ctx), output(as_json)
    if status and status not in set(Status):
        raise CheckError(
            f"there is no status {status!r}{suggest(status, Status)}; choose one of {', '.join(Status)}"
        )
    waits, counts = app.look(shown.page, shown.Asked(page=page, size=_ON_A_PAGE), app.now()), app.state()
    found, stopped = _found(app, (status,) if status else _AHEAD), app.look(stopping.in_force)
    data = {
        "counts": counts,
        "waiting": [_waits(each) for each in waits.items],
        "waiting_total": waits.total,
        "page": waits.page,
        "pages": waits.pages,
        "stops": [stop.in_force(each) for each in stopped],
        "items": [_line(each) for each in found],
    }

    def tell(console: Console) -> None:
        counted = [f"{count:,} {status}" for status, count in counts.items()]
        console.print(", ".join(counted) + "." if counts else "The outbox is empty.")
        for each in stopped:
            console.print(stop.told(each), markup=False)
        _tell_found(console, app, found)
        _tell_waiting(console, waits.items)
        if waits.pages > 1:
            console.print(f"Page {waits.page:,} of {waits.pages:,}; {waits.total:,} wait. Go on with --page.")

    out.give(data, tell)


def _found(app: Orchestrator, statuses: Sequence[str]) -> list[ItemView]:
    """Read the items that stand at one of these, in the order of their times."""
    found = [each for s in statuses for each in app.look(views.listed, Wanted(status=s, limit=_READ))]
    return sorted(found, key=lambda each: (each.item.due_at, each.item.id))


def _line(each: ItemView) -> dict[str, Any]:
    names = ("status", "campaign_id", "play", "account", "channel", "person_id", "due_at", "remote_url")
    return {"item": each.ref, **{name: getattr(each.item, name) for name in names}, "text": each.said.text}


def _tell_found(console: Console, app: Orchestrator, found: list[ItemView]) -> None:
    rows = table("item", "status", "due", "on", "says")
    for each in found[:_SHOWN]:
        due = each.item.due_at.astimezone(app.brand.zone)
        says = shorten(each.said.subject or each.said.text, 50, placeholder="...")
        if each.item.status == Status.OFFERED:  # what a colleague hands to the advocate
            says = f"{each.item.person_id}: {each.item.remote_url}"
        rows.add_row(each.ref, each.item.status, f"{due:%Y-%m-%d %H:%M}", each.item.account, Text(says))
    if found:
        console.print(rows)
    if len(found) > _SHOWN:
        console.print(f"and more: {len(found) - _SHOWN:,}; narrow it down with --status, or use --json")


@_outbox.command()
def show(
    ctx: typer.Context, item: Annotated[str, typer.Argument(help="The item.")], as_json: Json = False
) -> None:
    """Show one item: what it says, where it stands, and every try at it."""
    app, out = opened(ctx), output(as_json)
    row, post = app.seen(item)
    tries, shares = app.sending.history(row.id), app.look(kits.of, row.id)
    data = {
        "item": reference(row), "status": row.status, "reason": row.reason, "account": row.account,
        "due_at": row.due_at, "url": row.remote_url, "remote_id": row.remote_id, "text": post.text,
        "attempts": [_try(each) for each in tries], "shares": [_share(each) for each in shares],
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
        for share in shares:
            what = "told to be shared on" if share.told else "opened on"
            console.print(
                f"  {what} {share.way} at {share.at:%Y-%m-%d %H:%M} UTC {share.url}".rstrip(), markup=False
            )

    out.give(data, tell)


def _try(row: AttemptRow) -> dict[str, Any]:
    names = (
        "number",
        "state",
        "started_at",
        "scheduled_for",
        "left_at",
        "ended_at",
        "error",
        "settled",
        "settled_by",
    )
    return {name: plain(getattr(row, name)) for name in names}


def _share(row: Share) -> dict[str, Any]:
    return {name: plain(getattr(row, name)) for name in ("way", "at", "told", "url")}


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
