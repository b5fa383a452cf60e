"""A campaign that recurs goes on by itself, from what was applied, once each, whatever the clock does."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, select

from connectors.rehearsal import Rehearsal
from orchestrator import items
from orchestrator.app import Orchestrator, samples
from orchestrator.app.programme import Extended
from orchestrator.errors import CheckError
from orchestrator.items import Item
from orchestrator.plan import Standing
from tests.outbox_world import ToldClock

TOKEN = "rehearsal-token"
FRIDAY = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
BOOK = """\
playbook: weekly
title: Something useful every week
why: Who learns something from us comes back.
goal: affinity
rules: {approval: none, horizon: 2w}
plays:
  - play: once
    tiers: [covered-households]
    pack: how-to-sort-bricks
    template: tip
    channels: [mastodon]
    ask: try
    at: day 30 09:00
  - play: tip
    tiers: [covered-households]
    pack: how-to-sort-bricks
    template: tip
    channels: [mastodon]
    ask: try
    every: monday 09:00
    late: send
"""


@dataclass
class Brand:
    """The sample brand with a weekly playbook, one account, and a clock that is told."""

    app: Orchestrator
    clock: ToldClock
    platform: Rehearsal

    @property
    def book(self) -> Path:
        return self.app.brand.folder / "playbooks" / "weekly.yaml"

    def write(self, old: str = "", new: str = "") -> None:
        assert old in BOOK
        self.book.write_text(BOOK.replace(old, new) if old else BOOK, encoding="utf-8")

    def at(self, text: str) -> None:
        """Set the clock to a time in the brand's zone, whether that is ahead or back."""
        self.clock.now = datetime.fromisoformat(text).replace(tzinfo=self.app.brand.zone).astimezone(UTC)

    def tick(self) -> int:
        """Go on and send what is due; return how many posts are public there."""
        self.app.extend()
        self.app.publish(until_idle=True)
        return len(self.platform.statuses())

    def due(self, status: str) -> list[str]:
        with_status = [each for each in self.app.look(everything) if each.status == status and each.slot]
        return [each.slot for each in sorted(with_status, key=lambda each: each.due_at)]


def everything(session: Session) -> list[Item]:
    return list(session.exec(select(Item)))


@pytest.fixture
def brand(tmp_path: Path) -> Iterator[Brand]:
    samples.copy_sample(tmp_path / "brand")
    clock = ToldClock(FRIDAY)
    with Rehearsal({"promo": TOKEN}) as platform, Orchestrator(tmp_path / "brand", clock=clock) as app:
        app.connect("mastodon", "promo", {"server": platform.url, "token": TOKEN})
        made = Brand(app, clock, platform)
        made.write()
        yield made


# ---- going on -----------------------------------------------------------------------------------


def test_a_campaign_goes_on_without_anybody_applying_it(brand: Brand) -> None:
    brand.app.apply("weekly")
    assert brand.due("queued") == ["2026-11-23", "2026-11-30"]
    assert brand.app.extend() == Extended()
    for week in range(1, 5):
        brand.clock.move(weeks=1)
        assert brand.app.extend() == Extended(new=1), week
        assert brand.app.extend() == Extended()
        assert brand.tick() == week + (week > 4)


