"""Times are those of the clock on the wall: never twice, never skipped, quiet by night, late as told."""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import islice, pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Window
from orchestrator import plan
from orchestrator.plan import PlanInput, PlannedItem
from orchestrator.playbook import Play, local
from orchestrator.playbook.grammar import Caps
from orchestrator.playbook.recurrence import Occurrence, read_every
from orchestrator.quiet import Hours, Quiet, home, read_hours, read_zone, span
from tests.test_plan import ACCOUNTS, NOW, Making, applied, making, reader

__all__ = ["making"]  # the fixture
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
ZONES = sorted(available_timezones())
Line = list[tuple[datetime, datetime]]  # each minute's instant, and what the clock on the wall shows then

# Zones whose clocks once did something of their own, with a day near it.
ODD = [
    ("Australia/Lord_Howe", date(2026, 4, 5)),  # half an hour
    ("Pacific/Apia", date(2011, 12, 30)),  # a day that does not exist
    ("Pacific/Fakaofo", date(2011, 12, 30)),
    ("Africa/Casablanca", date(2026, 2, 15)),  # winter time in Ramadan: negative DST
    ("Africa/Casablanca", date(2026, 3, 22)),
    ("Europe/Dublin", date(2026, 3, 29)),  # negative DST by law
    ("America/Caracas", date(2007, 12, 9)),  # half an hour, without DST
    ("America/Caracas", date(2016, 5, 1)),
    ("Asia/Pyongyang", date(2015, 8, 15)),
    ("Asia/Pyongyang", date(2018, 5, 5)),
    ("Antarctica/Troll", date(2026, 3, 29)),  # two hours
    ("America/Havana", date(2026, 3, 8)),  # at midnight
    ("Africa/Cairo", date(2026, 4, 24)),
    ("America/Nuuk", date(2026, 3, 29)),
]


# ---- an oracle: walk through the minutes and look at the clock --------------------------------


@cache
def edges(name: str, year: int) -> tuple[datetime, ...]:
    """Find when a zone's clock jumps in a year, to the minute."""
    zone = ZoneInfo(name)
    days = [datetime(year, 1, 1, tzinfo=UTC) + n * DAY for n in range(366)]
    return tuple(jump(zone, a, b) for a, b in pairwise(days) if offset(zone, a) != offset(zone, b))


