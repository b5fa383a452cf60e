"""(playbook, audience, content, items that stand, now) -> the items there should be, and the Diff."""

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo

from connectors.base import Post
from orchestrator import links
from orchestrator.audience import Recipient, Tier
from orchestrator.content import Context, Pack, faults, prepare, render
from orchestrator.documents import suggest
from orchestrator.errors import CheckError, Problem
from orchestrator.plan import wording
from orchestrator.plan.diff import Diff
from orchestrator.plan.messages import (
    AccountView,
    Change,
    LeftOut,
    LinkPlan,
    PlanInput,
    PlannedItem,
    Standing,
    body,
    revision,
)
from orchestrator.plan.timing import Calendar, Turn
from orchestrator.playbook import Cap, Play, not_held

GONE = frozenset({"sending", "scheduled", "published", "offered", "uncertain"})  # left, or may have
OPEN = frozenset({"planned", "queued", "held", "failed"})  # may still be changed or called off


def make(given: PlanInput) -> Diff:
    """Say what applying the playbook now would change; pure, so the same input gives the same Diff."""
    return _Maker(given).diff()


@dataclass(frozen=True)
class _Slot:
    """Where one item belongs: a play, at a time, on a channel, by an account, maybe to a person."""

    play: Play
    turn: Turn
    account: AccountView
    person: Recipient | None = None

    def id(self, campaign: str) -> str:
        who = f"person:{self.person.person_id}" if self.person else f"account:{self.account.name}"
        again = (self.turn.slot,) if self.turn.slot else ()
        told = "\0".join((campaign, self.play.play, who, self.account.channel, *again))
        return base64.b32encode(hashlib.sha256(told.encode()).digest()).decode().lower()[:12]


