"""Items appear, change and end exactly as decided, bound to what was seen; every decision is kept."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, SQLModel, col, select

from connectors.base import Media, Post
from orchestrator import db, items, plan
from orchestrator.errors import CheckError, ConflictError, Problem
from orchestrator.items import FOLLOWS, Approval, Campaign, Changes, Item, MediaFile, Revision, Run, Status
from orchestrator.links import Link
from orchestrator.plan import CampaignView, Diff, PlanInput
from tests.sample_packs import PACK, PNG
from tests.test_plan import ACCOUNTS, NOW, WRITE, Making, making, reader

__all__ = ["making"]  # the fixture
LATER = NOW + timedelta(minutes=10)
DAY = timedelta(days=1)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = db.connect(f"sqlite:///{tmp_path / 'state.db'}")
    SQLModel.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with db.writing(engine) as session:
        yield session


def given(session: Session, made: PlanInput) -> tuple[PlanInput, Campaign]:
    """Bring a plan's input up to what stands, as app does."""
    campaign = items.open_campaign(session, Run(made.playbook, "hash", DAY), "ada", made.now)
    view = CampaignView(campaign.id, campaign.started_at)
    return replace(made, campaign=view, standing=items.standing(session, campaign.id)), campaign


def apply(session: Session, made: PlanInput) -> Diff:
    full, campaign = given(session, made)
    diff = plan.make(full)
    items.apply(session, diff, campaign, "ada", made.now)
    session.flush()
    return diff


def refs(diff: Diff) -> list[str]:
    return [f"{i.id}@{i.rev}" for i in diff.planned]


def item(session: Session, id: str) -> Item:
    found = session.get(Item, id, populate_existing=True)
    assert found is not None
    return found


def statuses(session: Session) -> list[str]:
    session.expire_all()
    return sorted(session.exec(select(Item.status)).all())


def put(session: Session, id: str, status: Status) -> None:
    row = item(session, id)
    row.status = status
    session.add(row)
    session.flush()


# ---- statuses ---------------------------------------------------------------------------------


@pytest.mark.parametrize("before", list(Status))
@pytest.mark.parametrize("after", list(Status))
def test_a_status_is_followed_only_by_those_of_the_table(
    session: Session, making: Making, before: Status, after: Status
) -> None:
    id_ = apply(session, making()).planned[0].id
    put(session, id_, before)
    if after in FOLLOWS[before]:
        assert items.shift(session, id_, before, after, None, LATER) is True
        assert item(session, id_).status == after
        assert item(session, id_).updated_at == LATER
    else:
        with pytest.raises(ValueError, match="cannot follow"):
            items.shift(session, id_, before, after, None, LATER)
        assert item(session, id_).status == before


def test_the_table_knows_every_status_and_nothing_leaves_published() -> None:
    assert set(FOLLOWS) == set(Status)
    assert FOLLOWS[Status.PUBLISHED] == frozenset()
    assert Status.QUEUED in FOLLOWS[Status.SENDING]  # a refusal before anything left
    assert all(status not in after for status, after in FOLLOWS.items())
    only_from_queue = {before for before, after in FOLLOWS.items() if Status.SENDING in after}
    assert only_from_queue == {Status.QUEUED}
    assert {str(s) for s in Status} == {str(s) for s in plan.GONE | plan.OPEN} | {"expired", "cancelled"}


def test_a_shift_finds_the_expected_status_or_does_nothing(session: Session, making: Making) -> None:
    id_ = apply(session, making()).planned[0].id
    assert items.shift(session, id_, Status.QUEUED, Status.SENDING, None, LATER) is False
    assert items.shift(session, "nobody", Status.QUEUED, Status.SENDING, None, LATER) is False
    assert item(session, id_).status == Status.PLANNED


def test_a_shift_takes_its_changes_along_and_leaves_the_rest(session: Session, making: Making) -> None:
    id_ = apply(session, making()).planned[0].id
    put(session, id_, Status.SENDING)
    changes = Changes(remote_id="r1", remote_url="https://m.example/1", published_at=LATER)
    assert items.shift(session, id_, Status.SENDING, Status.PUBLISHED, changes, LATER)
    row = item(session, id_)
    assert (row.remote_id, row.remote_url, row.published_at) == ("r1", "https://m.example/1", LATER)
    assert (row.reason, row.leave_at) == ("", row.due_at)


# ---- apply ------------------------------------------------------------------------------------


