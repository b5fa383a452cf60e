"""Commands about who: import, tiers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from orchestrator import intake
from orchestrator.app.history import Brought
from orchestrator.audience import Explanation, Tier, TierReport
from orchestrator.cli.asking import Json, opened, output
from orchestrator.cli.show import Output, table
from orchestrator.errors import CheckError, PeopleError
from orchestrator.intake import Source

_LONG = 1_000_000  # bytes above which a progress bar is worth its place


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("import")(import_)
    app.command()(tiers)


def import_(
    ctx: typer.Context,
    kind: Annotated[str, typer.Argument(help=f"One of: {', '.join(intake.KINDS)}.")],
    files: Annotated[list[Path], typer.Argument(help="CSV or Parquet, gzip allowed.")],
    map_: Annotated[str, typer.Option("--map", help="Rename columns: theirs=ours,...")] = "",
    delimiter: Annotated[str, typer.Option(help="blank, a comma, a semicolon or tab; else found out.")] = "",
    columns: Annotated[str, typer.Option(help="Column names of a file without a header; - skips one.")] = "",
    encoding: Annotated[str, typer.Option(help="Encoding of the text.")] = "utf-8",
    source: Annotated[str, typer.Option(help="Name of the source; else the file's name.")] = "",
    as_json: Json = False,
) -> None:
    """Bring people, purchases, visits and other history; the same file again changes nothing."""
    app, out = opened(ctx), output(as_json)
    names = tuple(name.strip() for name in columns.split(",")) if columns else ()
    mapping = intake.mapping(map_)
    brought: list[Brought] = []
    try:
        for path in files:
            asked = Source(kind, path, mapping, delimiter, names, encoding, source)
            taken = [each.rejects for each in brought if each.rejects]
            with _progress(out, path) as progress:
                brought.append(app.bring(asked, progress, taken))
    except PeopleError:
        for each in brought:
            out.note(f"{each.path} was imported before this; importing it again changes nothing.")
        raise
    out.give({"files": brought}, lambda console: _tell_brought(console, brought))
    if any(each.rejected and not each.kept for each in brought):
        raise typer.Exit(CheckError.exit_code)  # not one good row: hardly what was meant


@contextmanager
def _progress(out: Output, path: Path) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on the terminal for a long file; say nothing for a short one."""
    size = path.stat().st_size if path.is_file() else 0
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn(),
        console=Console(stderr=True), transient=True, disable=size < _LONG or out.as_json,
    )  # fmt: skip
    with bar:
        task = bar.add_task(path.name, total=size)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _tell_brought(console: Console, brought: list[Brought]) -> None:
    rows = table("file", "new", "changed", "known", "refused", right=(1, 2, 3, 4))
    for each in brought:
        figures = (each.added, each.changed, each.known, each.rejected)
        rows.add_row(str(each.path), *(f"{figure:,}" for figure in figures))
    console.print(rows)
    for each in brought:
        if each.still_withdrawn:
            console.print(f"{each.still_withdrawn:,} consents stay withdrawn: their people took them back.")
        if each.rejects:
            console.print(
                f"Refused lines of {each.path}, each with its reason: {each.rejects}. "
                f"Put them right in {each.path} and import it again; what is known stays as it is.",
                markup=False,
            )


def tiers(
    ctx: typer.Context,
    as_of: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day to sort for; else today.")
    ] = None,
    person: Annotated[str, typer.Option(help="Say which tier one person is in, and why.")] = "",
    as_json: Json = False,
) -> None:
    """Sort everybody into the six tiers; count them and the moves since the last run."""
    app, out = opened(ctx), output(as_json)
    day = as_of.date() if as_of else None
    if person:
        found = app.why(person, day)
        out.give(_explained(found), lambda console: _tell_why(console, found))
        return
    report = app.tiers(day)
    out.give(_counted(report), lambda console: _tell_tiers(console, report))


def _explained(found: Explanation) -> dict[str, object]:
    return {
        "person_id": found.person_id,
        "household_id": found.household_id,
        "tier": int(found.tier),
        "slug": found.tier.slug,
        "since": found.since,
        "reason": found.reason,
    }


def _counted(report: TierReport) -> dict[str, object]:
    moves = [
        {"from": Tier(old).slug if old else None, "to": Tier(new).slug, "people": count}
        for old, new, count in report.moves
    ]
    tiers = [{"tier": int(tier), "slug": tier.slug, "people": count} for tier, count in report.counts]
    counts = {tier.slug: count for tier, count in report.counts}
    told = {"as_of": report.as_of, "people": report.people, "counts": counts, "tiers": tiers}
    return {**told, "moves": moves, "kept": report.kept}


def _tell_why(console: Console, found: Explanation) -> None:
    console.print(f"{found.person_id} is in tier {int(found.tier)}, {found.tier.slug}.", markup=False)
    console.print(found.reason, markup=False)


def _tell_tiers(console: Console, report: TierReport) -> None:
    rows = table("", "tier", "people", right=(0, 2))
    for tier, count in report.counts:
        rows.add_row(str(int(tier)), tier.slug, f"{count:,}")
    noun = "person" if report.people == 1 else "people"
    console.print(f"{report.people:,} {noun} as of {report.as_of}", markup=False)
    console.print(rows)
    moved = [(old, new, count) for old, new, count in report.moves if old]
    if moved:
        console.print("Moves since the last run:")
    for old, new, count in moved:
        console.print(f"  {Tier(old).slug} -> {Tier(new).slug}: {count:,}", markup=False)
    if not report.kept:
        console.print("A later day has been sorted for already, so this one is shown and not kept.")