class _Maker:
    """Gathers the items a playbook asks for, and what keeps some of them out."""

    def __init__(self, given: PlanInput) -> None:
        self.given = given
        self.standing = {each.id: each for each in given.standing}
        self.calendar = Calendar(given, OPEN)
        self.left_out: Counter[tuple[str, str]] = Counter()
        self.problems: dict[Problem, None] = {}
        self.times = _times(given)
        self.recipients = sorted(given.recipients, key=lambda r: r.person_id)
        plays = given.playbook.plays
        self.values = {play.play: given.packs[play.pack].fill(play.values) for play in plays}

    def diff(self) -> Diff:
        going = self.given.goes_on_since is not None  # then by itself, and only what recurs does
        plays = [play for play in self.given.playbook.plays if play.every or not going]
        planned = tuple(item for play in plays for item in self._play(play))
        new, changed = self._new(planned), self._changed(planned)
        wanted = {item.id for item in planned}
        gone = tuple(s for s in self.given.standing if s.id not in wanted and s.status in OPEN)
        return Diff(
            new=new,
            changed=changed,
            cancelled=gone,
            same=sum(i.id in self.standing for i in planned) - len(changed),
            left_out=tuple(LeftOut(why, n, play) for (play, why), n in self.left_out.items()),
            problems=tuple(self.problems),
            planned=planned,
            zone=self.given.zone,
        )

    # ---- who and where ------------------------------------------------------------------------

    def _play(self, play: Play) -> Iterator[PlannedItem]:
        names = {a.name for a in self.given.accounts}
        for name in play.accounts:
            if name not in names:
                self._tell(play, f"no account is called {name!r}{suggest(name, names)}")
        for channel in play.channels:
            accounts = [a for a in self.given.accounts if a.channel == channel]
            chosen = sorted(
                (a for a in accounts if not play.accounts or a.name in play.accounts), key=lambda a: a.name
            )
            if not accounts:
                self.left_out[play.play, f"because no account is connected on {channel}"] += 1
            yield from self._channel(play, chosen)

    def _channel(self, play: Play, accounts: list[AccountView]) -> Iterator[PlannedItem]:
        for account in accounts:
            for slot in self._slots(play, account):
                try:
                    item = self._item(slot)
                except CheckError as error:  # every other reader's would fail alike
                    self.problems.update(dict.fromkeys(error.problems))
                    break
                if item:
                    yield item
            if account.limits.personal:
                return  # one message to a person, whatever number of accounts could send it

    def _slots(self, play: Play, account: AccountView) -> Iterator[_Slot]:
        for turn in self.calendar.turns[play.play]:
            slot = _Slot(play, turn, account)
            if account.limits.personal:
                yield from self._people(slot)
            elif self._in_time(slot):
                yield slot

    def _people(self, each: _Slot) -> Iterator[_Slot]:
        tiers = {Tier.of(slug) for slug in each.play.tiers}
        for person in self.recipients:
            slot = replace(each, person=person)
            if person.tier not in tiers or not self._in_time(slot):
                continue
            why = self._why_not(slot)
            if why:
                self.left_out[each.play.play, why] += 1
            else:
                yield slot

    def _in_time(self, slot: _Slot) -> bool:
        """Tell whether a time still comes, or an item stands that was planned for it."""
        if self.calendar.lasts(*self._at(slot)) == timedelta(0):
            self.left_out[slot.play.play, "because the next one comes as soon"] += 1
            return False
        return slot.turn.fresh or slot.id(self.given.campaign.id) in self.standing

    def _why_not(self, slot: _Slot) -> str:
        person, rules = slot.person, self.given.playbook.rules
        assert person is not None
        if self._left(slot):
            return ""
        if rules.consent not in person.purposes:
            return f"without consent to {rules.consent}"
        if not slot.account.limits.offers and (why := _unreached(person)):
            return why
        if person.person_id in self.given.held:
            return "held out, to compare"
        cap, due = rules.caps.per_person, self._due(slot)
        if cap and _over(cap, self.times.get(person.person_id, []), due, self.given.zone):
            return f"over the cap of {cap}"
        self.times.setdefault(person.person_id, []).append(due)
        return ""

    def _left(self, slot: _Slot) -> bool:
        standing = self.standing.get(slot.id(self.given.campaign.id))
        return standing is not None and standing.status in GONE

    def _due(self, slot: _Slot) -> datetime:
        standing = self.standing.get(slot.id(self.given.campaign.id))
        if standing and standing.moved:
            return standing.due_at
        return self.calendar.due(*self._at(slot))

    def _at(self, slot: _Slot) -> tuple[Play, str, Turn, str]:
        return slot.play, slot.account.channel, slot.turn, slot.person.country if slot.person else ""

    def _when(self, slot: _Slot, due: datetime) -> datetime | str:
        """Return what a revision knows of the time; see `revision`."""
        standing, at = self.standing.get(slot.id(self.given.campaign.id)), slot.play.at
        known = self.given.playbook.starts or at.on or slot.turn.slot
        if known or (standing and standing.moved):
            return due
        return f"{at} {slot.play.zone or self.given.zone.key}"

    # ---- what is said -------------------------------------------------------------------------

    def _item(self, slot: _Slot) -> PlannedItem | None:
        play, due, id_ = slot.play, self._due(slot), slot.id(self.given.campaign.id)
        lasts = self.calendar.lasts(*self._at(slot))
        expires = due + lasts if lasts is not None else None
        if id_ not in self.standing and expires and expires <= self.given.now:
            self.left_out[play.play, "because its time is over"] += 1
            return None
        post, link = self._post(slot, id_)
        self._look(slot, post, due)
        tiers = [int(slot.person.tier)] if slot.person else [int(Tier.of(s)) for s in play.tiers]
        return PlannedItem(
            id=id_,
            rev=revision(body(post), self._when(slot, due), slot.account.name, slot.account.channel),
            campaign_id=self.given.campaign.id,
            play=play.play,
            account=slot.account.name,
            channel=slot.account.channel,
            person_id=slot.person.person_id if slot.person else "",
            tiers=tuple(sorted(tiers)),
            goal=play.goal or self.given.playbook.goal,
            due_at=due,
            expires_at=expires,
            late=play.late,
            post=post,
            link=link,
            status_on_apply="planned" if self.given.playbook.rules.approval == "required" else "queued",
            slot=slot.turn.slot,
            hand_over=int(play.hand_over.total_seconds()) if play.hand_over else 0,
            quiet=self.calendar.rest(*self._at(slot)),
        )

    def _post(self, slot: _Slot, id_: str) -> tuple[Post, LinkPlan | None]:
        given, play, person = self.given, slot.play, slot.person
        pack = given.packs[play.pack]
        code = links.code(given.link_key, id_, person.person_id if person else None, pack.link)
        context = Context(
            brand=given.brand_name,
            link=links.url(given.public_url, code) if pack.link else "",
            language=given.language,
            currency=given.currency,
        )
        if person:
            first = person.name.split()[0] if person.name.split() else ""
            context = replace(
                context, person_name=person.name, first_name=first, person_tier=person.tier.slug
            )
        post = render(pack, play.template, slot.account.channel, self.values[play.play], context)
        post = prepare(post, slot.account.limits, given.public_url)
        if person:
            # A kit goes to a person, whatever way a colleague hands them its page; mail to an address.
            to = person.person_id if slot.account.limits.offers else person.email
            post = replace(post, to=to, unsubscribe=given.unsubscribe_url(person.person_id))
        link = LinkPlan(code, pack.link, slot.account.limits.offers)
        return post, link if post.link else None

    def _look(self, slot: _Slot, post: Post, due: datetime) -> None:
        """Hold a post against the real limits of its account, and its rights against its day."""
        for message in faults(post, slot.account.limits):
            self._tell(slot.play, f"on {slot.account.name} ({slot.account.channel}): {message}")
        early = slot.play.hand_over
        if early and (why := not_held(slot.account.limits.schedules, early)):
            self._tell(slot.play, f"on {slot.account.name} ({slot.account.channel}): it {why}")
        pack: Pack = self.given.packs[slot.play.pack]
        day = due.astimezone(self.given.zone).date()
        why = pack.rights.problem(day) if pack.rights else "no rights are stated"
        if why:
            self._tell(slot.play, f"pack {pack.name!r}: {why}")

    def _tell(self, play: Play, message: str) -> None:
        self.problems[self.given.playbook.problem(play.play, message)] = None

    # ---- against what stands ------------------------------------------------------------------

    def _new(self, planned: tuple[PlannedItem, ...]) -> tuple[PlannedItem, ...]:
        return tuple(item for item in planned if item.id not in self.standing)

    def _changed(self, planned: tuple[PlannedItem, ...]) -> tuple[Change, ...]:
        found = []
        for item in planned:
            before = self.standing.get(item.id)
            what = _what(before, item) if before else ()
            if before and what:
                found.append(Change(item, before, what))
        return tuple(found)


