"""Orchestrator: one object with one method per use case; every room is put together here."""

import copy
import os
import socket
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from pydantic.fields import FieldInfo
from sqlmodel import Session

import connectors
from connectors.base import Media, Post
from orchestrator import audience, brand, content, db, items, links, outbox, report, team
from orchestrator.accounts import Account, Accounts, Ring
from orchestrator.app import history, kits, ledger, schema, shops, stopping
from orchestrator.app.choosing import one_account
from orchestrator.app.history import Brought, Progress, Shelf
from orchestrator.app.programme import Checked, Extended, Planned, Programme
from orchestrator.app.sending import Collected, Host, Sending, Sent
from orchestrator.audience import Explanation, TierReport
from orchestrator.dispatch import Waker
from orchestrator.errors import CheckError, ConflictError
from orchestrator.facts import Facts
from orchestrator.intake import Source
from orchestrator.items import Applied, Item
from orchestrator.outbox import Budgets, Resumed, Stopped
from orchestrator.plan import Diff
from orchestrator.team import Action, Colleague
from orchestrator.tracking import orders
from orchestrator.tracking.clicks import Recorder
from orchestrator.tracking.clicks import Rules as ClickRules
from orchestrator.tracking.orders import Receipt
from orchestrator.tracking.shops import Call
from orchestrator.value import Value

__all__ = ["Orchestrator"]
P = ParamSpec("P")
T = TypeVar("T")


