"""A Matrix room, through the client-server API: https://spec.matrix.org/v1.18/client-server-api/"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from urllib.parse import quote

from pydantic import BaseModel, Field, SecretStr

from connectors.base import (
    Attempt,
    Capabilities,
    Count,
    Post,
    Published,
    Rate,
    Reading,
    RejectedError,
    Repeat,
    Video,
    problems,
)
from connectors.http import Address, MissingError
from connectors.http.connector import HttpConnector, bearer, counted, listed
from connectors.matrix.answers import Announced, Event, Line, Me, Page, Room, Sent
from connectors.matrix.events import LARGEST, PLACE, content, spelled, transaction, written
from connectors.matrix.reading import reactions
from connectors.matrix.uploading import asked, upload
from connectors.media import fit

_PAGE, _PAGES = 100, 50
_SKEW = timedelta(minutes=5)  # how far a server's clock may be off


class Matrix(HttpConnector[Line]):
    """One user's device in one room that is not encrypted."""

    name = "matrix"
    capabilities = Capabilities(
        text_limit=60_000,
        count=Count.BYTES,
        measure=spelled,
        media_limit=1,  # an event has one
        media_types=frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"}),
        media_bytes=50_000_000,  # where the server announces nothing
        video=Video(frozenset({"video/mp4", "video/webm"}), 50_000_000),
        metrics=frozenset({"reactions"}),
        # What a Synapse allows in the long run where nobody changed it; no server announces it.
        # https://element-hq.github.io/synapse/latest/usage/configuration/config_documentation.html#rc_message
        rate=Rate(12, minutes=1),
        repeat=Repeat.KEY,  # of one device; LISTING for a token that belongs to none
        # The specification does not say how long a server remembers: ten minutes are our own choice, far
        # below the half hour of Synapse's cache. https://github.com/matrix-org/synapse/issues/1481
        repeat_valid=timedelta(minutes=10),
        deletes=True,
        threads=True,
        version="1.18",
        source="https://spec.matrix.org/v1.18/client-server-api/",
        checked=date(2026, 8, 22),
    )

    class Settings(BaseModel):
        """The home server, a room (`!id` or `#alias:server`) and an access token."""

        server: Address
        room: str = Field(pattern=r"^[!#]\S+$")
        token: SecretStr

    settings: Settings

    def line(self) -> Line:
        """Speak under the token of the account."""
        return Line(self.settings.server, bearer(self.settings.token), self.timeout)

    @property
    def _mark(self) -> str:
        """Return what tells tokens apart: what is remembered holds for one."""
        return hashlib.sha256(self.settings.token.get_secret_value().encode()).hexdigest()[:16]

    def whoami(self) -> str:
        """Return who writes and where; raise `RejectedError` for a room that is encrypted."""
        me, room = self.http.ask("GET", "/_matrix/client/v3/account/whoami", Me), self.settings.room
        if room.startswith("#"):
            alias = quote(room, safe="")
            room = self.http.ask("GET", f"/_matrix/client/v3/directory/room/{alias}", Room).room_id
        try:
            self.http.fetch("GET", f"/_matrix/client/v3/rooms/{quote(room, safe='')}/state/m.room.encryption")
        except MissingError:
            self.memory.update(user=me.user_id, device=me.device_id, room=room, mark=self._mark)
            return f"{me.user_id} in {self.settings.room}"
        raise RejectedError(f"The room {self.settings.room} is encrypted; choose one that is not.")

    def _introduce(self) -> None:
        if self.memory.get("mark") != self._mark:
            self.whoami()

    @property
    def _room(self) -> str:
        self._introduce()
        return quote(self.memory["room"], safe="")

    # ---- limits -------------------------------------------------------------------------------

    def limits(self) -> Capabilities:
        """Return what the server announces about uploads, asked once a day, and what protects this token."""
        told = self._announced()
        if datetime.now(UTC) >= told.until:
            self.memory["announced"] = asked(self.http, told).model_dump_json()
        return self._known()

    def problems(self, post: Post) -> list[str]:
        """Say what the room would refuse; the size of the whole event counts, not that of the text alone."""
        found, size = problems(post, self._known()), written(content(post, PLACE))
        if size > LARGEST and not found:
            found.append(f"is an event of {size} bytes, the limit is {LARGEST}")
        return found

    def _announced(self) -> Announced:
        told = self.memory.get("announced")
        return Announced.model_validate_json(told) if told else Announced()

    def _known(self) -> Capabilities:
        known, size = self.capabilities, self._announced().size
        if size is not None and known.video:
            known = replace(known, media_bytes=size, video=replace(known.video, bytes=size))
        device = self.memory.get("device") if self.memory.get("mark") == self._mark else ""
        return known if device else replace(known, repeat=Repeat.LISTING, repeat_valid=None)

    # ---- publish and find ---------------------------------------------------------------------

    def publish(self, post: Post, attempt: Attempt) -> Published:
        """Send one event, under a transaction id that makes it one however often this device sends it."""
        post = replace(post, media=tuple(fit(each, self._known()) for each in post.media))
        self.check(post)
        room, device = self._room, self.memory["device"]
        if attempt.kept.get("device", device) != device:  # another device: our transaction id is new to it
            found = self.find(post, attempt)
            if found:
                return found
        if attempt.kept.get("device") != device:
            attempt.keep("device", device)
        event = content(post, upload(self.http, post.media[0], attempt) if post.media else "")
        path = f"/_matrix/client/v3/rooms/{room}/send/m.room.message/{transaction(attempt.key)}"
        sent = self.http.accepted(self.http.commit(attempt, "PUT", path, json=event), Sent)
        return self._published(sent.event_id)

    def find(self, post: Post, attempt: Attempt) -> Published | None:
        """Look through the room since the try, for our transaction id or, from another device, our words."""
        alike = [each for each in self._since(attempt) if self._says(each, post, attempt)]
        return self._published(alike[-1].event_id, alike[-1].at) if alike else None

    def _says(self, event: Event, post: Post, attempt: Attempt) -> bool:
        if event.type != "m.room.message" or event.sender != self.memory["user"]:
            return False
        if event.unsigned.transaction_id:
            return event.unsigned.transaction_id == transaction(attempt.key)
        wanted, told = content(post, ""), event.content
        same = (told.body, told.msgtype) == (wanted["body"], wanted["msgtype"])
        return same and not attempt.taken(event.event_id)

    def _since(self, attempt: Attempt) -> Iterator[Event]:
        self._introduce()
        here, since = self.memory["user"].partition(":")[2], attempt.started_at - _SKEW
        said = "The room does not list its events back to the time of this attempt."
        # Other servers' clocks may show any time.
        return takewhile(
            lambda each: each.server != here or each.at >= since, listed(self._page, _PAGES, said)
        )

    def _page(self, mark: str) -> tuple[list[Event], str]:
        told = {"dir": "b", "limit": str(_PAGE)} | ({"from": mark} if mark else {})
        page = self.http.ask("GET", f"/_matrix/client/v3/rooms/{self._room}/messages", Page, params=told)
        return page.chunk, page.end

    def _published(self, id: str, at: datetime | None = None) -> Published:
        via = self.memory["user"].partition(":")[2]
        room = quote(self.memory["room"], safe="!:")
        return Published(id, f"https://matrix.to/#/{room}/{quote(id, safe='$:')}?via={via}", at)

    # ---- read and delete ----------------------------------------------------------------------

    def read(self, ids: Sequence[str]) -> list[Reading]:
        """Count the reactions to each message; one that is gone reports nothing."""
        room = self._room
        return counted(ids, ["reactions"], {id: {"reactions": reactions(self.http, room, id)} for id in ids})

    def delete(self, id: str) -> None:
        """Take a message's content away from everybody; one that is gone already is fine."""
        room, event = self._room, quote(id, safe="")
        path = f"/_matrix/client/v3/rooms/{room}/redact/{event}/{transaction(f'delete {id}')}"
        self.http.remove("PUT", path, json={})