def test_applying_writes_campaign_items_revisions_pictures_and_links(
    session: Session, making: Making
) -> None:
    diff = apply(session, making())
    campaign = session.exec(select(Campaign)).one()
    assert (campaign.playbook, campaign.goal, campaign.window_seconds, campaign.created_by) == (
        "promo", "sales", 7 * 86400, "ada",
    )  # fmt: skip
    assert (campaign.cap_count, campaign.cap_seconds) == (2, 7 * 86400)
    row, planned = item(session, diff.planned[0].id), diff.planned[0]
    assert (row.status, row.rev, row.tiers, row.channel, row.late) == (
        "planned",
        planned.rev,
        "4 6",
        "mastodon",
        "skip",
    )
    assert (row.due_at, row.expires_at) == (planned.due_at, planned.expires_at)
    link = session.get(Link, row.link_code)
    assert link is not None
    assert (link.item_id, link.person_id, link.campaign_id, link.account) == (
        row.id, None, campaign.id, "castle-town",
    )  # fmt: skip
    assert {each.person_id for each in session.exec(select(Link))} == {None, "ada", "bob"}
    assert len(session.exec(select(Revision)).all()) == 4


def test_what_is_kept_reads_back_as_it_was_planned(session: Session, making: Making) -> None:
    for planned in apply(session, making()).planned:
        assert items.post_of(session, planned.id, planned.rev) == planned.post
    with pytest.raises(CheckError, match="no revision"):
        items.post_of(session, "x", "y")


def test_a_picture_is_kept_once_however_many_items_show_it(session: Session, making: Making) -> None:
    apply(session, making())
    kept = session.exec(select(MediaFile)).all()
    assert len(kept) == 3  # the castle, and a card for each of two people
    assert sum(file.data == PNG for file in kept) == 1


def test_applied_twice_there_is_nothing_to_do(session: Session, making: Making) -> None:
    apply(session, making())
    second = apply(session, making(now=LATER))
    assert second.empty
    assert second.same == 4
    assert len(session.exec(select(Campaign)).all()) == 1


def test_a_plan_with_problems_is_not_applied(session: Session, making: Making) -> None:
    full, campaign = given(session, making())
    with pytest.raises(CheckError, match="odd"):
        items.apply(session, Diff(problems=(Problem(message="odd"),)), campaign, "ada", NOW)
    assert session.exec(select(Item)).all() == []
    assert full.standing == ()


def test_a_changed_playbook_changes_what_waits_and_keeps_the_old_revision(
    session: Session, making: Making
) -> None:
    first = apply(session, making())
    second = apply(session, making(("pieces: 1300", "pieces: 1400"), now=LATER))
    row = item(session, first.planned[0].id)
    assert row.rev == second.planned[0].rev != first.planned[0].rev
    assert items.post_of(session, row.id, row.rev).text.startswith("1400")
    assert items.post_of(session, row.id, first.planned[0].rev).text.startswith("1300")
    assert apply(session, making(("pieces: 1300", "pieces: 1400"))).empty


def test_what_was_approved_and_then_changed_needs_approval_again(session: Session, making: Making) -> None:
    first = apply(session, making())
    items.approve(session, refs(first), "bea", LATER)
    assert apply(session, making()).empty
    second = apply(session, making(("pieces: 1300", "pieces: 1400")))
    assert len(second.changed) == 2
    assert statuses(session) == ["planned", "planned", "queued", "queued"]
    assert len(session.exec(select(Approval)).all()) == 4


def test_new_terms_alone_keep_an_approval(session: Session, making: Making) -> None:
    items.approve(session, refs(apply(session, making())), "bea", LATER)
    second = apply(session, making(("sell-by: 2d", "sell-by: 3d")))
    assert len(second.changed) == 2
    assert statuses(session) == ["queued"] * 4
    assert apply(session, making(("sell-by: 2d", "sell-by: 3d"))).empty


def test_new_terms_alone_do_not_set_free_what_is_held(session: Session, making: Making) -> None:
    id_ = apply(session, making()).planned[0].id
    put(session, id_, Status.HELD)
    apply(session, making(("sell-by: 2d", "sell-by: 3d")))
    assert item(session, id_).status == Status.HELD


def test_what_failed_is_planned_again_with_a_new_text(session: Session, making: Making) -> None:
    id_ = apply(session, making()).planned[0].id
    put(session, id_, Status.FAILED)
    assert apply(session, making()).empty
    apply(session, making(("pieces: 1300", "pieces: 1400")))
    assert item(session, id_).status == Status.PLANNED


