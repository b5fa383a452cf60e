"""Commands about what happens: check, preview, plan, apply, approve, reject, cancel, move, post."""

import mimetypes
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from connectors.base import Media
from orchestrator.app import Orchestrator, views
from orchestrator.app.programme import Planned
from orchestrator.cli.asking import Json, opened, output
from orchestrator.cli.show import Output
from orchestrator.errors import CheckError, NotAllowedError
from orchestrator.intake import values
from orchestrator.items import Item, Status, reference
from orchestrator.plan import PlannedItem

Playbook = Annotated[str, typer.Argument(help="A playbook's name.")]
Items = Annotated[list[str] | None, typer.Argument(help="Items as ID@REV.")]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (check, preview, plan, apply, approve, reject, cancel, move, post):
        app.command()(command)


def check(
    ctx: typer.Context,
    paths: Annotated[list[Path] | None, typer.Argument(help="Only these files or folders.")] = None,
    as_json: Json = False,
) -> None:
    """Look at brand.yaml, packs and playbooks; tell every problem at once."""
    app, out = opened(ctx), output(as_json)
    found = app.check(paths or ())
    counted = f"{_many(len(found.packs), 'pack')} and {_many(len(found.playbooks), 'playbook')} in order."
    out.give(found, lambda console: console.print(counted))


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def preview(ctx: typer.Context, playbook: Playbook, as_json: Json = False) -> None:
    """Show each text and picture as each channel would show it; nothing is kept or sent."""
    app, out = opened(ctx), output(as_json)
    diff = app.preview(playbook)
    if diff.problems:
        raise CheckError.of(diff.problems)
    out.give(
        {"items": [_item(i) for i in diff.planned]}, lambda console: _tell_preview(console, app, diff.planned)
    )


def _item(item: PlannedItem) -> dict[str, Any]:
    post = item.post
    return {
        "item": f"{item.id}@{item.rev}",
        "play": item.play,
        "channel": item.channel,
        "account": item.account,
        "person_id": item.person_id,
        "goal": item.goal,
        "due_at": item.due_at,
        "slot": item.slot,
        "hand_over": item.hand_over,
        "subject": post.subject,
        "text": post.text,
        "link": post.link,
        "target": item.link.target if item.link else "",
        "media": [_media(media) for media in post.media],
    }


def _media(media: Media) -> dict[str, Any]:
    size = len(media.data)
    return {
        "name": media.name,
        "type": media.type,
        "alt": media.alt,
        "bytes": size,
        "sha256": media.sha256,
    }


def _tell_preview(console: Console, app: Orchestrator, planned: tuple[PlannedItem, ...]) -> None:
    series: dict[tuple[str, str, str], list[PlannedItem]] = {}
    for item in planned:
        series.setdefault((item.play, item.channel, "" if item.person_id else item.account), []).append(item)
    for item, *again in series.values():
        title = f"{item.play} on {item.channel}, {_when(app, item)}"
        console.print(f"---- {title} {'-' * (70 - len(title))}", markup=False)
        if item.post.subject:
            console.print(f"Subject: {item.post.subject}", markup=False)
        console.print(item.post.text, markup=False)
        for media in item.post.media:
            console.print(f"[picture {media.name}, {len(media.data):,} bytes] {media.alt}", markup=False)
        if again:
            console.print(_again(app, again), markup=False)
        console.print(f"{item.id}@{item.rev}", style="dim", markup=False)


def _when(app: Orchestrator, item: PlannedItem) -> str:
    return f"{item.due_at.astimezone(app.brand.zone):%a %d %b %Y %H:%M}"


def _again(app: Orchestrator, items: list[PlannedItem]) -> str:
    """Say when a play that recurs comes again: the next two times, and how many more until when."""
    shown, more = items[:2], items[2:]
    said = f"again {' and '.join(_when(app, each) for each in shown)}"
    return f"{said}, and {len(more):,} more until {_when(app, more[-1])}" if more else said


def plan(ctx: typer.Context, playbook: Playbook, as_json: Json = False) -> None:
    """Say what applying a playbook would change: + new, ~ changed, - cancelled."""
    app, out = opened(ctx), output(as_json)
    planned = app.plan(playbook)
    if planned.diff.problems:
        raise CheckError.of(planned.diff.problems)
    out.give(_diff(planned), lambda console: console.print(planned.diff.text(), markup=False))


def _diff(planned: Planned) -> dict[str, Any]:
    diff = planned.diff
    return {
        "campaign": planned.campaign.id,
        "new": [_item(item) for item in diff.new],
        "changed": [{**_item(change.item), "what": change.what} for change in diff.changed],
        "cancelled": [f"{each.id}@{each.rev}" for each in diff.cancelled],
        "same": diff.same,
        "left_out": diff.left_out,
        "problems": diff.problems,
    }


