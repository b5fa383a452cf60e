"""A plan is pure: it says who gets what and when, who does not and why, and changes only what may change."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator import content, links, plan, playbook
from orchestrator.audience import Recipient, Tier
from orchestrator.content import Pack
from orchestrator.plan import AccountView, CampaignView, Diff, PlanInput, PlannedItem, Standing
from orchestrator.playbook import Playbook
from tests.sample_packs import LIMITS, limits, write_pack
from tests.test_playbook import BOOK

NOW = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
KEY = b"k" * 32
ACCOUNTS = (
    AccountView("castle-town", "mastodon", LIMITS["mastodon"]),
    AccountView("blue", "bluesky", LIMITS["bluesky"]),
    AccountView("post-office", "email", LIMITS["email"]),
)


def reader(name: str, **changed: object) -> Recipient:
    person = Recipient(
        person_id=name,
        household_id=name,
        tier=Tier.LEAD_USERS,
        name=f"{name.title()} Vale",
        email=f"{name}@example.com",
        purposes=frozenset({"advocacy"}),
    )
    return replace(person, **changed)  # type: ignore[arg-type]


Making = Callable[..., PlanInput]


@pytest.fixture
def making(tmp_path: Path) -> Making:
    """Give a function that makes a plan's input; `book` replaces text of the playbook, `files` the pack's."""
    counter = iter(range(1000))

    def make(
        book: tuple[str, str] = ("", ""), files: dict[str, str] | None = None, **changed: object
    ) -> PlanInput:
        folder = tmp_path / str(next(counter))
        packs: dict[str, Pack] = {
            "castle": content.load(write_pack(folder / "castle", **(files or {})), "castle")
        }
        (folder / "promo.yaml").write_text(BOOK.replace(*book) if book[0] else BOOK)
        read: Playbook = playbook.load(folder / "promo.yaml", packs, LIMITS, "playbooks/promo.yaml")
        given = PlanInput(
            playbook=read,
            packs=packs,
            campaign=CampaignView("c1", NOW),
            recipients=(reader("ada"), reader("bob")),
            held=frozenset(),
            accounts=ACCOUNTS,
            standing=(),
            brand_name="Brick & Bloom",
            zone=ZoneInfo("America/New_York"),
            public_url="https://go.example",
            link_key=KEY,
            unsubscribe_url=lambda person: f"https://go.example/u/{person}",
            now=NOW,
            language="en",
            currency="USD",
        )
        return replace(given, **changed)  # type: ignore[arg-type]

    return make


def stands(item: PlannedItem, **changed: object) -> Standing:
    standing = Standing(
        id=item.id, rev=item.rev, status=item.status_on_apply, due_at=item.due_at, play=item.play,
        account=item.account, channel=item.channel, person_id=item.person_id, body=plan.body(item.post),
        terms=item.terms, slot=item.slot,
    )  # fmt: skip
    return replace(standing, **changed)  # type: ignore[arg-type]


def applied(diff: Diff, **changed: object) -> tuple[Standing, ...]:
    return tuple(stands(item, **changed) for item in diff.planned)


def left_out(diff: Diff) -> dict[str, int]:
    return {each.reason: each.count for each in diff.left_out}


# ---- what is planned --------------------------------------------------------------------------


def test_one_item_for_each_public_account_and_one_for_each_person(making: Making) -> None:
    diff = plan.make(making())
    assert [(i.play, i.account, i.person_id) for i in diff.new] == [
        ("show", "castle-town", ""), ("show", "blue", ""),
        ("write", "post-office", "ada"), ("write", "post-office", "bob"),
    ]  # fmt: skip
    assert diff.problems == ()
    assert diff.planned == diff.new


def test_a_public_item_carries_text_link_tiers_goal_time_and_expiry(making: Making) -> None:
    item = plan.make(making()).new[0]
    assert item.link is not None
    assert item.link.code == links.code(KEY, item.id, None, "https://shop.example/castle")
    assert item.link.target == "https://shop.example/castle"
    assert item.post.text == f"1300 bricks and a teal roof.\nSee https://go.example/r/{item.link.code}"
    assert (item.tiers, item.goal, item.late) == ((4, 6), "sales", "skip")
    assert item.due_at == NOW + timedelta(hours=2)
    assert item.expires_at == item.due_at + timedelta(days=2)
    assert (item.post.to, item.post.unsubscribe, item.status_on_apply) == ("", "", "planned")
    assert (len(item.id), len(item.rev)) == (12, 8)


def test_a_personal_item_speaks_to_its_person_with_a_link_of_their_own(making: Making) -> None:
    ada, bob = plan.make(making()).new[2:]
    assert ada.post.text.startswith("Dear Ada,")
    assert (ada.post.to, ada.post.subject) == ("ada@example.com", "For Ada")
    assert ada.post.unsubscribe == "https://go.example/u/ada"
    assert ada.tiers == (1,)
    assert ada.link != bob.link
    assert ada.link is not None
    assert ada.link.code == links.code(KEY, ada.id, "ada", "https://shop.example/castle")


def test_a_text_without_link_plans_no_link(making: Making) -> None:
    assert plan.make(making(files={"story_j2": "Just bricks"})).new[0].link is None


def test_the_same_input_gives_the_same_plan_in_whatever_order_people_come(making: Making) -> None:
    people = [reader(f"p{i}") for i in range(20)]
    one = making(recipients=tuple(people))
    random.Random(4).shuffle(people)
    assert plan.make(one) == plan.make(one)
    assert plan.make(one).new == plan.make(replace(one, recipients=tuple(people))).new


def test_without_approval_items_queue_at_once(making: Making) -> None:
    assert {i.status_on_apply for i in plan.make(making(("approval: required", "approval: none"))).new} == {
        "queued"
    }


def test_a_campaign_with_a_start_of_its_own_begins_then(making: Making) -> None:
    item = plan.make(making(("starts: on-apply", "starts: 2026-12-01 09:00"))).new[0]
    assert item.due_at == datetime(2026, 12, 1, 16, 0, tzinfo=UTC)


def test_a_revision_seen_before_the_campaign_starts_is_the_one_that_stands_after(making: Making) -> None:
    first, later = making(), making(campaign=CampaignView("c1", NOW + timedelta(minutes=5)))
    assert [i.rev for i in plan.make(first).new] == [i.rev for i in plan.make(later).new]
    assert plan.make(first).new[0].due_at != plan.make(later).new[0].due_at


def test_a_revision_knows_every_change_of_the_time_that_the_playbook_says(making: Making) -> None:
    at, starts = "at: start + 2h", "starts: on-apply"
    books = [("", ""), (at, "at: start + 3h"), (at, "at: day 2 09:00")]
    books += [(starts, f"starts: 2026-12-{day} 09:00") for day in ("01", "02")]
    assert len({plan.make(making(book)).new[0].rev for book in books}) == len(books)


def test_only_the_named_accounts_speak_and_an_unknown_one_is_a_problem(making: Making) -> None:
    named = ("ask: visit", "ask: visit\n    accounts: [blue]")
    assert [i.account for i in plan.make(making(named)).new if i.play == "show"] == ["blue"]
    wrong = plan.make(making(("ask: visit", "ask: visit\n    accounts: [blu]")))
    assert "no account is called 'blu'; did you mean 'blue'?" in wrong.problems[0].message
    assert (wrong.problems[0].file, wrong.problems[0].line) == ("playbooks/promo.yaml", 13)


def test_a_channel_without_account_is_left_out_and_said(making: Making) -> None:
    diff = plan.make(making(accounts=ACCOUNTS[:1]))
    assert [i.account for i in diff.new] == ["castle-town"]
    assert left_out(diff) == {"because no account is connected on bluesky": 1,
                              "because no account is connected on email": 1}  # fmt: skip


def test_what_is_over_before_it_is_planned_is_left_out_but_what_stands_stays(making: Making) -> None:
    late = making(now=NOW + timedelta(days=30))
    assert left_out(plan.make(late)) == {"because its time is over": 2}
    known = applied(plan.make(making()))
    assert plan.make(replace(late, standing=known)).cancelled == ()


# ---- who is left out --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"purposes": frozenset({"service"})}, "without consent to advocacy"),
        ({"email": ""}, "without an address"),
        ({"bounced": True}, "whose address bounced"),
        ({"contacts": (NOW, NOW - timedelta(days=1))}, "over the cap of 2 per 7d"),
        ({"contacts": (NOW + timedelta(days=6), NOW + timedelta(days=5))}, "over the cap of 2 per 7d"),
    ],
)
def test_a_person_who_may_not_be_written_to_is_left_out_with_the_reason(
    making: Making, changed: dict[str, object], reason: str
) -> None:
    diff = plan.make(making(recipients=(reader("ada"), reader("bob", **changed))))
    assert [i.person_id for i in diff.new if i.person_id] == ["ada"]
    assert left_out(diff) == {reason: 1}


def test_who_is_held_out_is_left_alone(making: Making) -> None:
    diff = plan.make(making(held=frozenset({"bob"})))
    assert [i.person_id for i in diff.new if i.person_id] == ["ada"]
    assert left_out(diff) == {"held out, to compare": 1}


def test_people_of_other_tiers_are_neither_written_to_nor_counted(making: Making) -> None:
    diff = plan.make(making(recipients=(reader("ada", tier=Tier.CONNECTED_COMMUNITY),)))
    assert not any(i.person_id for i in diff.new)
    assert diff.left_out == ()


def test_contacts_that_are_far_enough_away_do_not_count(making: Making) -> None:
    far = (NOW - timedelta(days=7), NOW + timedelta(days=7), NOW - timedelta(days=2))
    diff = plan.make(making(recipients=(reader("ada", contacts=far),)))
    assert [i.person_id for i in diff.new if i.person_id] == ["ada"]


WRITE = BOOK[BOOK.index("  - play: write") :]
SECOND = (WRITE, WRITE + WRITE.replace("write", "again") + WRITE.replace("write", "third"))


def test_the_cap_counts_the_plays_of_one_campaign_too(making: Making) -> None:
    diff = plan.make(making(SECOND))
    assert [(i.play, i.person_id) for i in diff.new if i.person_id] == [
        ("write", "ada"), ("write", "bob"), ("again", "ada"), ("again", "bob")
    ]  # fmt: skip
    assert left_out(diff) == {"over the cap of 2 per 7d": 2}


def test_what_has_left_counts_for_the_cap_and_is_not_asked_again(making: Making) -> None:
    given = making(SECOND)
    sent = tuple(
        replace(s, status="published") for s in applied(plan.make(given)) if s.person_id and s.play == "again"
    )
    diff = plan.make(replace(given, standing=sent))
    assert [(i.play, i.person_id) for i in diff.new if i.person_id] == [("write", "ada"), ("write", "bob")]
    assert diff.cancelled == ()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(-20 * 24, 20 * 24), max_size=12),
    st.integers(1, 3),
    st.integers(1, 10),
    st.integers(-10 * 24, 10 * 24),
    st.booleans(),
)
def test_no_cap_is_ever_exceeded(hours: list[int], count: int, size: int, due: int, days: bool) -> None:
    from orchestrator.plan.making import _over

    zone = ZoneInfo("America/New_York")
    window = timedelta(days=size) if days else timedelta(hours=25 * size + 24 * (size % 24 == 0))
    times, at = [NOW + timedelta(hours=h) for h in hours], NOW + timedelta(hours=due)

    def moment(when: datetime) -> datetime:
        """Give what counts: the day of the calendar where the window is days, else the moment."""
        return datetime.combine(when.astimezone(zone).date(), time()) if days else when.replace(tzinfo=None)

    before = _most(list(map(moment, times)), window)
    if not _over(playbook.Cap(count, window), times, at, zone):
        assert _most(list(map(moment, [*times, at])), window) <= max(count, before)
        assert sum(moment(at) - window < moment(t) <= moment(at) for t in [*times, at]) <= count


def test_a_message_every_week_is_not_over_its_cap_when_the_clock_changes() -> None:
    from orchestrator.plan.making import _over

    zone, cap = ZoneInfo("America/New_York"), playbook.Cap(1, timedelta(days=7))
    mondays = [datetime(2027, 3, day, 9, tzinfo=zone) for day in (8, 15)]  # 167 hours apart
    assert not _over(cap, mondays[:1], mondays[1], zone)
    assert _over(cap, mondays[:1], mondays[1] - timedelta(days=1), zone)
    assert _over(playbook.Cap(1, timedelta(hours=169)), mondays[:1], mondays[1], zone)


def _most(times: list[datetime], window: timedelta) -> int:
    return max((sum(start <= t < start + window for t in times) for start in times), default=0)


# ---- against what stands ----------------------------------------------------------------------


def test_applied_twice_there_is_nothing_to_do(making: Making) -> None:
    given = making()
    known = applied(plan.make(given))
    diff = plan.make(replace(given, standing=known, now=NOW + timedelta(minutes=5)))
    assert diff.empty
    assert diff.same == 4
    assert diff.text() == "  4 as they are"


def test_a_new_text_changes_what_waits_and_says_what_differs(making: Making) -> None:
    known = applied(plan.make(making()))
    diff = plan.make(making(("pieces: 1300", "pieces: 1400"), standing=known))
    assert [(c.item.play, c.what) for c in diff.changed] == [("show", ("subject", "text"))] * 2
    assert all(c.item.rev != c.before.rev and c.item.id == c.before.id for c in diff.changed)
    assert (diff.new, diff.cancelled, diff.same) == ((), (), 2)


def test_a_new_time_a_new_picture_and_new_terms_are_named(making: Making) -> None:
    known = applied(plan.make(making()))

    def what(*book: str) -> tuple[str, ...]:
        return plan.make(making(book, standing=known)).changed[0].what

    assert what("at: start + 2h", "at: start + 3h") == ("time", "goal, tiers or expiry")
    assert what("sell-by: 2d", "sell-by: 3d") == ("goal, tiers or expiry",)
    assert what("pieces: 1300", "pieces: 1300, colour: red") == ("pictures", "text")


def test_new_terms_alone_keep_the_revision(making: Making) -> None:
    known = applied(plan.make(making()))
    change = plan.make(making(("sell-by: 2d", "sell-by: 3d"), standing=known)).changed[0]
    assert change.item.rev == change.before.rev


def test_a_play_that_is_gone_is_cancelled_and_a_person_who_withdrew_too(making: Making) -> None:
    known = applied(plan.make(making()))
    without = (BOOK[BOOK.index("  - play: write") :], "")
    assert {s.person_id for s in plan.make(making(without, standing=known)).cancelled} == {"ada", "bob"}
    diff = plan.make(making(recipients=(reader("ada"), reader("bob", purposes=frozenset())), standing=known))
    assert [s.person_id for s in diff.cancelled] == ["bob"]


@pytest.mark.parametrize("status", sorted(plan.GONE))
def test_what_has_left_never_changes_and_is_never_cancelled(making: Making, status: str) -> None:
    known = applied(plan.make(making()), status=status)
    changed = plan.make(making(("pieces: 1300", "pieces: 1400"), standing=known))
    assert changed.empty
    nobody = plan.make(making(recipients=(), accounts=(), standing=known))
    assert nobody.empty


@pytest.mark.parametrize("status", sorted(plan.OPEN))
def test_what_has_not_left_follows_the_playbook(making: Making, status: str) -> None:
    known = applied(plan.make(making()), status=status, approved=status == "queued")
    assert len(plan.make(making(("pieces: 1300", "pieces: 1400"), standing=known)).changed) == 2
    assert len(plan.make(making(recipients=(), accounts=(), standing=known)).cancelled) == 4


def test_what_a_person_cancelled_stays_cancelled_and_what_the_plan_withdrew_comes_back(
    making: Making,
) -> None:
    given = making()
    first = plan.make(given)
    assert plan.make(replace(given, standing=applied(first, status="cancelled"))).empty
    back = plan.make(replace(given, standing=applied(first, status="cancelled", withdrawn=True)))
    assert [c.what for c in back.changed] == [("planned again",)] * 4


def test_what_was_rejected_comes_back_only_when_it_says_something_else(making: Making) -> None:
    known = applied(plan.make(making()), status="cancelled", rejected=True)
    assert plan.make(making(standing=known)).empty
    again = plan.make(making(("pieces: 1300", "pieces: 1400"), standing=known)).changed
    assert [c.item.play for c in again] == ["show", "show"]


def test_an_expired_item_comes_back_only_with_a_later_time(making: Making) -> None:
    known = applied(plan.make(making()), status="expired")
    assert plan.make(making(("pieces: 1300", "pieces: 1400"), standing=known)).empty
    assert len(plan.make(making(("at: start + 2h", "at: day 9 09:00"), standing=known)).changed) == 2


def test_a_time_a_colleague_chose_is_left(making: Making) -> None:
    given = making()
    item, at = plan.make(given).new[0], NOW + timedelta(days=1)
    moved = replace(stands(item), due_at=at, moved=True, rev=plan.revision(
        plan.body(item.post), at, item.account, item.channel
    ), terms=replace(item, expires_at=at + timedelta(days=2)).terms)  # fmt: skip
    diff = plan.make(replace(given, standing=(moved,)))
    assert diff.changed == ()
    assert diff.planned[0].due_at == at
    assert diff.planned[0].expires_at == at + timedelta(days=2)


def test_what_queued_unapproved_waits_when_approval_becomes_required_and_not_when_it_was_given(
    making: Making,
) -> None:
    first = plan.make(making())
    waits = plan.make(making(standing=applied(first, status="queued"))).changed
    assert {c.what for c in waits} == {("needs approval now",)}
    assert plan.make(making(standing=applied(first, status="queued", approved=True))).empty


# ---- problems ---------------------------------------------------------------------------------


def test_the_real_limits_of_the_account_decide(making: Making) -> None:
    small = AccountView("blue", "bluesky", limits(20))
    diff = plan.make(making(accounts=(ACCOUNTS[0], small)))
    assert [str(p) for p in diff.problems] == [
        "playbooks/promo.yaml:13:11: play 'show': on blue (bluesky): text is 66 graphemes long, "
        "46 over the limit of 20"
    ]


def test_rights_are_held_against_the_day_of_the_post(making: Making) -> None:
    assert plan.make(making(("at: start + 2h", "at: 2026-12-31 09:00"))).problems == ()
    late = plan.make(making(("at: start + 2h", "at: 2027-01-01 09:00"))).problems
    assert [p.message for p in late] == ["play 'show': pack 'castle': the rights have expired on 2026-12-31"]


def test_a_hostile_template_ends_the_play_once_not_once_per_person(making: Making) -> None:
    endless = (
        "{% for a in range(999) %}{% for b in range(999) %}{% for c in range(999) %}x" + "{% endfor %}" * 3
    )
    diff = plan.make(
        making(files={"note_j2": endless}, recipients=tuple(reader(f"p{i}") for i in range(200)))
    )
    assert [(p.file, p.line) for p in diff.problems] == [("castle/note.j2", 1)]
    assert not any(i.person_id for i in diff.new)


# ---- words and preview ------------------------------------------------------------------------


def test_a_person_can_read_what_would_happen(making: Making) -> None:
    first = plan.make(making())
    known = (*applied(first)[:1], *applied(first)[2:])
    diff = plan.make(making(("pieces: 1300", "pieces: 1400"), standing=known, recipients=(reader("ada"),)))
    lines = diff.lines()
    new, changed, gone = diff.new[0], diff.changed[0], diff.cancelled[0]
    assert lines[0] == f'+ {new.id}@{new.rev}  show  blue (bluesky)  Fri 2026-11-20 12:30  ' + (
        '"1400 bricks and a teal roof. See https://go.exa..."'
    )  # fmt: skip
    assert lines[1].startswith(f"~ {changed.item.id}@{changed.item.rev}  show  castle-town (mastodon)")
    assert lines[1].endswith(f"[subject, text; was @{changed.before.rev}]")
    assert lines[2].startswith(f"- {gone.id}@{gone.rev}  write  post-office (email) to bob")
    assert lines[3] == "  1 as it is"


def test_of_many_people_a_few_are_shown_and_the_rest_counted(making: Making) -> None:
    lines = plan.make(making(recipients=tuple(reader(f"p{i:03}") for i in range(100)))).lines()
    assert len(lines) == 2 + 5 + 1
    assert lines[-1] == "+ ... and 95 more of write"


def test_left_out_people_and_problems_are_said(making: Making) -> None:
    diff = plan.make(making(recipients=(reader("bob", email=""),), accounts=(
        AccountView("blue", "bluesky", limits(20)), ACCOUNTS[2]
    )))  # fmt: skip
    assert "  left out of write: 1 without an address" in diff.lines()
    assert diff.lines()[-1].startswith("! playbooks/promo.yaml:13:11: play 'show'")
    assert Diff().text() == "  nothing to do"


def test_a_preview_shows_each_channel_and_one_reader_even_without_accounts_and_people(making: Making) -> None:
    stand_ins = tuple(AccountView(name, name, each) for name, each in LIMITS.items())
    diff = plan.preview(making(accounts=(), recipients=()), stand_ins)
    assert [(i.play, i.channel) for i in diff.planned] == [
        ("show", "mastodon"), ("show", "bluesky"), ("write", "email")
    ]  # fmt: skip
    assert diff.planned[2].post.text.startswith("Dear Ada,")


def test_a_preview_equals_what_is_planned(making: Making) -> None:
    given = making()
    planned = {i.id: i for i in plan.make(given).planned}
    shown = plan.preview(given, ()).planned
    assert len(shown) == 3
    assert all(planned[item.id] == item for item in shown)