def test_a_play_that_is_gone_is_withdrawn_and_comes_back_with_the_play(
    session: Session, making: Making
) -> None:
    apply(session, making())
    apply(session, making((WRITE, "")))
    assert statuses(session) == ["cancelled", "cancelled", "planned", "planned"]
    apply(session, making())
    assert statuses(session) == ["planned"] * 4
    assert apply(session, making()).empty


def test_a_plan_that_somebody_overtook_is_refused_whole(engine: Engine, making: Making) -> None:
    with db.writing(engine) as session:
        apply(session, making())
    with db.writing(engine) as session:
        full, campaign = given(session, making(("pieces: 1300", "pieces: 1400")))
        stale = plan.make(full)
        put(session, stale.changed[1].item.id, Status.QUEUED)
    with pytest.raises(ConflictError, match="plan again"), db.writing(engine) as session:
        items.apply(session, stale, campaign, "ada", LATER)
    with db.reading(engine) as session:
        assert item(session, stale.changed[0].item.id).rev == stale.changed[0].before.rev


def test_two_first_applications_at_once_end_in_one(engine: Engine, making: Making) -> None:
    with db.reading(engine) as session:
        full, campaign = given(session, making())
    with db.writing(engine) as session:
        apply(session, making())
    with pytest.raises(ConflictError, match="plan again"), db.writing(engine) as session:
        items.apply(session, plan.make(full), campaign, "bea", LATER)


# ---- approve and reject -----------------------------------------------------------------------


def test_approving_queues_exactly_what_was_seen_and_is_kept(session: Session, making: Making) -> None:
    diff = apply(session, making())
    assert [i.id for i in items.approve(session, refs(diff)[:2], "bea", LATER)] == [
        i.id for i in diff.planned[:2]
    ]
    assert statuses(session) == ["planned", "planned", "queued", "queued"]
    kept = session.exec(select(Approval)).all()
    assert [(a.item_id, a.rev, a.by, a.at, a.approved) for a in kept] == [
        (i.id, i.rev, "bea", LATER, True) for i in diff.planned[:2]
    ]


def test_an_older_revision_is_refused_with_what_changed(session: Session, making: Making) -> None:
    old = apply(session, making())
    new = apply(session, making(("pieces: 1300", "pieces: 1400")))
    with pytest.raises(ConflictError) as caught:
        items.approve(session, [refs(new)[2], refs(old)[0]], "bea", LATER)
    assert str(caught.value) == (
        f"Item {old.planned[0].id} is now {refs(new)[0]}: subject and text changed since "
        f"@{old.planned[0].rev}; look again."
    )
    assert statuses(session) == ["planned"] * 4
    assert session.exec(select(Approval)).all() == []


def test_a_revision_that_never_was_is_said_to_be_one(session: Session, making: Making) -> None:
    id_ = apply(session, making()).planned[0].id
    with pytest.raises(ConflictError, match="never had the revision ffffffff"):
        items.approve(session, [f"{id_}@ffffffff"], "bea", LATER)


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.PLANNED])
def test_only_what_waits_for_approval_can_be_approved_or_rejected(
    session: Session, making: Making, status: Status
) -> None:
    diff = apply(session, making())
    put(session, diff.planned[0].id, status)
    with pytest.raises(ConflictError, match=f"it is {status}"):
        items.approve(session, refs(diff)[:1], "bea", LATER)
    with pytest.raises(ConflictError, match=f"it is {status}"):
        items.reject(session, refs(diff)[:1], "bea", "no", LATER)


@pytest.mark.parametrize("ref", ["nobody@12345678", "", "abc", "abc@", "@abc"])
def test_what_is_no_reference_is_a_mistake(session: Session, ref: str) -> None:
    with pytest.raises(CheckError):
        items.approve(session, [ref], "bea", LATER)


def test_rejecting_cancels_with_the_reason_and_a_new_text_comes_back(
    session: Session, making: Making
) -> None:
    diff = apply(session, making())
    items.reject(session, refs(diff)[:1], "bea", "the roof is red", LATER)
    row = item(session, diff.planned[0].id)
    assert (row.status, row.reason) == ("cancelled", "rejected by bea: the roof is red")
    assert apply(session, making()).empty
    apply(session, making(("pieces: 1300", "pieces: 1400")))
    assert item(session, row.id).status == "planned"
    with pytest.raises(CheckError, match="Say why"):
        items.reject(session, refs(diff)[1:2], "bea", " ", LATER)