def apply(ctx: typer.Context, playbook: Playbook, as_json: Json = False) -> None:
    """Do what the plan says; a second time there is nothing to do."""
    app, out = opened(ctx), output(as_json)
    planned, applied, ref = app.apply(playbook)
    lines = {line.campaign.id: line for line in app.look(views.campaigns)}
    waiting = lines[planned.campaign.id].count(Status.PLANNED)
    data = {**_diff(planned), "campaign_ref": ref, "waiting": waiting}

    def tell(console: Console) -> None:
        console.print(planned.diff.text(), markup=False)
        console.print(
            f"Applied: {applied.new} new, {applied.changed} changed, {applied.cancelled} cancelled."
        )
        if waiting:
            console.print(
                f"Waiting for approval: {waiting}. Approve with: orchestrator approve --campaign {ref}",
                markup=False,
            )

    out.give(data, tell)


def approve(
    ctx: typer.Context,
    items: Items = None,
    campaign: Annotated[str, typer.Option(help="All that waits in a campaign, as ID@REV.")] = "",
    as_json: Json = False,
) -> None:
    """Approve exactly what was seen; a bare ID shows the content and asks."""
    app, out = opened(ctx), output(as_json)
    if not items and not campaign:
        raise CheckError("say which items (ID@REV), or --campaign ID@REV")
    refs = [_sure(app, out, ref, "Approve this?") for ref in items or ()]
    done = app.approve(refs, campaign)
    _give(out, done, "approved")


def reject(
    ctx: typer.Context,
    items: Items = None,
    why: Annotated[str, typer.Option(help="The reason, for its author.")] = "",
    as_json: Json = False,
) -> None:
    """Refuse items, with a reason for their author."""
    app, out = opened(ctx), output(as_json)
    if not items:
        raise CheckError("say which items (ID@REV)")
    refs = [_sure(app, out, ref, "Reject this?") for ref in items]
    _give(out, app.reject(refs, why), "rejected")


def _sure(app: Orchestrator, out: Output, ref: str, question: str) -> str:
    """Bind a decision to what was seen: a bare ID is shown first, and refused where nobody can look."""
    if "@" in ref:
        return ref
    if out.as_json:
        raise CheckError(f"{ref!r} names no revision; say ID@REV, as plan and preview print it")
    item, post = app.seen(ref)
    out.note(f"{reference(item)} on {item.channel}:\n{post.text}")
    for media in post.media:
        out.note(f"[picture {media.name}] {media.alt}")
    if not typer.confirm(question):
        raise NotAllowedError("Nothing was decided.")
    return reference(item)


def _give(out: Output, done: list[Item], verb: str) -> None:
    refs = [{"item": reference(item), "status": item.status} for item in done]
    out.give({"items": refs}, lambda console: console.print(f"{len(done)} {verb}."))


def cancel(
    ctx: typer.Context,
    ids: Annotated[list[str], typer.Argument(help="Items or campaigns.")],
    as_json: Json = False,
) -> None:
    """Call off items or whole campaigns before they left."""
    app, out = opened(ctx), output(as_json)
    done = app.cancel(ids)
    out.give({"cancelled": done}, lambda console: console.print(f"{len(done)} cancelled."))


def move(
    ctx: typer.Context,
    item: Annotated[str, typer.Argument(help="The item, ID or ID@REV.")],
    at: Annotated[str, typer.Option(help="The new time, ISO 8601; without offset in the brand's zone.")],
    as_json: Json = False,
) -> None:
    """Give an item another time; what was approved for the old one needs approval again."""
    app, out = opened(ctx), output(as_json)
    moved = app.move(item, _moment(app, at))
    data = {"item": reference(moved), "status": moved.status, "due_at": moved.due_at}
    due = moved.due_at.astimezone(app.brand.zone)
    text = f"{reference(moved)} is {moved.status}, due {due:%a %d %b %Y %H:%M}."
    out.give(data, lambda console: console.print(text, markup=False))


def _moment(app: Orchestrator, text: str) -> datetime:
    try:
        return values.moment(app.brand.zone)(text)
    except ValueError as error:
        raise CheckError(f"--at {text!r}: {error}") from error


def post(
    ctx: typer.Context,
    channel: Annotated[str, typer.Argument(help="A channel with one account, or an account's name.")],
    text: Annotated[str, typer.Argument(help="What it says.")],
    media: Annotated[list[Path] | None, typer.Option(help="A picture; may be given again.")] = None,
    alt: Annotated[list[str] | None, typer.Option(help="What the picture shows, one for each.")] = None,
    at: Annotated[str, typer.Option(help="When, ISO 8601; else now.")] = "",
    as_json: Json = False,
) -> None:
    """Queue one post without a playbook; publish sends it."""
    app, out = opened(ctx), output(as_json)
    item = app.post(channel, text, _pictures(media or [], alt or []), _moment(app, at) if at else None)
    data = {"item": reference(item), "status": item.status, "account": item.account, "due_at": item.due_at}
    out.give(data, lambda console: console.print(f"{reference(item)} is {item.status} on {item.account}."))


def _pictures(paths: list[Path], alts: list[str]) -> list[Media]:
    if len(paths) != len(alts):
        raise CheckError(f"{len(paths)} pictures and {len(alts)} alt texts: give one --alt for each --media")
    made = []
    for path, alt in zip(paths, alts, strict=True):
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        try:
            made.append(Media(path.name, kind, alt, path.read_bytes()))
        except OSError as error:
            raise CheckError(f"{path}: cannot be read ({error.strerror})") from error
    return made