def test_what_is_long_over_is_not_read_again_and_nothing_changes_by_that(
    brand: Brand, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    standing = items.standing

    def counted(session: Session, campaign_id: str, since: datetime | None = None) -> tuple[Standing, ...]:
        found = standing(session, campaign_id, since)
        read.append(len(found))
        return found

    brand.app.apply("weekly")
    monkeypatch.setattr(items, "standing", counted)
    for _ in range(6):
        brand.clock.move(weeks=1)
        assert brand.app.extend().new == 1
    assert len(brand.app.look(everything)) == 9  # and what happens once
    assert read == [3, 4, 5, 5, 5, 5]  # three weeks back, one ahead, and what happens once
    assert brand.app.extend() == Extended()


def test_it_goes_on_from_what_was_applied_not_from_what_stands_in_the_folder(brand: Brand) -> None:
    brand.app.apply("weekly")
    brand.write("every: monday 09:00", "every: day 10:00")
    pack = brand.app.brand.folder / "content" / "how-to-sort-bricks"
    for text in pack.glob("*.j2"):
        text.write_text("Nobody has seen this.", encoding="utf-8")
    brand.clock.move(weeks=2)
    assert brand.app.extend().new == 2
    assert brand.due("queued") == ["2026-11-23", "2026-11-30", "2026-12-07", "2026-12-14"]
    posts = {brand.app.seen(each.id)[1].text for each in brand.app.look(everything) if each.slot}
    assert not any("Nobody has seen" in text for text in posts)
    brand.book.unlink()
    brand.clock.move(weeks=1)
    assert brand.app.extend().new == 1


def test_applied_anew_it_goes_on_from_that(brand: Brand) -> None:
    brand.app.apply("weekly")
    brand.write("every: monday 09:00", "every: tuesday 09:00")
    brand.app.apply("weekly")
    brand.clock.move(weeks=1)
    assert brand.app.extend().new == 1
    assert brand.due("queued") == ["2026-11-24", "2026-12-01", "2026-12-08"]
    assert brand.due("cancelled") == ["2026-11-23", "2026-11-30"]


def test_what_happens_once_and_what_was_called_off_does_not_go_on(brand: Brand) -> None:
    planned, _, _ = brand.app.apply("weekly")
    brand.clock.move(weeks=1)
    assert brand.app.extend().new == 1
    brand.app.cancel([planned.campaign.id])
    brand.clock.move(weeks=4)
    assert brand.app.extend() == Extended()


def test_what_needs_approval_waits_for_it_and_ends_when_the_next_one_comes(brand: Brand) -> None:
    brand.write("approval: none", "approval: required")
    brand.app.apply("weekly")
    brand.clock.move(weeks=2)
    assert brand.app.extend() == Extended(new=2, overtaken=1)
    assert (brand.due("expired"), brand.due("queued")) == (["2026-11-23"], [])
    assert brand.due("planned") == ["2026-11-30", "2026-12-07", "2026-12-14"]
    assert brand.tick() == 0


def test_a_campaign_that_cannot_go_on_says_why_and_does_not_keep_others_from_it(brand: Brand) -> None:
    brand.app.apply("weekly")
    other = BOOK.replace("playbook: weekly", "playbook: other").replace(
        "pack: how-to-sort-bricks", "pack: short"
    )
    content = brand.app.brand.folder / "content"
    shutil.copytree(content / "how-to-sort-bricks", content / "short")
    described = content / "short" / "pack.yaml"
    text = described.read_text(encoding="utf-8").replace("expires: never", "expires: 2026-12-10")
    described.write_text(text, encoding="utf-8")
    (brand.book.parent / "other.yaml").write_text(other.replace("    at: day 30 09:00\n", "    at: start\n"))
    brand.app.apply("other")
    brand.clock.move(weeks=2)
    with pytest.raises(CheckError, match=r"does not go on: .*rights have expired on 2026-12-10"):
        brand.app.extend()
    assert brand.due("queued").count("2026-12-14") == 1  # the other campaign's


# ---- a clock that jumps, a machine that sleeps --------------------------------------------------


def test_a_clock_that_goes_back_sends_nothing_twice_and_plans_nothing_twice(brand: Brand) -> None:
    brand.app.apply("weekly")
    brand.at("2026-11-30 09:01")
    assert brand.tick() == 1  # the newest one; the one before is over
    for text in ("2026-11-23 09:01", "2026-11-01 09:00", "2026-11-30 08:59", "2026-11-30 09:02"):
        brand.at(text)
        assert brand.tick() == 1, text
    assert brand.due("expired") == ["2026-11-23"]
    brand.at("2026-12-07 09:00")
    assert brand.tick() == 2


def test_a_machine_that_slept_over_five_times_sends_the_newest_alone(brand: Brand) -> None:
    brand.write("horizon: 2w", "horizon: 8w")
    brand.app.apply("weekly")
    brand.at("2026-12-22 12:00")
    assert brand.tick() == 1 + 1  # and what happens once
    assert brand.due("published") == ["2026-12-21"]
    assert brand.due("expired") == ["2026-11-23", "2026-11-30", "2026-12-07", "2026-12-14"]


def test_one_that_slept_beyond_its_horizon_does_so_too(brand: Brand) -> None:
    brand.app.apply("weekly")
    brand.at("2027-01-05 12:00")
    assert brand.tick() == 1 + 1
    assert brand.due("published") == ["2027-01-04"]
    assert brand.due("queued") == ["2027-01-11", "2027-01-18"]


@pytest.mark.parametrize(
    ("late", "slept", "status"),
    [
        ("late: send\n    sell-by: 1d", 23, "published"),
        ("late: send\n    sell-by: 1d", 25, "expired"),
        ("late: skip", 1, "expired"),
        ("late: skip", 0.1, "published"),
        ("late: ask", 1, "held"),
        ("late: send", 24 * 6, "published"),
    ],
)
def test_each_play_says_what_late_means(brand: Brand, late: str, slept: float, status: str) -> None:
    brand.write("late: send", late)
    brand.app.apply("weekly")
    brand.at("2026-11-23 09:00")
    brand.clock.now += slept * HOUR
    brand.tick()
    assert "2026-11-23" in brand.due(status)


def test_a_clock_that_goes_forward_and_back_again_leaves_what_was_not_late(brand: Brand) -> None:
    brand.app.apply("weekly")
    brand.at("2026-11-23 08:00")
    brand.tick()
    brand.at("2026-11-23 07:00")
    assert brand.tick() == 0
    brand.at("2026-11-23 09:00")
    assert brand.tick() == 1