def test_a_whole_campaign_is_approved_only_as_it_was_seen(session: Session, making: Making) -> None:
    apply(session, making())
    id_ = session.exec(select(Campaign.id)).one()
    seen = items.campaign_reference(session, id_)
    apply(session, making(("pieces: 1300", "pieces: 1400")))
    with pytest.raises(ConflictError, match="changed since; look again"):
        items.approve_campaign(session, seen, "bea", LATER)
    assert len(items.approve_campaign(session, items.campaign_reference(session, id_), "bea", LATER)) == 4
    assert statuses(session) == ["queued"] * 4
    with pytest.raises(CheckError, match="no campaign"):
        items.approve_campaign(session, "x@y", "bea", LATER)


# ---- cancel and move --------------------------------------------------------------------------


@pytest.mark.parametrize("status", list(Status))
def test_an_item_is_cancelled_before_it_left_and_not_after(
    session: Session, making: Making, status: Status
) -> None:
    id_ = apply(session, making()).planned[0].id
    put(session, id_, status)
    if status in plan.OPEN | {"offered"}:
        assert items.cancel(session, [id_], "bea", LATER) == [id_]
        assert (item(session, id_).status, item(session, id_).reason) == ("cancelled", "cancelled by bea")
        assert apply(session, making(("pieces: 1300", "pieces: 1400"))).changed[0].item.id != id_
    else:
        with pytest.raises(ConflictError, match=f"it is {status}"):
            items.cancel(session, [id_], "bea", LATER)


def test_cancelling_a_campaign_stops_the_rest_of_it_and_the_next_run_is_a_new_one(
    session: Session, making: Making
) -> None:
    diff = apply(session, making())
    put(session, diff.planned[0].id, Status.PUBLISHED)
    old, campaign = given(session, making())
    assert len(items.cancel(session, [campaign.id], "bea", LATER)) == 3
    assert statuses(session) == ["cancelled"] * 3 + ["published"]
    with pytest.raises(ConflictError, match="was cancelled"):
        items.apply(session, plan.make(old), campaign, "ada", LATER)
    again = apply(session, making(now=LATER))
    assert len(again.new) == 4
    assert not {i.id for i in again.new} & {i.id for i in diff.new}


def test_cancelling_is_bound_to_the_revision_where_one_is_named(session: Session, making: Making) -> None:
    old = apply(session, making())
    new = apply(session, making(("pieces: 1300", "pieces: 1400")))
    with pytest.raises(ConflictError, match="is now"):
        items.cancel(session, refs(old)[:1], "bea", LATER)
    assert items.cancel(session, refs(new)[:1], "bea", LATER)
    with pytest.raises(CheckError, match="no item or campaign"):
        items.cancel(session, ["nobody"], "bea", LATER)


def test_a_moved_item_keeps_its_time_against_the_plan_and_its_sell_by_moves_along(
    session: Session, making: Making
) -> None:
    planned = apply(session, making()).planned[0]
    at = planned.due_at + DAY
    row = items.reschedule(session, planned.id, at, "bea", LATER)
    assert planned.expires_at is not None
    assert (row.due_at, row.expires_at, row.status) == (at, planned.expires_at + DAY, "planned")
    assert row.rev != planned.rev
    assert items.post_of(session, row.id, row.rev) == planned.post
    assert apply(session, making()).empty


def test_what_was_approved_for_another_time_needs_approval_again(session: Session, making: Making) -> None:
    diff = apply(session, making())
    items.approve(session, refs(diff)[:1], "bea", LATER)
    row = items.reschedule(session, refs(diff)[0], diff.planned[0].due_at + DAY, "cy", LATER)
    assert row.status == "planned"
    assert items.approve(session, [items.reference(row)], "bea", LATER)


def test_what_needs_no_approval_stays_queued_when_it_is_moved(session: Session, making: Making) -> None:
    planned = apply(session, making(("approval: required", "approval: none"))).planned[0]
    assert items.reschedule(session, planned.id, planned.due_at + DAY, "bea", LATER).status == "queued"


@pytest.mark.parametrize("status", sorted(plan.GONE | {"cancelled"}))
def test_what_has_left_or_was_cancelled_cannot_be_moved(
    session: Session, making: Making, status: str
) -> None:
    id_ = apply(session, making()).planned[0].id
    put(session, id_, Status(status))
    with pytest.raises(ConflictError, match=f"it is {status}"):
        items.reschedule(session, id_, LATER, "bea", LATER)


# ---- one post by hand -------------------------------------------------------------------------


