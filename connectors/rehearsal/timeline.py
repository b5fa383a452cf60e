"""What clients ask becomes what the platform holds: accounts, pictures, posts now and posts for later."""

import bisect
import heapq
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.base import Repeat
from connectors.rehearsal import markup
from connectors.rehearsal.messages import (
    Account,
    Draft,
    Page,
    Picture,
    Record,
    RefusedError,
    Rules,
    Scheduled,
    Status,
)
from connectors.rehearsal.wire import Part

_NONE: Mapping[str, Repeat] = {}


@dataclass
class _Upload:
    owner: str
    picture: Picture
    polls: int
    ready_at: datetime
    used: bool = False


class Timeline:
    """Everything the platform holds; each method is one step that others see whole or not at all."""

    def __init__(
        self,
        accounts: Mapping[str, str],
        rules: Rules,
        record: Record,
        repeats: Mapping[str, Repeat] = _NONE,
    ) -> None:
        self.rules = rules
        self.url = ""
        self.lock = threading.RLock()
        self._record = record
        self._last_id = 0
        self._accounts: dict[str, Account] = {}
        self._tokens: dict[str, str] = {}
        self._revoked: set[str] = set()
        self._statuses: dict[str, dict[str, Status]] = {}
        self._order: dict[str, list[Status]] = {}  # all of an account, deleted ones too, oldest first
        self._owner: dict[str, str] = {}
        self._keys: dict[tuple[str, str], tuple[datetime, str]] = {}
        self._uploads: dict[str, _Upload] = {}
        self._scheduled: dict[str, Scheduled] = {}
        self._due: list[tuple[datetime, str]] = []  # a heap of what is held; what was let go stays in it
        self._let_go: set[str] = set()
        self._became: dict[str, tuple[Scheduled, Status]] = {}  # what was held and is public by now
        self._late: dict[str, datetime] = {}  # posts that listings show only from then on
        self._counts: dict[str, Counter[str]] = {}
        for name, token in accounts.items():
            self.open(name, token, repeats.get(name))

    # ---- accounts

    def open(self, name: str, token: str, repeat: Repeat | None = None) -> None:
        """Let somebody post here; a name that is known gets another token."""
        with self.lock:
            self._tokens = {each: who for each, who in self._tokens.items() if who != name} | {token: name}
            known = self._accounts.get(name)
            id, joined = (known.id, known.created_at) if known else (self.new_id(), self.rules.clock())
            self._accounts[name] = Account(id, name, joined, repeat)
            self._statuses.setdefault(name, {})
            self._order.setdefault(name, [])

    def by_token(self, token: str) -> Account | None:
        """Return whose token this is, None if nobody's or revoked."""
        name = self._tokens.get(token)
        return None if name is None or name in self._revoked else self._accounts[name]

    def account(self, name_or_id: str) -> Account:
        """Return an account by name or id."""
        if name_or_id in self._accounts:
            return self._accounts[name_or_id]
        for account in self._accounts.values():
            if account.id == name_or_id:
                return account
        raise RefusedError(404, "Record not found")

    def accounts(self) -> list[Account]:
        """Return everybody who may post here."""
        return list(self._accounts.values())

    def standing(self, account: Account) -> int:
        """Return how many posts of an account stand."""
        return len(self._statuses[account.name])

    def revoked(self, name: str) -> bool:
        """Say whether the account's token is worthless for now."""
        return name in self._revoked

    def revoke(self, name: str) -> None:
        """Make the account's token worthless until `restore`."""
        self._revoked.add(self.account(name).name)

    def restore(self, name: str) -> None:
        """Make the account's token good again."""
        self._revoked.discard(name)

    # ---- pictures

    def upload(self, account: Account, file: Part, alt: str, detained: float = 0.0) -> Picture:
        """Take a file, which stays in progress for `detained` seconds more than by the rules."""
        with self.lock:
            picture = Picture(self.new_id(), file.type, alt, file.data)
            ready_at = self.rules.clock() + timedelta(seconds=detained)
            self._uploads[picture.id] = _Upload(account.name, picture, self.rules.media_polls, ready_at)
            return picture

    def poll(self, account: Account, id: str) -> tuple[Picture, bool]:
        """Look at a file; each look brings one in progress nearer to its end."""
        with self.lock:
            upload = self._uploads.get(id)
            if upload is None or upload.owner != account.name:
                raise RefusedError(404, "Record not found")
            ready = self._is_ready(upload)
            upload.polls = max(0, upload.polls - 1)
            return upload.picture, ready

    def ready(self, ids: Iterable[str]) -> bool:
        """Say whether all of some files can be used."""
        return all(self._is_ready(self._uploads[id]) for id in ids)

    def _is_ready(self, upload: _Upload) -> bool:
        return upload.polls == 0 and self.rules.clock() >= upload.ready_at

    def picture(self, id: str) -> Picture:
        """Return a file for anybody to see."""
        if id not in self._uploads:
            raise RefusedError(404, "Record not found")
        return self._uploads[id].picture

    def pictures(self, draft: Draft) -> list[Picture]:
        """Return the files of a draft."""
        return [self._uploads[id].picture for id in draft.media_ids]

    # ---- posts

    def post(self, account: Account, draft: Draft, keyed: bool) -> tuple[Status, bool]:
        """Accept a draft, or give back what its key already made where keys count; the second says "new"."""
        with self.lock:
            if keyed and (earlier := self._posted(account, draft.key)) is not None:
                return earlier, False
            self.check(account, draft)
            status = self._accept(account, draft, self.rules.clock())
            if draft.key and keyed:
                self._keys[account.name, draft.key] = (status.created_at, status.id)
            return status, True

    def get(self, id: str) -> Status:
        """Return a post that still stands."""
        status = self._statuses.get(self._owner.get(id, ""), {}).get(id)
        if status is None:
            raise RefusedError(404, "Record not found")
        return status

    def some(self, ids: Iterable[str]) -> list[Status]:
        """Return those of the posts that still stand."""
        found = (self._statuses.get(self._owner.get(id, ""), {}).get(id) for id in ids)
        return [each for each in found if each is not None]

    def delete(self, account: Account, id: str) -> Status:
        """Take the account's own post away; the record keeps it."""
        with self.lock:
            if self.get(id).account != account.name:
                raise RefusedError(404, "Record not found")
            return self._statuses[account.name].pop(id)

    def statuses(self, name: str = "") -> list[Status]:
        """Return the posts that stand, oldest first, of one account or of all."""
        with self.lock:
            self.release()
            names = [self.account(name).name] if name else list(self._statuses)
            return sorted(
                (each for n in names for each in self._statuses[n].values()), key=lambda s: int(s.id)
            )

    def listing(self, account: Account, page: Page) -> list[Status]:
        """Return one page of an account's posts, newest first, as late as the rules say."""
        with self.lock:
            found: list[Status] = []
            for status in self._older(account.name, page.max_id):
                if len(found) == page.limit or (page.since_id and int(status.id) <= int(page.since_id)):
                    break
                if self._listed(status, page.age) and not (page.exclude_replies and status.reply_to):
                    found.append(status)
            return found

    def _older(self, name: str, max_id: str) -> Iterator[Status]:
        order = self._order[name]
        first = (
            bisect.bisect_left(order, int(max_id), key=lambda each: int(each.id)) if max_id else len(order)
        )
        return (order[n] for n in range(first - 1, -1, -1))

    def _listed(self, status: Status, age: float) -> bool:
        if status.id not in self._statuses[status.account]:
            return False
        now, late = self.rules.clock(), self._late.get(status.id)
        newest = now - timedelta(seconds=max(self.rules.lag, age))
        return status.created_at <= newest and (late is None or late <= now)

    def hide(self, id: str, seconds: float) -> None:
        """Keep a post out of listings for some time, on top of the rules."""
        self._late[id] = self.rules.clock() + timedelta(seconds=seconds)

    def counts(self, id: str) -> Counter[str]:
        """Return how often a post was liked, boosted and answered."""
        return self._counts.get(id, Counter())

    def count(self, id: str, what: str, times: int) -> None:
        """Play `times` interactions of one kind."""
        with self.lock:
            self.get(id)
            self._counts.setdefault(id, Counter())[what] += times

    # ---- posts for later

    def schedule(self, account: Account, draft: Draft, at: datetime, keyed: bool = True) -> Scheduled:
        """Hold a draft until its time, or give back what its key already made where keys count."""
        with self.lock:
            if keyed and (earlier := self._held(account, draft.key)) is not None:
                return earlier
            now, rules = self.rules.clock(), self.rules
            if at < now + timedelta(seconds=rules.soonest):
                # https://docs.joinmastodon.org/methods/statuses/#create (scheduled_at)
                minutes = f"{rules.soonest / 60:g} minutes"
                said = f"Validation failed: Scheduled at must be at least {minutes} ahead"
                raise RefusedError(422, said, code="time")
            self.check(account, draft)
            held = Scheduled(self.new_id(), account, draft, at)
            self._scheduled[held.id] = held
            heapq.heappush(self._due, (at, held.id))
            if draft.key and keyed:
                self._keys[account.name, draft.key] = (now, held.id)
            return held

    def became(self, id: str) -> Status | None:
        """Return the post that something held has become."""
        return self._became[id][1] if id in self._became else None

    def holds(self, id: str) -> bool:
        """Say whether something is still held."""
        return id in self._scheduled

    def scheduled(self, account: Account) -> list[Scheduled]:
        """Return what is held for an account, the earliest first."""
        with self.lock:
            held = [each for each in self._scheduled.values() if each.account == account]
            return sorted(held, key=lambda each: each.at)

    def unschedule(self, account: Account, id: str) -> Scheduled:
        """Let go of a held draft, which will then not be published."""
        with self.lock:
            if id not in self._scheduled or self._scheduled[id].account != account:
                raise RefusedError(404, "Record not found")
            self._let_go.add(id)
            return self._scheduled.pop(id)

    def let_go(self, id: str) -> bool:
        """Say whether something was held and was let go before its time."""
        return id in self._let_go

    def release(self) -> None:
        """Publish the held drafts whose time has come; each is public since its time."""
        if not self._due or self._due[0][0] > self.rules.clock():
            return
        with self.lock:
            now = self.rules.clock()
            while self._due and self._due[0][0] <= now:
                held = self._scheduled.pop(heapq.heappop(self._due)[1], None)
                if held is not None:
                    self._became[held.id] = (held, self._accept(held.account, held.draft, held.at))

    # ---- inside

    def new_id(self) -> str:
        """Return an id that nothing has; the timeline's lock must be held."""
        # Mastodon's ids are milliseconds and 16 bits more: they grow with time and never repeat.
        self._last_id = max(self._last_id + 1, int(self.rules.clock().timestamp() * 1000) << 16)
        return str(self._last_id)

    def _posted(self, account: Account, key: str) -> Status | None:
        """Return the post of a key, whether it was posted or held; what was let go leaves its key free."""
        id = self._by_key(account, key)
        if id in self._scheduled:
            raise RefusedError(409, "A post with this key is held until its time", code="scheduled")
        if id is None or (id not in self._owner and id not in self._became):
            return None
        return self.get(self._became[id][1].id if id in self._became else id)

    def _held(self, account: Account, key: str) -> Scheduled | None:
        id = self._by_key(account, key)
        if id is not None and id in self._owner:
            raise RefusedError(409, "A post with this key is public already", code="published")
        return None if id is None else self._scheduled.get(id) or self._became.get(id, (None,))[0]

    def _by_key(self, account: Account, key: str) -> str | None:
        at, id = self._keys.get((account.name, key), (None, "")) if key else (None, "")
        if at is None or self.rules.clock() - at >= timedelta(seconds=self.rules.key_seconds):
            return None
        return id

    def check(self, account: Account, draft: Draft, media_ready: bool = True) -> None:
        """Raise `RefusedError` where a draft would not be accepted."""
        size = markup.length(draft.text, self.rules.max_characters)
        if not draft.text.strip() and not draft.media_ids:
            raise RefusedError(422, "Validation failed: Text can't be blank")
        if size > self.rules.max_characters:
            raise RefusedError(
                422, f"Validation failed: Text character limit of {self.rules.max_characters} exceeded"
            )
        if draft.reply_to:
            self.get(draft.reply_to)
        self._check_media(account, draft, media_ready)
        if self.rules.refuses_duplicates and self._newest_text(account.name) == draft.text:
            raise RefusedError(422, "Validation failed: Text has already been posted", code="duplicate")

    def _newest_text(self, name: str) -> str | None:
        latest = next(reversed(self._statuses[name].values()), None)
        return latest.text if latest else None

    def _check_media(self, account: Account, draft: Draft, ready: bool) -> None:
        if len(draft.media_ids) > self.rules.max_media:
            raise RefusedError(
                422, f"Validation failed: Cannot attach more than {self.rules.max_media} files"
            )
        for id in draft.media_ids:
            upload = self._uploads.get(id)
            if upload is None or upload.owner != account.name or upload.used:
                raise RefusedError(422, f"Validation failed: Media {id} not found or already attached")
            if ready and not self._is_ready(upload):
                said = "Cannot attach files that have not finished processing. Try again!"
                raise RefusedError(422, said, code="processing")

    def _accept(self, account: Account, draft: Draft, at: datetime) -> Status:
        for id in draft.media_ids:
            self._uploads[id].used = True
        status = Status(
            self.new_id(),
            account.name,
            draft.text,
            self.url,
            tuple(self.pictures(draft)),
            draft.key,
            at,
            draft.reply_to,
            draft.language or "en",
            draft.visibility,
            draft.link,
        )
        self._statuses[account.name][status.id] = status
        self._order[account.name].append(status)
        self._owner[status.id] = account.name
        if status.reply_to:
            self._counts.setdefault(status.reply_to, Counter())["replies"] += 1
        self._record.add(status)
        return status