def jump(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    before = offset(zone, low)
    while high - low > MINUTE:
        middle = low + (high - low) // 2
        middle = middle.replace(second=0, microsecond=0)
        low, high = (middle, high) if offset(zone, middle) == before else (low, middle)
    return high


def offset(zone: ZoneInfo, at: datetime) -> timedelta:
    found = at.astimezone(zone).utcoffset()
    assert found is not None
    return found


@cache
def walk(before: timedelta, after: timedelta, edge: datetime) -> Line:
    """Write down what a wall clock shows for two days around the minute at which it jumps."""
    instants = [edge + n * MINUTE for n in range(-2880, 2880)]
    return [(at, (at + (before if at < edge else after)).replace(tzinfo=None)) for at in instants]


def around(name: str, edge: datetime) -> Line:
    zone = ZoneInfo(name)
    return walk(offset(zone, edge - MINUTE), offset(zone, edge), edge)


def meant(wall: datetime, line: Line, first: dict[datetime, datetime]) -> datetime:
    """Look up when a wall clock shows this first; where it never does, as long after the minute before it."""
    if wall in first:
        return first[wall]
    last, seen = next(a for a, b in pairwise(line) if a[1] < wall < b[1])
    return last + (wall - seen)


@cache
def changing() -> tuple[tuple[str, datetime], ...]:
    """Give every edge of every zone that has any, and the odd ones; of zones alike but in name one."""
    found = [(name, edge) for name in ZONES for edge in edges(name, 2026)]
    odd = [(name, min(edges(name, day.year), key=lambda at: abs(at.date() - day))) for name, day in ODD]
    alike = {_shape(name, edge): (name, edge) for name, edge in [*found, *odd]}
    return tuple(alike.values())


def _shape(name: str, edge: datetime) -> tuple[datetime, timedelta, timedelta]:
    return edge, offset(ZoneInfo(name), edge - MINUTE), offset(ZoneInfo(name), edge)


# ---- the hour on the wall -----------------------------------------------------------------------


def test_there_are_edges_of_both_kinds_in_very_many_zones() -> None:
    found = list(changing())
    assert len([name for name in ZONES if edges(name, 2026)]) > 150
    steps = {offset(ZoneInfo(n), at) - offset(ZoneInfo(n), at - MINUTE) for n, at in found}
    half, hour = timedelta(minutes=30), timedelta(hours=1)
    assert {half, -half, hour, -hour, 2 * hour, DAY} <= steps


def test_every_day_at_every_edge_of_every_zone_comes_once_at_its_hour() -> None:
    for name, edge in changing():
        line = around(name, edge)
        first = {wall: at for at, wall in reversed(line)}
        shown = line[2879][1] + MINUTE, line[2880][1]
        for wall in {each + n * MINUTE for each in shown for n in (-61, -1, 0, 15, 30, 59, 60)}:
            every = read_every(f"day {wall:%H:%M}").since(line[0][0], ZoneInfo(name))
            got = [each.at for each in islice(every, 8) if each.at <= line[-1][0]]
            days = [datetime.combine(line[0][1].date() + n * DAY, wall.time()) for n in range(6)]
            days = [each for each in days if line[0][1] <= each <= line[-1][1]]
            assert got == sorted({meant(each, line, first) for each in days}), (name, edge, wall)


FORMS: list[tuple[str, Callable[[date, date], bool]]] = [
    ("day", lambda day, first: True),
    ("3 days", lambda day, first: (day - first).days % 3 == 0),
    ("weekday", lambda day, first: day.weekday() < 5),
    ("weekend", lambda day, first: day.weekday() > 4),
    ("monday", lambda day, first: day.weekday() == 0),
    ("tuesday and friday", lambda day, first: day.weekday() in (1, 4)),
    ("2 weeks on friday", lambda day, first: day.weekday() == 4 and (day - first).days % 14 == 0),
    ("3 weeks on sunday", lambda day, first: day.weekday() == 6 and (day - first).days % 21 == 0),
    ("month on day 1", lambda day, first: day.day == 1),
    ("month on the last day", lambda day, first: (day + DAY).day == 1),
    ("month on the last friday", lambda day, first: day.weekday() == 4 and (day + 7 * DAY).day <= 7),
    ("month on the second monday", lambda day, first: day.weekday() == 0 and 8 <= day.day <= 14),
    ("2 months on day 28", lambda day, first: day.day == 28 and (day.month - first.month) % 2 == 0),
]


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(ZONES),
    st.sampled_from(FORMS),
    st.integers(946_684_800, 2_082_758_400),  # 2000 to 2035
    st.integers(0, 24 * 60 - 1),
)
def test_what_recurs_comes_on_each_of_its_days_once_at_its_hour_and_in_order(
    name: str, form: tuple[str, Callable[[date, date], bool]], start: int, minute: int
) -> None:
    zone, clock, begin = ZoneInfo(name), time(*divmod(minute, 60)), datetime.fromtimestamp(start, UTC)
    found = list(islice(read_every(f"{form[0]} {clock:%H:%M}").since(begin, zone), 40))
    assert all(a.at < b.at for a, b in pairwise(found))
    assert found[0].at >= begin
    for each in found:
        _at_its_hour(each, clock, zone)
    first, last = (date.fromisoformat(found[n].slot) for n in (0, -1))
    days = [first + n * DAY for n in range((last - first).days + 1)]
    wanted = [day for day in days if form[1](day, first)]
    missing = {str(day) for day in wanted} - {each.slot for each in found}
    assert {each.slot for each in found} <= {str(day) for day in wanted}
    for slot in missing:  # only where a day that did not exist fell together with it
        assert local(date.fromisoformat(slot), clock, zone) in {each.at for each in found}