def test_a_post_by_hand_is_queued_and_signed_and_the_same_one_is_one(session: Session) -> None:
    post = Post("Hello", media=(Media("a.png", "image/png", "A castle", PNG),))
    one = items.single(session, ACCOUNTS[0], post, NOW, "bea", NOW)
    assert (one.status, one.account, one.campaign_id) == ("queued", "castle-town", "")
    assert items.post_of(session, one.id, one.rev) == post
    assert items.single(session, ACCOUNTS[0], post, NOW, "bea", NOW).id == one.id
    assert items.single(session, ACCOUNTS[0], post, LATER, "bea", NOW).id != one.id
    assert {a.by for a in session.exec(select(Approval))} == {"bea"}


def test_a_post_by_hand_that_does_not_fit_is_refused(session: Session) -> None:
    with pytest.raises(CheckError, match="text is 501 graphemes long"):
        items.single(session, ACCOUNTS[0], Post("x" * 501), NOW, "bea", NOW)
    assert session.exec(select(Item)).all() == []


def test_keeping_a_post_keeps_its_pictures_once(session: Session) -> None:
    post = Post("Hello", media=(Media("a.png", "image/png", "A castle", PNG),) * 2)
    items.keep_post(session, post)
    items.keep_post(session, post)
    session.flush()
    assert len(session.exec(select(MediaFile)).all()) == 1


def test_what_a_pack_says_of_fitting_its_pictures_leaves_with_the_post(
    session: Session, making: Making
) -> None:
    files = {"pack_yaml": PACK.replace("castle.png, alt", "castle.png, fit: no, alt")}
    for made, may in ((making(), True), (making(files=files), False)):
        planned = plan.make(made).planned
        public = next(each.post for each in planned if not each.post.to)
        assert [each.fit for each in public.media] == [may]
        assert ('"fit":false' in plan.body(public)) is not may  # what was approved before stays as it is
        assert '"fit":true' not in plan.body(public)
        items.keep_post(session, public)
        said = plan.body(public)
        session.add(Revision(item_id=f"item-{may}", rev="r1", body=said, due_at=NOW, created_at=NOW))
        session.flush()
        assert items.post_of(session, f"item-{may}", "r1").media[0].fit is may


# ---- what others ask --------------------------------------------------------------------------


def test_counts_published_posts_and_remote_ids(session: Session, making: Making) -> None:
    ids = [i.id for i in apply(session, making()).planned]
    for id_, remote in zip(ids[:2], ("r1", "r2"), strict=True):
        put(session, id_, Status.SENDING)
        items.shift(session, id_, Status.SENDING, Status.PUBLISHED, Changes(remote_id=remote), LATER)
    session.expire_all()
    assert items.counts(session) == {"planned": 2, "published": 2}
    assert {i.id for i in items.published(session)} == set(ids[:2])
    assert items.by_remote_id(session) == {"r1": ids[0], "r2": ids[1]}


def test_contacts_are_those_outside_the_campaign(session: Session, making: Making) -> None:
    diff = apply(session, making())
    campaign = session.exec(select(Campaign.id)).one()
    assert items.contacts(session, campaign) == {}
    assert items.contacts(session, "another") == {"ada": (NOW,), "bob": (NOW,)}
    items.cancel(session, [diff.planned[2].id], "bea", LATER)
    assert set(items.contacts(session, "another")) == {"bob"}


def test_the_cap_is_looked_at_again_before_a_message_leaves(session: Session, making: Making) -> None:
    three = (WRITE, WRITE + WRITE.replace("write", "again"))
    mine = [i.id for i in apply(session, making(three, recipients=(reader("ada"),))).planned if i.person_id]
    extra = items.single(session, ACCOUNTS[0], Post("by hand"), NOW, "bea", NOW)
    extra.person_id, extra.status = "ada", "published"
    session.add(extra)
    session.flush()
    assert items.over_cap(session, item(session, mine[0]), LATER) == ""
    put(session, mine[1], Status.SENDING)
    assert items.over_cap(session, item(session, mine[0]), LATER).startswith("would be more than 2 messages")
    assert items.over_cap(session, item(session, mine[0]), LATER + timedelta(days=8)) == ""
    public = session.exec(select(Item).where(col(Item.person_id) == "", Item.campaign_id != "")).first()
    assert public is not None
    assert items.over_cap(session, public, LATER) == ""


def test_bodies_are_kept_as_canonical_json(session: Session, making: Making) -> None:
    apply(session, making())
    body = session.exec(select(Revision.body)).first()
    assert body is not None
    words = json.loads(body)
    assert sorted(words) == ["language", "link", "media", "reply_to", "subject", "text", "to", "unsubscribe"]
    assert json.dumps(words, ensure_ascii=False, sort_keys=True, separators=(",", ":")) == body