def _what(before: Standing, item: PlannedItem) -> tuple[str, ...]:
    """Name what applying would change about an item that stands; nothing where it stays as it is."""
    what = wording.differences(before, item)
    if before.status == "cancelled":
        returns = before.withdrawn or (before.rejected and before.rev != item.rev)
        return (*what, "planned again") if returns else ()
    if before.status == "expired":
        return what if before.due_at < item.due_at else ()
    if before.status not in OPEN:
        return ()
    wanted = "queued" if before.rev == item.rev and before.approved else item.status_on_apply
    if not what and before.status in ("planned", "queued") and before.status != wanted:
        return ("needs approval now",) if wanted == "planned" else ("needs no approval any more",)
    return what


def _unreached(person: Recipient) -> str:
    if not person.email:
        return "without an address"
    return "whose address bounced" if person.bounced else ""


def _times(given: PlanInput) -> dict[str, list[datetime]]:
    """Gather when each person was written to: outside this campaign, and by items of it that have left."""
    times = {r.person_id: list(r.contacts) for r in given.recipients}
    for each in given.standing:
        left = each.status in GONE or (each.left and each.status not in OPEN)  # those are planned anew
        if each.person_id and left:
            times.setdefault(each.person_id, []).append(each.due_at)
    return times


def _over(cap: Cap, times: list[datetime], due: datetime, zone: tzinfo) -> bool:
    """Tell whether one more message would be too many in some window that holds it.

    Days are days of the calendar: else a message every Monday would be over its cap when the clock changes.
    """
    days = cap.window % timedelta(days=1) == timedelta(0)
    window = float(cap.window.days) if days else cap.window.total_seconds()

    def mark(at: datetime) -> float:
        return float(at.astimezone(zone).toordinal()) if days else at.timestamp()

    here = mark(due)
    near = sorted([here, *(each for each in map(mark, times) if abs(each - here) < window)])
    return any(later - earlier < window for earlier, later in zip(near, near[cap.count :], strict=False))


def preview(given: PlanInput, stand_ins: tuple[AccountView, ...]) -> Diff:
    """Plan to look at: stand-in accounts where none is connected, and one reader for each personal play.

    What stands or is connected keeps its real item reference; a reader is a real one where somebody may be
    written to, else made up. Look at `planned` and `problems` of the result.
    """
    connected = {a.channel for a in given.accounts}
    accounts = (*given.accounts, *(a for a in stand_ins if a.channel not in connected))
    readers = tuple(_reader(given, tier) for tier in Tier if tier.engaged)
    diff = make(replace(given, accounts=accounts, recipients=readers))
    first: dict[tuple[str, ...], PlannedItem] = {}
    for item in diff.planned:
        who = "" if item.person_id else item.account
        first.setdefault((item.play, item.channel, who, item.slot), item)
    return replace(diff, planned=tuple(first.values()))


def _reader(given: PlanInput, tier: Tier) -> Recipient:
    consent = given.playbook.rules.consent
    for person in sorted(given.recipients, key=lambda r: r.person_id):
        free = consent in person.purposes and not person.bounced and person.person_id not in given.held
        if person.tier == tier and person.email and free:
            return replace(person, contacts=())
    return Recipient(
        person_id=f"sample-{tier.slug}",
        household_id=f"sample-{tier.slug}",
        tier=tier,
        name="Ada Example",
        email="ada@example.com",
        country="",
        language=given.language,
        purposes=frozenset({consent}),
        bounced=False,
    )