def _at_its_hour(each: Occurrence, clock: time, zone: ZoneInfo) -> None:
    wanted = datetime.combine(date.fromisoformat(each.slot), clock)
    shown = each.at.astimezone(zone)
    ways = [wanted.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    exists = [at for at in ways if at.astimezone(zone).replace(tzinfo=None, fold=0) == wanted]
    if exists:
        assert each.at == min(exists)  # of two the first
    else:
        assert shown.replace(tzinfo=None) > wanted  # it moved forward, as far as the clock jumped
        assert shown.replace(tzinfo=None) - wanted == offset(zone, each.at) - offset(zone, each.at - DAY)


def test_the_day_samoa_skipped_comes_together_with_the_next_and_only_once() -> None:
    zone, start = ZoneInfo("Pacific/Apia"), datetime(2011, 12, 28, 20, tzinfo=UTC)
    daily = [o.at for o in islice(read_every("day 09:00").since(start, zone), 3)]
    assert [f"{at.astimezone(zone):%d %H:%M}" for at in daily] == ["29 09:00", "31 09:00", "01 09:00"]
    fridays = [o.at for o in islice(read_every("friday 09:00").since(start, zone), 2)]
    assert [f"{at.astimezone(zone):%a %d %H:%M}" for at in fridays] == ["Sat 31 09:00", "Fri 06 09:00"]


def test_a_campaign_that_starts_after_the_hour_begins_with_the_next_day_that_fits() -> None:
    zone, friday = ZoneInfo("Europe/Berlin"), datetime(2026, 11, 20, 18, tzinfo=ZoneInfo("Europe/Berlin"))

    def first(form: str, start: datetime) -> list[str]:
        return [o.slot for o in islice(read_every(form).since(start, zone), 2)]

    assert first("2 weeks on friday 18:00", friday) == ["2026-11-20", "2026-12-04"]
    assert first("2 weeks on friday 17:59", friday) == ["2026-11-27", "2026-12-11"]
    assert first("2 days 09:00", friday) == ["2026-11-21", "2026-11-23"]
    assert first("2 months on day 20 09:00", friday) == ["2026-12-20", "2027-02-20"]


# ---- quiet hours --------------------------------------------------------------------------------

NIGHTS = ("21:00 to 08:00", "22:00 to 02:30", "01:30 to 03:30", "23:30 to 01:15",
          "10:00 to 09:59", "12:00 to 24:00")  # fmt: skip


def loud(line: Line, hours: Hours) -> list[datetime]:
    """List the minutes at which the clock on the wall shows no quiet hour."""
    return [at for at, wall in line if not _silent(wall, hours)]


def _silent(wall: datetime, hours: Hours) -> bool:
    """Tell it the long way: every minute that belongs to the spans that began today and yesterday."""
    midnight = datetime.combine(wall.date(), time())
    length = (hours.end - hours.begin) % 1440 or 1440
    begins = [
        day + timedelta(minutes=hours.begin)
        for day in (midnight, midnight - DAY)
        if day.weekday() in hours.days
    ]
    return any(begin <= wall < begin + timedelta(minutes=length) for begin in begins)


def test_quiet_hours_end_at_the_first_loud_minute_at_every_edge_of_every_zone() -> None:
    for name, edge in changing():
        zone, line = ZoneInfo(name), around(name, edge)
        for hours in map(read_hours, NIGHTS):
            minutes = loud(line[2650:4300], hours)
            moved = []
            for at, _ in line[2700:3060:13]:
                moved.append(hours.after(at, zone))
                assert moved[-1] == minutes[bisect_left(minutes, at)], (name, str(hours), at)
            assert moved == sorted(moved)


def test_days_of_quiet_are_those_on_which_it_begins_and_may_follow_one_another() -> None:
    zone = ZoneInfo("Europe/Berlin")
    weekend = span(0, 1440, frozenset({5, 6}))

    def after(hours: Hours, text: str) -> str:
        at = datetime.fromisoformat(text).replace(tzinfo=zone)
        return f"{hours.after(at, zone).astimezone(zone):%a %H:%M:%S}"

    assert after(weekend, "2026-11-21 10:00:30") == "Mon 00:00:00"
    assert after(weekend, "2026-11-20 23:59:59") == "Fri 23:59:59"
    night = Quiet.model_validate({"from": "21:00", "to": "08:00", "days": ["friday"]}).on("email")
    assert night is not None
    assert [after(night, f"2026-11-{day} 07:00") for day in (20, 21, 22)] == [
        "Fri 07:00:00", "Sat 08:00:00", "Sun 07:00:00"
    ]  # fmt: skip


def test_a_channel_may_have_other_quiet_hours_or_none() -> None:
    quiet = Quiet.model_validate(
        {
            "from": "21:00",
            "to": "08:00",
            "channels": {"sms": "20:00 to 10:00", "email": "none", "fax": "keep"},
        }
    )
    assert [str(quiet.on(channel)) for channel in ("sms", "email", "fax", "letter")] == [
        "20:00 to 10:00", "None", "21:00 to 08:00", "21:00 to 08:00"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["21:00", "21:00 to 21:00", "24:00 to 08:00", "00:00 to 24:00", "9 to 5", "21:00 to 25:00", "nome"],
)
def test_hours_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_hours(text)


def test_the_zone_of_a_country_is_known_only_where_all_its_clocks_agree() -> None:
    assert [str(home(country, 2026)) for country in ("DE", "de ", "FR", "GB", "CY", "DK")] == [
        "Europe/Berlin", "Europe/Berlin", "Europe/Paris", "Europe/London", "Asia/Nicosia", "Europe/Copenhagen"
    ]  # fmt: skip
    assert [home(country, 2026) for country in ("US", "ES", "AU", "", "Germany", "XX")] == [None] * 6


def test_a_zone_that_is_none_is_told_with_the_nearest() -> None:
    assert read_zone("Europe/Berlin") == "Europe/Berlin"
    with pytest.raises(ValueError, match="did you mean 'Europe/Berlin'"):
        read_zone("Europe/Berlln")


# ---- in a plan ----------------------------------------------------------------------------------

NIGHT = Quiet.model_validate({"from": "21:00", "to": "08:00"})
NEW_YORK = ZoneInfo("America/New_York")


def again(making: Making, **changed: object) -> PlanInput:
    """Make the input of a plan in which both plays recur each Monday, for two weeks ahead."""
    given = making(**changed)
    return _reworded(given, {"show": {"every": "monday 09:00"}, "write": {"every": "monday 22:00"}})


def _reworded(given: PlanInput, plays: dict[str, dict[str, object]]) -> PlanInput:
    made = tuple(_play(play, plays.get(play.play, {})) for play in given.playbook.plays)
    rules = given.playbook.rules.model_copy(update={"horizon": timedelta(weeks=2), "caps": Caps()})
    return replace(given, playbook=given.playbook.model_copy(update={"plays": made, "rules": rules}))


def _play(play: Play, words: dict[str, object]) -> Play:
    written = {"play": play.play, "tiers": play.tiers, "pack": play.pack, "template": play.template,
               "channels": play.channels, "ask": play.ask}  # fmt: skip
    return Play.model_validate({**written, **words})


def shown(items: Iterable[PlannedItem], zone: ZoneInfo = NEW_YORK) -> list[str]:
    return [f"{i.account or i.play} {i.due_at.astimezone(zone):%a %d %H:%M}" for i in items]


def test_what_recurs_is_planned_to_the_horizon_each_time_an_item_of_its_own(making: Making) -> None:
    diff = plan.make(again(making, recipients=(reader("ada"),), accounts=ACCOUNTS[1:]))
    assert shown(diff.new) == ["blue Mon 23 09:00", "blue Mon 30 09:00",
                               "post-office Mon 23 22:00", "post-office Mon 30 22:00"]  # fmt: skip
    assert [i.slot for i in diff.new] == ["2026-11-23", "2026-11-30"] * 2
    assert len({i.id for i in diff.new}) == len({i.rev for i in diff.new}) == 4
    assert [i.expires_at for i in diff.new[:1]] == [diff.new[1].due_at]  # the next one takes its place


def test_planned_again_nothing_changes_and_later_only_what_came_into_the_horizon_is_new(
    making: Making,
) -> None:
    given = again(making, recipients=(reader("ada"),))
    known = applied(plan.make(given))
    assert plan.make(replace(given, standing=known, now=NOW + timedelta(hours=5))).empty
    later = plan.make(replace(given, standing=known, now=NOW + timedelta(days=7)))
    assert {i.slot for i in later.new} == {"2026-12-07"}
    assert (later.changed, later.cancelled) == ((), ())
    back = plan.make(replace(given, standing=known, now=NOW - timedelta(days=30)))
    assert back.empty  # a clock that goes back calls nothing off


def test_the_next_time_is_planned_however_far_and_until_and_times_end_it(making: Making) -> None:
    given = making(recipients=(), accounts=ACCOUNTS[1:2])

    def slots(**words: object) -> list[str]:
        return [i.slot for i in plan.make(_reworded(given, {"show": words})).new]

    assert slots(every="month on day 20 09:00") == ["2026-12-20"]
    assert slots(every="day 09:00", until="2026-11-23") == ["2026-11-21", "2026-11-22", "2026-11-23"]
    assert slots(every="day 09:00", times=2) == ["2026-11-21", "2026-11-22"]
    started = replace(given, now=NOW + timedelta(days=1))
    ahead = plan.make(_reworded(started, {"show": {"every": "day 09:00", "times": 2}})).new
    assert [i.slot for i in ahead] == ["2026-11-22"]  # counted from the start of the campaign


def test_a_play_may_have_a_zone_of_its_own(making: Making) -> None:
    given = making(recipients=(), accounts=ACCOUNTS[1:2])
    words: dict[str, object] = {"every": "monday 09:00", "zone": "Asia/Tokyo"}
    found = plan.make(_reworded(given, {"show": words})).new
    assert shown(found, ZoneInfo("Asia/Tokyo")) == ["blue Mon 23 09:00", "blue Mon 30 09:00"]


def test_a_message_to_a_person_waits_for_morning_where_they_live_and_a_post_only_if_told(
    making: Making,
) -> None:
    people = (reader("ada"), reader("bea", country="DE"), reader("cyd", country="US"))
    given = again(making, recipients=people, accounts=ACCOUNTS[1:], quiet=NIGHT)
    due = {(i.play, i.person_id): i.due_at.astimezone(NEW_YORK) for i in plan.make(given).new[::-1]}
    assert {key: f"{at:%a %H:%M}" for key, at in due.items()} == {
        ("show", ""): "Mon 09:00",
        ("write", "ada"): "Tue 08:00",
        ("write", "bea"): "Tue 02:00",  # that is eight in Berlin
        ("write", "cyd"): "Tue 08:00",
    }


def test_an_item_carries_the_quiet_hours_that_it_keeps_where_it_leaves_late(making: Making) -> None:
    people = (reader("ada"), reader("bea", country="DE"))
    given = again(making, recipients=people, accounts=ACCOUNTS[1:], quiet=NIGHT)
    kept = {(i.play, i.person_id): i.quiet for i in plan.make(given).new}
    assert kept == {
        ("show", ""): "",
        ("write", "ada"): "21:00 to 08:00 0123456 America/New_York",
        ("write", "bea"): "21:00 to 08:00 0123456 Europe/Berlin",
    }
    loud = plan.make(_reworded(given, {"show": {"every": "monday 09:00", "quiet": "keep"},
                                       "write": {"every": "monday 22:00", "quiet": "none"}}))  # fmt: skip
    assert {(i.play, i.quiet) for i in loud.new} == {
        ("show", "21:00 to 08:00 0123456 America/New_York"), ("write", "")
    }  # fmt: skip


def test_other_quiet_hours_change_what_stands_and_are_told_so(making: Making) -> None:
    given = again(making, recipients=(reader("ada"),), accounts=ACCOUNTS[2:])
    stands = applied(plan.make(given))
    late = Quiet.model_validate({"from": "23:00", "to": "05:00"})  # at another time than any item's
    changed = plan.make(replace(given, standing=stands, quiet=late)).changed
    assert {each.what for each in changed} == {("quiet hours",)}
    early = tuple(replace(each, terms=replace(item, hand_over=60).terms)
                  for each, item in zip(stands, plan.make(given).planned, strict=True))  # fmt: skip
    both = plan.make(replace(given, standing=early, quiet=late)).changed
    assert {each.what for each in both} == {("quiet hours and hand-over",)}


def test_what_quiet_hours_put_off_keeps_its_order(making: Making) -> None:
    given = _reworded(
        again(making, recipients=(reader("ada"),), accounts=ACCOUNTS[2:], quiet=NIGHT),
        {"show": {"every": "day 09:00"}, "write": {"every": "monday 22:00"}},
    )
    second = _play(given.playbook.plays[1], {"play": "earlier", "every": "monday 21:30"})
    book = given.playbook.model_copy(update={"plays": (*given.playbook.plays, second)})
    due = {i.play: i.due_at for i in reversed(plan.make(replace(given, playbook=book)).new)}
    assert due["earlier"] < due["write"]
    assert f"{due['earlier'].astimezone(NEW_YORK):%a %H:%M}" == "Tue 08:00"
    assert due["write"] - due["earlier"] == MINUTE


def test_of_two_that_would_come_at_once_only_the_newer_is_planned(making: Making) -> None:
    quiet = Quiet.model_validate({"from": "00:00", "to": "24:00", "days": ["saturday", "sunday"]})
    given = again(making, recipients=(reader("ada"),), accounts=ACCOUNTS[2:], quiet=quiet)
    diff = plan.make(_reworded(given, {"write": {"every": "day 09:00"}}))
    assert shown(diff.new)[:3] == ["post-office Mon 23 00:00", "post-office Mon 23 09:00",
                                   "post-office Tue 24 09:00"]  # fmt: skip
    assert {each.reason for each in diff.left_out} >= {"because the next one comes as soon"}
    assert "2026-11-21" not in {i.slot for i in diff.new}


@pytest.mark.parametrize(
    ("early", "why"),
    [("3d", ""), ("5m", "takes posts at least 1h before their time"), ("9w", "at most 30d before")],
)
def test_a_post_is_handed_over_early_where_its_account_takes_it(making: Making, early: str, why: str) -> None:
    holds = replace(ACCOUNTS[1], limits=replace(ACCOUNTS[1].limits, schedules=Window(60, 30)))
    given = making(recipients=(), accounts=(holds,))
    diff = plan.make(_reworded(given, {"show": {"at": "day 9 09:00", "hand-over": early}}))
    assert [why in problem.message for problem in diff.problems] == ([True] if why else [])
    if not why:
        assert [i.hand_over for i in diff.new] == [3 * 86400]
        known = applied(diff)
        change = plan.make(
            replace(_reworded(given, {"show": {"at": "day 9 09:00", "hand-over": "2d"}}), standing=known)
        ).changed[0]
        assert change.what == ("hand-over",)
        assert change.item.rev == change.before.rev  # no new approval


def test_an_account_that_cannot_hold_posts_refuses_the_hand_over(making: Making) -> None:
    given = making(recipients=(), accounts=ACCOUNTS[1:2])
    diff = plan.make(_reworded(given, {"show": {"at": "day 9 09:00", "hand-over": "1d"}}))
    assert "cannot hold a post until its time" in diff.problems[0].message


def test_many_times_are_shown_as_three_and_how_many_more_until_when(making: Making) -> None:
    given = making(recipients=(), accounts=ACCOUNTS[1:2])
    lines = plan.make(_reworded(given, {"show": {"every": "day 09:00"}})).lines()
    assert [line[0] for line in lines if line[0] != " "] == ["+"] * 4
    assert lines[3] == "+ ... and 11 more of show on blue until Fri 2026-12-04 09:00"


def test_a_newcomer_gets_what_is_ahead_and_nothing_that_went_by(making: Making) -> None:
    given = again(making, recipients=(reader("ada"),), accounts=ACCOUNTS[2:])
    known = applied(plan.make(given))
    both = (reader("ada"), reader("bob"))
    later = replace(given, standing=known, recipients=both, now=NOW + timedelta(days=5))
    for going_on in (None, NOW):
        diff = plan.make(replace(later, goes_on_since=going_on))
        assert [(i.person_id, i.slot[5:]) for i in diff.new] == [
            ("bob", "11-30"), ("ada", "12-07"), ("bob", "12-07")
        ]  # fmt: skip
        assert diff.cancelled == ()


def test_of_times_that_nobody_planned_only_the_newest_is_made_up_for_and_only_by_the_clock(
    making: Making,
) -> None:
    given = again(making, recipients=(reader("ada"),), accounts=ACCOUNTS[2:])
    known = applied(plan.make(given))
    asleep = replace(given, standing=known, now=NOW + timedelta(days=26))  # Wednesday, 16 December
    going = plan.make(replace(asleep, goes_on_since=NOW))
    assert [i.slot for i in going.new] == ["2026-12-14", "2026-12-21", "2026-12-28"]
    by_hand = plan.make(asleep)
    assert [i.slot for i in by_hand.new] == ["2026-12-21", "2026-12-28"]
