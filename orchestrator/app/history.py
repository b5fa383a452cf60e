"""Files people bring -> rows with the rooms that own them, each row once, and the refused lines beside."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import cast

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from orchestrator import db, intake, items
from orchestrator import facts as history
from orchestrator.audience import Saved, people
from orchestrator.brand import Brand
from orchestrator.facts import Facts
from orchestrator.intake import Batch, CostRow, OrderRow, PersonRow, ReadingRow, Rejects, Row, Source
from orchestrator.items import Campaign
from orchestrator.tracking import costs, orders, readings

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Brought:
    """What became of one file: rows that are new, that changed, that were known, that were refused.

    `still_withdrawn` counts consents the file gives that the person had taken back elsewhere: they stay back.
    """

    path: Path
    kind: str
    added: int
    changed: int
    known: int
    rejected: int
    rejects: Path | None
    still_withdrawn: int = 0

    @property
    def kept(self) -> int:
        """Return how many rows of the file are good."""
        return self.added + self.changed + self.known


@dataclass(frozen=True)
class Shelf:
    """Where rows go: the brand, its database and its facts."""

    brand: Brand
    engine: Engine
    facts: Facts


def bring(
    shelf: Shelf, source: Source, now: datetime, progress: Progress, taken: Collection[Path] = ()
) -> Brought:
    """Read one file into the rooms; run it again and nothing changes. Rejects files in `taken` are left."""
    with Rejects(source.path, taken=taken) as rejects:
        batches = _told(intake.read(source, shelf.brand, progress), rejects)
        saved = (
            _facts(shelf, source, batches)
            if source.kind in history.KINDS
            else _rows(shelf, source, batches, now)
        )
    return Brought(
        source.path,
        source.kind,
        saved.added,
        saved.changed,
        saved.same,
        rejects.count,
        rejects.path if rejects.count else None,
        saved.still_withdrawn,
    )


def _told(batches: Iterator[Batch], rejects: Rejects) -> Iterator[Batch]:
    for batch in batches:
        rejects.add(batch.rejects)
        yield batch


def _facts(shelf: Shelf, source: Source, batches: Iterator[Batch]) -> Saved:
    """Add bulk history in one piece."""
    kept = shelf.facts.append(source.kind, (batch.table for batch in batches if batch.table is not None))
    return Saved(kept.added, 0, kept.known)


def _rows(shelf: Shelf, source: Source, batches: Iterator[Batch], now: datetime) -> Saved:
    """Save batch by batch, each whole; a run that broke off is finished by running it again."""
    total = Saved()
    for batch in batches:
        with db.writing(shelf.engine) as session:
            total += _save(session, shelf, source, batch.rows, now)
    return total


def _save(session: Session, shelf: Shelf, source: Source, rows: Sequence[Row], now: datetime) -> Saved:
    """Hand rows to the room that owns their kind."""
    origin = intake.origin_of(source)
    if source.kind == "people":
        return people.save(session, cast(Sequence[PersonRow], rows), now, origin)
    if source.kind == "orders":
        receipt = orders.save(session, shelf.facts, cast(Sequence[OrderRow], rows), now, origin)
    elif source.kind == "readings":
        known = items.by_remote_id(session)
        receipt = readings.save(session, cast(Sequence[ReadingRow], rows), origin, known)
    else:
        receipt = costs.save(session, _named(session, cast(Sequence[CostRow], rows)))
    return Saved(receipt.added, 0, receipt.known)


def _named(session: Session, rows: Sequence[CostRow]) -> list[CostRow]:
    """Let costs name a campaign by its playbook too: its newest run is meant."""
    runs = session.exec(select(Campaign).order_by(col(Campaign.started_at)))
    ids = {campaign.playbook: campaign.id for campaign in runs}
    return [replace(row, campaign=ids.get(row.campaign, row.campaign)) for row in rows]