class Orchestrator:
    """A brand folder, ready for use.

    `acting` names the colleague who acts, `token` is theirs instead; with neither it is the owner of the
    folder. `environ` stands for the process's environment, `clock` for the time, by default that of all who
    share the database. Close it when done.
    """

    def __init__(
        self,
        folder: Path | str,
        acting: str = "",
        token: str = "",
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.brand = brand.load(Path(folder), os.environ if environ is None else environ)
        self._acting, self._token = acting, token
        # Names and addresses are kept in it: nobody else on this machine may look inside.
        self.brand.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.engine = db.connect(self.brand.database_url)
        schema.ensure(self.engine)
        self.now = clock or db.clock(self.engine)
        self.wake = Waker(self.engine)
        self.rules = self.brand.outbox
        self.host = Host(
            worker=f"{socket.gethostname()}:{os.getpid()}",
            clock=self.now,
            budgets=Budgets.of(self.brand.outbox.budgets, self.brand.zone),
            public_url=self.brand.public_url,
            kit_url=partial(kits.url, self.brand),
            wake=self.wake,
            steady=None if clock else time.monotonic,
        )
        self.facts = Facts(self.brand.facts, self.brand.engine)
        request = self.brand.outbox.request.total_seconds()
        ring = Ring(lambda: self.brand.keys("accounts"))
        self._accounts = Accounts(self.engine, ring, request, clock=self.now)
        self._programme = Programme(self.brand, self._accounts)

    def __enter__(self) -> "Orchestrator":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of connections, threads and the database."""
        if "sending" in self.__dict__:
            self.sending.close()
        if "recorder" in self.__dict__:
            self.recorder.close()
        self._accounts.close()
        self.engine.dispose()

    # ---- who asks -----------------------------------------------------------------------------

    @cached_property
    def colleague(self) -> Colleague:
        """Return who acts: the token's holder, the one named, else the owner of the folder."""
        with db.writing(self.engine) as session:
            if self._token:
                return team.holding(session, self._token)
            if self._acting:
                return team.named(session, self._acting)
            return team.owner(session) or team.add(session, "owner", "admin", "", self.now())[0]

    def _may(self, action: Action) -> str:
        team.require(self.colleague, action)
        return self.colleague.name

    def acting_for(self, colleague: Colleague) -> "Orchestrator":
        """Return this orchestrator with another colleague acting; what is open is shared, close it once."""
        other = copy.copy(self)
        other.__dict__ |= {"colleague": colleague, "sending": self.sending, "recorder": self.recorder}
        return other

    def look(self, view: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Read a view of what stands (`app.views`, or any reading of one session)."""
        self._may(Action.READ)
        with db.reading(self.engine) as session:
            return view(session, *args, **kwargs)

    def found(self, admin: str) -> str:
        """Make the first admin of a new brand and return their token, which is shown this once."""
        with db.writing(self.engine) as session:
            if team.everyone(session):
                raise ConflictError("This brand has its first admin already.")
            return team.add(session, admin, "admin", "", self.now())[1]

    def add_colleague(self, name: str, role: str, email: str) -> tuple[Colleague, str]:
        """Add a colleague and return them with their token, which is shown this once."""
        self._may(Action.MANAGE)
        with db.writing(self.engine) as session:
            return team.add(session, name, role, email, self.now())

    def colleagues(self) -> Sequence[Colleague]:
        """List colleagues by name."""
        self._may(Action.READ)
        with db.reading(self.engine) as session:
            return team.everyone(session)

    # ---- who: history and tiers ---------------------------------------------------------------

    def bring(
        self,
        source: Source,
        progress: Progress = lambda done, total: None,
        taken: Collection[Path] = (),
    ) -> Brought:
        """Import one file; the same file again changes nothing. Rejects files in `taken` are left."""
        self._may(Action.WRITE)
        shelf = Shelf(self.brand, self.engine, self.facts)
        return history.bring(shelf, source, self.now(), progress, taken)

    def tiers(self, as_of: date | None = None) -> TierReport:
        """Sort everybody into the six tiers as of a day (default: today in the brand's zone)."""
        self._may(Action.WRITE)
        with db.writing(self.engine) as session:
            return audience.tiers.refresh(session, self.facts, self.brand, as_of or self.today(), self.now())

    def why(self, person_id: str, as_of: date | None = None) -> Explanation:
        """Say which tier a person is in, and why."""
        self._may(Action.READ)
        with db.reading(self.engine) as session:
            return audience.tiers.explain(session, self.facts, self.brand, person_id, as_of or self.today())

    def today(self) -> date:
        """Return the day it is in the brand's zone."""
        return self.now().astimezone(self.brand.zone).date()

    # ---- what: check, plan, apply -------------------------------------------------------------

    def check(self, paths: Sequence[Path] = ()) -> Checked:
        """Look at packs and playbooks; raises `CheckError` with every problem."""
        return self._programme.check(paths, self.today())

    def preview(self, playbook: str) -> Diff:
        """Render each play as each channel would show it."""
        by, opened = self._may(Action.READ), self._programme.open(playbook, self.today())
        with db.reading(self.engine) as session:
            return self._programme.preview(session, opened, by, self.now())

    def plan(self, playbook: str) -> Planned:
        """Say what applying a playbook would change."""
        by, opened = self._may(Action.READ), self._programme.open(playbook, self.today())
        with db.reading(self.engine) as session:
            return self._programme.plan(session, opened, by, self.now())

    def apply(self, playbook: str) -> tuple[Planned, Applied, str]:
        """Apply a playbook; return plan, counts, and the CAMPAIGN@REV that would approve what waits."""
        by, opened = self._may(Action.WRITE), self._programme.open(playbook, self.today())
        with db.writing(self.engine) as session:
            planned, applied = self._programme.apply(session, opened, by, self.now())
            touched = (*planned.diff.new, *(change.item for change in planned.diff.changed))
            self.wake.those(session, [each.id for each in touched])
            return planned, applied, items.campaign_reference(session, planned.campaign.id)

    def extend(self) -> Extended:
        """Plan what has come into the horizon of campaigns that recur, just as they were applied."""
        self._may(Action.WRITE)
        return self._programme.go_on(self.engine, self.now)

    def approve(self, refs: Sequence[str] = (), campaign: str = "") -> list[Item]:
        """Approve items (`ID@REV`), or all that waits in a campaign (`ID@REV`), exactly as they were seen."""
        by = self._may(Action.APPROVE)
        with db.writing(self.engine) as session:
            if campaign:
                approved = items.approve_campaign(session, campaign, by, self.now())
            else:
                approved = items.approve(session, refs, by, self.now())
            self.wake.those(session, [each.id for each in approved])
            return approved

    def reject(self, refs: Sequence[str], why: str) -> list[Item]:
        """Refuse items (`ID@REV`) with a reason for their author."""
        by = self._may(Action.APPROVE)
        with db.writing(self.engine) as session:
            return items.reject(session, refs, by, why, self.now())

    def cancel(self, ids: Sequence[str]) -> list[str]:
        """Call off items or campaigns before they left."""
        return stopping.cancel(self.sending, ids, self._may(Action.WRITE), self.now())

    def move(self, item: str, at: datetime) -> Item:
        """Give an item another time."""
        by = self._may(Action.WRITE)
        return stopping.move(self.sending, stopping.Move(item, at, by), self.now(), self.wake.those)

    def post(self, channel: str, text: str, media: Sequence[Media] = (), at: datetime | None = None) -> Item:
        """Queue one post without a playbook, on the account or the channel's only account named `channel`."""
        by = self._may(Action.APPROVE)
        account = one_account(self._accounts, channel)
        post = Post(text=text, media=tuple(media), language=self.brand.language)
        post = content.prepare(post, account.limits, self.brand.public_url)
        with db.writing(self.engine) as session:
            item = items.single(session, account, post, at or self.now(), by, self.now())
            self.wake.those(session, [item.id])
            return item

    def seen(self, ref: str) -> tuple[Item, Post]:
        """Return an item (ID or ID@REV) and what it says."""
        self._may(Action.READ)
        with db.reading(self.engine) as session:
            item = session.get(Item, ref.partition("@")[0])
            if item is None:
                raise items.missing(session, ref)
            return item, items.post_of(session, item.id, item.rev)

    def published(self) -> list[Item]:
        """List the items that are public."""
        self._may(Action.READ)
        with db.reading(self.engine) as session:
            return items.published(session)

    # ---- sending ------------------------------------------------------------------------------

    @cached_property
    def sending(self) -> Sending:
        """Return what drives the outbox of this brand."""
        return Sending(self.engine, self._accounts, self.rules, self.host)

    def work_as(self, name: str = "", threads: int = 0) -> None:
        """Go by another name as a worker, or with another number of threads; before anything is sent."""
        self.host = replace(self.host, worker=name or self.host.worker)
        self.rules = self.rules.model_copy(update={"threads": threads or self.rules.threads})

    def publish(self, until_idle: bool = False, patience: timedelta = outbox.PATIENCE) -> Sent:
        """Send what is due; `until_idle` goes on until nothing is due and no lease lives or lapses."""
        self._may(Action.WRITE)
        return self.sending.publish(until_idle, patience)

    def stop(self, why: str, scope: str = "all", wait: bool = True) -> Stopped:
        """Let nothing of a scope leave any more; returns once that is so, or at once with `wait` off."""
        return stopping.stop(self.sending, scope, why, self._may(Action.WRITE), wait)

    def resume(self, which: str = "", pace: int = 0) -> Resumed:
        """Let what a stop (its number or scope; else all) kept back leave, at a pace a minute and account."""
        return stopping.resume(self.sending, which, self._may(Action.APPROVE), pace)

    def recover(self) -> int:
        """Take up what a process that broke off left behind, and look for what is uncertain."""
        self._may(Action.WRITE)
        return self.sending.outbox.recover()

    def collect(self) -> Collected:
        """Fetch what platforms report about published posts."""
        self._may(Action.WRITE)
        return self.sending.collect()

    def resolve(self, item_id: str, word: str, url: str = "") -> str:
        """Keep a person's decision about an uncertain item; return the item's new status."""
        by = self._may(Action.APPROVE)
        return self.sending.resolve(item_id, word, by, url)

    # ---- accounts and shops -------------------------------------------------------------------

    def connect(self, channel: str, name: str, settings: Mapping[str, str]) -> Account:
        """Connect a login; what was held for it goes on."""
        by = self._may(Action.MANAGE)
        account = self._accounts.connect(channel, name, settings, by, self.now())
        self.sending.release(name)
        return account

    def disconnect(self, name: str) -> None:
        """Forget a login or a shop and its secrets; `ConflictError` while only it can tell what left."""
        self._may(Action.MANAGE)
        with db.reading(self.engine) as session:
            open_ = [items.reference(each) for each in items.unsettled(session, name)]
        if open_:
            raise ConflictError(
                f"What became of {', '.join(open_)} is not known yet, and only {name} can tell: "
                "run publish --until-idle, decide with: orchestrator outbox resolve, "
                "or call off what it holds until its time with: orchestrator cancel"
            )
        self._accounts.disconnect(name)

    def logins(self) -> list[Account]:
        """List the logins with their health."""
        self._may(Action.READ)
        return self._accounts.all()

    def settings_of(self, channel: str) -> dict[str, FieldInfo]:
        """Return what a person has to give to connect a channel."""
        self._accounts.capabilities(channel)
        return dict(connectors.find(channel).Settings.model_fields)

    def connect_shop(self, name: str, kind: str, secret: str) -> None:
        """Keep a shop's signing secret."""
        self._may(Action.MANAGE)
        shops.known(kind)
        self._accounts.connect_shop(name, kind, secret)

    def shops(self) -> list[tuple[str, str]]:
        """List (name, kind) of the connected shops."""
        self._may(Action.READ)
        return self._accounts.shops()

    # ---- what comes back ----------------------------------------------------------------------

    @cached_property
    def recorder(self) -> Recorder:
        """Return the one writer of clicks in this process."""
        rules = ClickRules(self.brand.key("clicks"), self.brand.links.domains, self.brand.links.click_ids)
        return Recorder(self.engine, rules, self.now)

    def receive_order(self, shop: str, call: Call) -> Receipt:
        """Keep what a shop's signed webhook says, once; without a name it is the only shop of its kind."""
        door = shops.door(self._accounts, shop, call, self.brand.key("clicks"))
        with db.writing(self.engine) as session:
            return orders.receive(session, self.facts, door, call, self.now())

    def withdraw(self, person_id: str) -> None:
        """Take back a person's consent to be written to, as they asked, and what lies with them."""
        with db.writing(self.engine) as session:
            audience.consent.record(session, person_id, "advocacy", False, self.now(), "unsubscribe")
            items.call_back(session, person_id, f"{person_id} wants no more of it", self.now())

    def link(self, target: str, click_id: bool = True) -> str:
        """Make a tracked link by hand; the same target has the same link, another one without click ids."""
        self._may(Action.WRITE)
        if not links.allowed(target, self.brand.links.domains):
            allowed = ", ".join(self.brand.links.domains) or "none"
            raise CheckError(f"{target!r} is at no domain of brand.yaml (links: domains: {allowed})")
        code = links.code(self.brand.key("links"), "" if click_id else "no click id", None, target)
        made = links.Link(code=code, target=target, click_id=click_id, created_at=self.now())
        with db.writing(self.engine) as session:
            links.keep(session, [made])
        return links.url(self.brand.public_url, code)

    # ---- what it was worth --------------------------------------------------------------------

    def value(self, asked: ledger.Asked) -> Value:
        """Work out the four goals for a campaign or for all, in a span of time."""
        self._may(Action.READ)
        with db.reading(self.engine) as session:
            return ledger.work_out(session, self.brand, asked, self.now())

    def report(self, asked: ledger.Asked, format_: str = "html") -> str:
        """Write the four goals as html, md, json or csv."""
        return report.write(self.value(asked), format_)

    # ---- upkeep -------------------------------------------------------------------------------

    def state(self) -> dict[str, int]:
        """Count the items by status."""
        with db.reading(self.engine) as session:
            return items.counts(session)
