"""The brand's files and its audience -> what would happen, and that it happens once approved."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Engine
from sqlmodel import Session

import connectors
from connectors.base import Capabilities
from orchestrator import audience, content, db, documents, items, links, plan, playbook
from orchestrator.accounts import Accounts
from orchestrator.audience import Recipient, Tier, holdout
from orchestrator.brand import FILE, Brand
from orchestrator.content import Pack, Surroundings
from orchestrator.errors import CheckError, ConflictError, Problem
from orchestrator.items import Applied, Campaign, Kept, Run
from orchestrator.plan import AccountView, CampaignView, Diff, PlanInput
from orchestrator.playbook import Playbook

_MARGIN = timedelta(days=8)  # by which quiet hours and a colleague may have put off what was planned
CONTENT, PLAYBOOKS = "content", "playbooks"


@dataclass(frozen=True)
class Checked:
    """What was looked at and found good."""

    packs: tuple[str, ...]
    playbooks: tuple[str, ...]


@dataclass(frozen=True)
class Opened:
    """A playbook with everything it names: packs, the file's digest, the accounts it may use.

    `files` are what it was read from (path below the brand's folder -> bytes), where a play of it recurs.
    """

    packs: Mapping[str, Pack]
    playbook: Playbook
    digest: str
    accounts: tuple[AccountView, ...]
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Planned:
    """A diff, the campaign it is for (kept or not yet), and the people that are left alone for it."""

    campaign: Campaign
    diff: Diff
    drawn: frozenset[str]


@dataclass(frozen=True)
class Extended:
    """How many items campaigns that recur got anew, and how many nobody approved before the next one came."""

    new: int = 0
    overtaken: int = 0

    def __add__(self, other: "Extended") -> "Extended":
        return Extended(self.new + other.new, self.overtaken + other.overtaken)


def declared() -> dict[str, Capabilities]:
    """Return what each channel declares, by name."""
    return {name: connectors.find(name).capabilities for name in connectors.names()}


class Programme:
    """A brand's packs and playbooks, read fresh from its folder each time."""

    def __init__(self, brand: Brand, accounts: Accounts) -> None:
        self.brand, self.accounts = brand, accounts

    # ---- check --------------------------------------------------------------------------------

    def check(self, paths: Sequence[Path], today: date) -> Checked:
        """Look at everything, or at the files and folders named; raises `CheckError` with every problem."""
        packs, problems = content.survey(self.brand.folder / CONTENT)
        found, limits, books = list(problems), declared(), _playbook_files(self.brand.folder)
        if not packs and not books:
            found.append(Problem(PLAYBOOKS, 1, 1, "there is neither a pack nor a playbook here"))
        for pack in packs.values():
            found += content.check(pack, limits, self._around(today)) if pack else []
        for path in books:
            found += self._faults(path, packs, limits)
        wanted = [path.resolve() for path in paths]
        parts = {name: f"{CONTENT}/{name}" for name in packs}
        named = {path.stem: f"{PLAYBOOKS}/{path.name}" for path in books}
        self._none_missing(paths, (FILE, *parts.values(), *named.values()))
        if kept := [p for p in found if not wanted or self._within(p.file, wanted)]:
            raise CheckError.of(kept)
        return Checked(self._touching(parts, wanted), self._touching(named, wanted))

    def _faults(
        self, path: Path, packs: Mapping[str, Pack | None], limits: dict[str, Capabilities]
    ) -> list[Problem]:
        try:
            playbook.load(path, packs, limits, f"{PLAYBOOKS}/{path.name}")
        except CheckError as error:
            return list(error.problems)
        return []

    def _none_missing(self, paths: Sequence[Path], places: Sequence[str]) -> None:
        """Refuse paths that are not there, and those that `check` would look at nothing in."""
        missing = []
        for path in paths:
            if not path.exists():
                missing.append(Problem(str(path), 1, 1, "there is no such file or folder"))
            elif not any(self._touches(place, [path.resolve()]) for place in places):
                missing.append(Problem(str(path), 1, 1, "is no part of this brand's packs and playbooks"))
        if missing:
            raise CheckError.of(missing)

    def _touching(self, places: Mapping[str, str], wanted: Sequence[Path]) -> tuple[str, ...]:
        return tuple(name for name, place in places.items() if not wanted or self._touches(place, wanted))

    def _touches(self, place: str, wanted: Sequence[Path]) -> bool:
        """Tell whether a pack or playbook is one of these paths, holds one of them or lies in one."""
        path = (self.brand.folder / place).resolve()
        return any(path.is_relative_to(each) or each.is_relative_to(path) for each in wanted)

    def _within(self, file: str, wanted: Sequence[Path]) -> bool:
        path = (self.brand.folder / file).resolve()
        return any(path.is_relative_to(each) for each in wanted)

    def _around(self, today: date) -> Surroundings:
        brand = self.brand
        return Surroundings(
            brand.name, brand.public_url, brand.links.domains, today, brand.language, brand.currency
        )

    # ---- plan ---------------------------------------------------------------------------------

    def open(self, name: str, today: date) -> Opened:
        """Read a playbook with its packs, checked as `check` does, and ask its accounts for their limits.

        Accounts keep what a server announces, in transactions of their own: open before you begin one.
        """
        folder = self.brand.folder
        packs, book, digest = self._read(folder, name, today)
        files = _files(folder, book) if any(play.every for play in book.plays) else {}
        return Opened(packs, book, digest, self._account_views(book), files)

    def plan(self, session: Session, opened: Opened, by: str, now: datetime) -> Planned:
        """Say what applying a playbook would change now."""
        given, campaign, drawn = self._given(session, opened, by, now)
        return Planned(campaign, plan.make(given), drawn)

    def preview(self, session: Session, opened: Opened, by: str, now: datetime) -> Diff:
        """Render each play as each channel would show it, whether or not an account is connected."""
        given, _, _ = self._given(session, opened, by, now)
        stand_ins = tuple(AccountView(channel, channel, limits) for channel, limits in declared().items())
        return plan.preview(given, stand_ins)

    def apply(self, session: Session, opened: Opened, by: str, now: datetime) -> tuple[Planned, Applied]:
        """Do what the plan says, in one transaction; a second time there is nothing to do."""
        planned = self.plan(session, opened, by, now)
        applied = items.apply(session, planned.diff, planned.campaign, by, now)
        holdout.keep(session, planned.campaign.id, planned.drawn, now)
        items.keep_files(session, planned.campaign.id, opened.files, now)
        return planned, applied

    # ---- go on --------------------------------------------------------------------------------

    def go_on(self, engine: Engine, clock: Callable[[], datetime]) -> Extended:
        """Plan what has come into the horizon of campaigns that recur; what stands stays as it is.

        Each goes on from the files it was applied from. One that cannot does not keep the others from it;
        then raises `CheckError` with what is in the way.
        """
        with db.reading(engine) as session:
            campaigns = [items.kept(session, each) for each in items.going_on(session)]
        done, troubles = Extended(), list[Problem]()
        for kept in campaigns:
            try:
                opened = self._reopen(kept, clock())
                with db.writing(engine) as session:
                    done += self._extend(session, kept, opened, clock())
            except (CheckError, ConflictError) as error:
                troubles.append(Problem(message=f"Campaign {kept.campaign_id} does not go on: {error}"))
        if troubles:
            raise CheckError(*troubles)
        return done

    def _reopen(self, kept: Kept, now: datetime) -> Opened:
        """Read a campaign's playbook as it was applied, whatever stands in the folder now."""
        with TemporaryDirectory(prefix="orchestrator-") as name:
            for path, data in kept.files.items():
                place = Path(name, path)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(data)
            today = now.astimezone(self.brand.zone).date()
            packs, book, digest = self._read(Path(name), kept.playbook, today)
        return Opened(packs, book, digest, self._account_views(book))

    def _extend(self, session: Session, kept: Kept, opened: Opened, now: datetime) -> Extended:
        since = now - _reach(opened.playbook)
        given, campaign, drawn = self._given(session, opened, kept.by, now, since)
        if campaign.id != kept.campaign_id:
            return Extended()  # it was called off meanwhile
        overtaken = items.overtake(session, campaign.id, now)
        diff = plan.make(replace(given, goes_on_since=kept.at))
        applied = items.apply(session, replace(diff, changed=(), cancelled=()), campaign, kept.by, now)
        holdout.keep(session, campaign.id, drawn, now)
        return Extended(applied.new, overtaken)

    def _given(
        self, session: Session, opened: Opened, by: str, now: datetime, since: datetime | None = None
    ) -> tuple[PlanInput, Campaign, frozenset[str]]:
        book = opened.playbook
        campaign = items.open_campaign(session, Run(book, opened.digest, self.brand.links.window), by, now)
        recipients = self._recipients(session, campaign.id, now)
        drawn = self._drawn(book, campaign.id, recipients)
        given = PlanInput(
            playbook=book,
            packs=opened.packs,
            campaign=CampaignView(campaign.id, campaign.started_at),
            recipients=recipients,
            held=drawn | holdout.held(session, campaign.id),
            accounts=opened.accounts,
            standing=items.standing(session, campaign.id, since),
            brand_name=self.brand.name,
            zone=self.brand.zone,
            public_url=self.brand.public_url,
            link_key=self.brand.key("links"),
            unsubscribe_url=self._unsubscribe_url,
            now=now,
            language=self.brand.language,
            currency=self.brand.currency,
            quiet=self.brand.quiet,
        )
        return given, campaign, drawn

    def _read(self, folder: Path, name: str, today: date) -> tuple[dict[str, Pack], Playbook, str]:
        path = self._path(folder, name)
        packs, limits = content.survey(folder / CONTENT)[0], declared()
        book = playbook.load(path, packs, limits, f"{PLAYBOOKS}/{path.name}")
        problems: list[Problem] = []
        for each in sorted({play.pack for play in book.plays}):
            pack = packs[each] or content.load(folder / CONTENT / each, f"{CONTENT}/{each}")
            problems += content.check(pack, limits, self._around(today))
        if problems:
            raise CheckError.of(problems)
        good = {each: pack for each, pack in packs.items() if pack}
        return good, book, hashlib.sha256(path.read_bytes()).hexdigest()

    def _path(self, folder: Path, name: str) -> Path:
        known = {path.stem: path for path in _playbook_files(folder)}
        wanted = Path(name).stem if name.endswith((".yaml", ".yml")) else name
        if wanted not in known:
            raise CheckError(f"there is no playbook {name!r}{documents.suggest(wanted, known)}")
        return known[wanted]

    def _recipients(self, session: Session, campaign_id: str, now: datetime) -> tuple[Recipient, ...]:
        contacts = items.contacts(session, campaign_id)
        people = (each for each in audience.snapshot(session, now) if each.tier.engaged)
        return tuple(replace(each, contacts=contacts.get(each.person_id, ())) for each in people)

    def _drawn(self, book: Playbook, campaign_id: str, people: Sequence[Recipient]) -> frozenset[str]:
        key, share = self.brand.key("holdout"), book.rules.holdout
        tiers = {Tier.of(slug) for play in book.plays for slug in play.tiers}
        return frozenset(
            each.person_id
            for each in people
            if each.tier in tiers and holdout.drawn(key, campaign_id, each.person_id, share)
        )

    def _account_views(self, book: Playbook) -> tuple[AccountView, ...]:
        channels = {channel for play in book.plays for channel in play.channels}
        return tuple(
            AccountView(account.name, account.channel, self.accounts.limits(account.name))
            for account in self.accounts.all()
            if account.channel in channels
        )

    def _unsubscribe_url(self, person_id: str) -> str:
        return links.unsubscribe_url(self.brand.public_url, self.brand.key("unsubscribe"), person_id)


def _reach(book: Playbook) -> timedelta:
    """Return how far back a campaign looks that goes on: to the last time of each play, and to its caps.

    What is older is over. So it costs the same however long it has been going on.
    """
    cap = book.rules.caps.per_person
    rhythms = (play.every.longest for play in book.plays if play.every)
    return max(rhythms, default=timedelta(0)) + (cap.window if cap else timedelta(0)) + _MARGIN


def _playbook_files(folder: Path) -> list[Path]:
    return sorted((folder / PLAYBOOKS).glob("*.yaml"))


def _files(folder: Path, book: Playbook) -> dict[str, bytes]:
    """Read the files a playbook is made of: its own, and those of its packs."""
    packs = {folder / CONTENT / play.pack for play in book.plays}
    paths = [folder / PLAYBOOKS / f"{book.name}.yaml", *(path for pack in packs for path in pack.rglob("*"))]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths if path.is_file()}
