"""A kit's code -> what its page shows, and what its advocate chose, told us, or wants no more of."""

import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast, get_args
from urllib.parse import urlsplit

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from connectors import handoff
from connectors.base import Post
from connectors.handoff import NoServerError, Way
from orchestrator import audience, db, items, links
from orchestrator.app.views import MissingError
from orchestrator.brand import Brand
from orchestrator.errors import CheckError, OutsideError
from orchestrator.items import Item, Status
from orchestrator.outbox import stops
from orchestrator.tracking import kits
from orchestrator.tracking.costs import Cost

PURPOSE = "advocacy"
_CODE = re.compile(r"[a-z2-7]{16}")
_ADDRESS_LIMIT = 500


class GoneError(CheckError):
    """The kit was there, and is not any more."""

    http_status = 410


class RestingError(OutsideError):
    """A stop is over the kit: it may come back."""


@dataclass(frozen=True)
class Shown:
    """A kit as its page shows it: `told` are the places where its advocate says it is; `rewarded` whether
    this brand knows that sharing is rewarded."""

    item: Item
    post: Post
    told: tuple[str, ...]
    rewarded: bool

    @property
    def kit(self) -> handoff.Kit:
        """Return what share addresses are made from."""
        picture = next((each.url for each in self.post.media if each.url and not each.moves), "")
        return handoff.Kit(self.post.text, self.post.link, picture)


@dataclass(frozen=True)
class Told:
    """Where an advocate says that they shared a kit, and the post's address if they gave one."""

    way: str
    url: str = ""


def url(brand: Brand, item_id: str) -> str:
    """Spell the page of an item's kit."""
    return links.kit_url(brand.public_url, links.kit_code(brand.key("kits"), item_id))


class Kits:
    """The kits of a brand, for those who hold the code of one: the code is all they need to show."""

    def __init__(
        self, engine: Engine, brand: Brand, now: Callable[[], datetime], withdraw: Callable[[str], None]
    ) -> None:
        """`withdraw` takes back a person's consent to be asked."""
        self._engine, self._brand, self._now, self._withdraw = engine, brand, now, withdraw
        self._key = brand.key("kits")

    def show(self, code: str) -> Shown:
        """Read a kit; raises `MissingError`, `GoneError` or `RestingError`."""
        with db.reading(self._engine) as session:
            item = self._open(session, code)
            post = items.post_of(session, item.id, item.rev)
            media = (
                replace(each, url=links.media_url(self._brand.public_url, each.sha256, each.type))
                for each in post.media
            )
            told = tuple(each.way for each in kits.of(session, item.id) if each.told)
            return Shown(item, replace(post, media=tuple(media)), told, _rewarded(session, item))

    def choose(self, code: str, way: str, server: str = "", counted: bool = True) -> str:
        """Count that a kit is taken to a platform; return the address there, "" where there is none (copy).

        `counted` is off where no person chose. Raises `CheckError` for no such way or no such server.
        """
        shown = self.show(code)
        address = _address(shown.kit, _way(way), server)
        if counted:
            with db.writing(self._engine) as session:
                kits.opened(session, shown.item.id, way, self._now())
        return address

    def tell(self, code: str, told: Told) -> None:
        """Keep an advocate's word that they shared a kit; saying it twice changes nothing."""
        way, address, now = _way(told.way), _post_address(told.url), self._now()
        with db.writing(self._engine) as session:
            item = self._open(session, code)
            items.shared(session, item.id, address, now)
            kits.told(session, item.id, way, address, now)

    def no_more(self, code: str) -> None:
        """Take back the consent of a kit's advocate, whatever became of the kit; twice is as good as once."""
        with db.reading(self._engine) as session:
            person_id = self._known(session, code).person_id
        self._withdraw(person_id)

    def _known(self, session: Session, code: str) -> Item:
        item = items.laid_out(session, code) if _CODE.fullmatch(code) else None
        if item is None or not hmac.compare_digest(links.kit_code(self._key, item.id), code):
            raise MissingError("There is no kit at this address. Copy all of it from the message.")
        return item

    def _open(self, session: Session, code: str) -> Item:
        item = self._known(session, code)
        if not audience.consent.has(session, item.person_id, PURPOSE):
            raise GoneError("This was put away, since you want no more of these.")
        if item.expires_at is not None and item.expires_at <= self._now():
            raise GoneError("The time for this has passed. Thank you for looking in.")
        if item.status not in (Status.OFFERED, Status.PUBLISHED):
            raise GoneError("This was taken back, and is not for sharing any more. Thank you for looking in.")
        if stops.over(stops.active(session), item):
            raise RestingError("This rests for the moment. Please share nothing now, and look in later.")
        return item


def _rewarded(session: Session, item: Item) -> bool:
    """Tell whether rewards were paid for the campaign, as far as costs were reported."""
    mine = (Cost.kind == "reward", Cost.campaign == item.campaign_id, Cost.amount > 0)
    found = select(Cost.row_id).where(*mine, col(Cost.campaign) != "").limit(1)
    return session.exec(found).first() is not None


def _way(word: str) -> Way:
    if word not in get_args(Way):
        raise CheckError("There is no such place to share it.")
    return cast(Way, word)


def _address(kit: handoff.Kit, way: Way, server: str) -> str:
    if way == "mastodon":
        try:
            return handoff.mastodon(kit, server)
        except NoServerError as error:
            raise CheckError("Write the name of your server, such as mastodon.social.") from error
    return handoff.intents(kit).get(way, "")


def _post_address(written: str) -> str:
    """Read the address of a fan's post, "" where they gave none; `CheckError` for what is none."""
    address = written.strip()
    if not address:
        return ""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        host, parts = "", urlsplit("")
    plain = address.isprintable() and " " not in address and "\\" not in address and "@" not in parts.netloc
    if parts.scheme != "https" or "." not in host or not plain or len(address) > _ADDRESS_LIMIT:
        raise CheckError("Copy the whole address of your post: it begins with https://")
    return address
