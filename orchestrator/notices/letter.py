"""A notice and its incidents -> the one page that its reader gets, as text or as JSON, without secrets."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from textwrap import shorten
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from orchestrator.items import Item, Revision
from orchestrator.notices.tables import Incident, Notice

SHOWN, _REASONS = 20, 10  # lines of a letter: a hundred thousand would be read by nobody
_TEXT, _REASON = 200, 300  # characters
_MEANING = {
    "held": "kept back by its account, a stop or its lateness",
    "uncertain": "may be public; somebody has to look",
    "failed": "given back to its author",
    "expired": "its time was over before it left",
    "overdue": "due, and not leaving",
    "clock": "nothing leaves by itself",
    "expiring": "the consent of an account ends soon",
    "renewing": "the consent of an account is over, or cannot be renewed",
    "campaign": "nothing of what is ahead in it can leave",
}


@dataclass(frozen=True)
class Sender:
    """Which brand writes, where its pages are, and in which zone its readers live."""

    brand: str
    url: str
    zone: tzinfo


@dataclass(frozen=True)
class Line:
    """One incident as it is shown; `text` is what the item says, "" where that is for one person's eyes."""

    kind: str
    subject: str
    says: str
    since: datetime
    link: str
    account: str = ""
    channel: str = ""
    text: str = ""


@dataclass(frozen=True)
class Letter:
    """Everything a notice says; its incidents keep their words, so that a repeated one says the same."""

    sender: Sender
    owner: str
    key: str
    made_at: datetime
    counts: tuple[tuple[str, int], ...]
    reasons: tuple[tuple[str, str, int], ...]
    lines: tuple[Line, ...]

    @property
    def total(self) -> int:
        """How many incidents it tells."""
        return sum(number for _, number in self.counts)

    @property
    def subject(self) -> str:
        """Say it in one line."""
        counted = ", ".join(f"{number:,} {kind}" for kind, number in self.counts)
        return shorten(f"{self.sender.brand}: {counted}", 150, placeholder=" ...")

    def text(self) -> str:
        """Write it as a page of plain text."""
        head = [f"{number:,} {kind}: {_MEANING[kind]}" for kind, number in self.counts]
        return "\n".join([*head, "", *self._lines(), *self._rest(), *self._foot(), ""])

    def _lines(self) -> list[str]:
        told: list[str] = []
        for each in self.lines:
            where = f" on {each.account} ({each.channel})" if each.account else ""
            what = f" {each.subject}" if each.subject else ""
            since = each.since.astimezone(self.sender.zone).strftime("%a %-d %b %Y, %H:%M")
            told.append(f"- {each.kind}{what}{where}, since {since}: {each.says}")
            told += [f'  "{each.text}"'] if each.text else []
            told += [f"  {each.link}", ""]
        return told

    def _rest(self) -> list[str]:
        more = self.total - len(self.lines)
        if not more:
            return []
        why = [f"- {number:,} {kind}: {says}" for kind, says, number in self.reasons]
        return [f"... and {more:,} more. All of them, by reason:", *why, ""]

    def _foot(self) -> list[str]:
        you = "the account's owner" if self.owner else "an admin of the brand"
        return [
            f"Everything that waits for a person: {self.sender.url}/outbox",
            f"You get this as {you}. Nothing is lost, and nothing of this is told again.",
        ]

    def data(self) -> Mapping[str, Any]:
        """Give it as JSON can hold it; what items say is left out: a webhook may lead anywhere."""
        return {
            "type": "notice",
            "id": self.key,
            "brand": self.sender.brand,
            "owner": self.owner,
            "made_at": self.made_at.isoformat(),
            "total": self.total,
            "counts": dict(self.counts),
            "reasons": [{"kind": k, "reason": says, "count": n} for k, says, n in self.reasons],
            "incidents": [_plain(each) for each in self.lines],
            "url": f"{self.sender.url}/outbox",
        }


def _plain(line: Line) -> dict[str, str]:
    """Give a line without the item's text."""
    return {
        "kind": line.kind, "subject": line.subject, "reason": line.says, "since": line.since.isoformat(),
        "account": line.account, "channel": line.channel, "url": line.link,
    }  # fmt: skip


def write(session: Session, notice: Notice, sender: Sender) -> Letter:
    """Read what a notice tells: counts over all of its incidents, and the first of them."""
    mine = Incident.digest == notice.digest
    number = func.count()
    by_kind = select(Incident.kind, number).where(mine).group_by(col(Incident.kind))
    by_reason = select(Incident.kind, Incident.says, number).where(mine)
    by_reason = by_reason.group_by(col(Incident.kind), col(Incident.says))
    most = by_reason.order_by(number.desc(), col(Incident.kind), col(Incident.says)).limit(_REASONS)
    first = select(Incident).where(mine).order_by(col(Incident.opened_at), col(Incident.id)).limit(SHOWN)
    return Letter(
        sender=sender,
        owner=notice.owner,
        key=notice.key,
        made_at=notice.made_at,
        counts=tuple(session.exec(by_kind.order_by(number.desc(), col(Incident.kind))).all()),
        reasons=tuple((kind, _line(says), n) for kind, says, n in session.exec(most).all()),
        lines=_read(session, session.exec(first).all(), sender),
    )


def _read(session: Session, incidents: Sequence[Incident], sender: Sender) -> tuple[Line, ...]:
    ids = [each.subject for each in incidents]
    items = {item.id: item for item in session.exec(select(Item).where(col(Item.id).in_(ids)))}
    bodies = select(Revision).where(col(Revision.item_id).in_(ids))
    said = {(row.item_id, row.rev): row.body for row in session.exec(bodies)}
    lines = []
    for each in incidents:
        item = items.get(each.subject)
        text = said.get((item.id, item.rev), "") if item else ""
        lines.append(_of_item(each, item, text, sender) if item else _of_all(each, sender))
    return tuple(lines)


def _of_item(incident: Incident, item: Item, body: str, sender: Sender) -> Line:
    public = body and not item.person_id  # what is said to one person is theirs
    text = shorten(json.loads(body)["text"], _TEXT, placeholder=" ...") if public else ""
    return Line(
        kind=incident.kind,
        subject=f"{item.id}@{item.rev}",
        says=_line(incident.says),
        since=incident.opened_at,
        link=f"{sender.url}/items/{item.id}",
        account=item.account,
        channel=item.channel,
        text=text,
    )


def _of_all(incident: Incident, sender: Sender) -> Line:
    link = f"{sender.url}/outbox"
    return Line(incident.kind, incident.subject, _line(incident.says), incident.opened_at, link)


def _line(text: str) -> str:
    return shorten(text, _REASON, placeholder=" ...") or "no reason is known"
