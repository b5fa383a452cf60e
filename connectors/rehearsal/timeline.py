"""What clients ask becomes what the platform holds: accounts, pictures, posts now and posts for later."""

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

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

_SOON = timedelta(minutes=5)  # https://docs.joinmastodon.org/methods/statuses/#create (scheduled_at)


@dataclass
class _Upload:
    owner: str
    picture: Picture
    polls: int
    used: bool = False


class Timeline:
    """Everything the platform holds; each method is one step that others see whole or not at all."""

    def __init__(self, accounts: Mapping[str, str], rules: Rules, record: Record) -> None:
        self.rules = rules
        self.url = ""
        self._record = record
        self._lock = threading.RLock()
        self._last_id = 0
        joined = rules.clock()
        self._accounts = {name: Account(self._id(), name, joined) for name in accounts}
        self._tokens = {token: name for name, token in accounts.items()}
        self._revoked: set[str] = set()
        self._statuses: dict[str, dict[str, Status]] = {name: {} for name in accounts}
        self._owner: dict[str, str] = {}
        self._keys: dict[tuple[str, str], tuple[datetime, str]] = {}
        self._uploads: dict[str, _Upload] = {}
        self._scheduled: dict[str, Scheduled] = {}
        self._counts: dict[str, Counter[str]] = {}

    # ---- accounts

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

    def revoke(self, name: str) -> None:
        """Make the account's token worthless until `restore`."""
        self._revoked.add(self.account(name).name)

    def restore(self, name: str) -> None:
        """Make the account's token good again."""
        self._revoked.discard(name)

    # ---- pictures

    def upload(self, account: Account, type: str, alt: str, data: bytes) -> tuple[Picture, bool]:
        """Take a file; the second value says whether it can be used already."""
        with self._lock:
            picture = Picture(self._id(), type, alt, data)
            self._uploads[picture.id] = _Upload(account.name, picture, self.rules.media_polls)
            return picture, not self.rules.media_polls

    def poll(self, account: Account, id: str) -> tuple[Picture, bool]:
        """Look at a file; each look brings a processing one nearer to its end."""
        with self._lock:
            upload = self._uploads.get(id)
            if upload is None or upload.owner != account.name:
                raise RefusedError(404, "Record not found")
            ready = upload.polls == 0
            upload.polls = max(0, upload.polls - 1)
            return upload.picture, ready

    def picture(self, id: str) -> Picture:
        """Return a file for anybody to see."""
        if id not in self._uploads:
            raise RefusedError(404, "Record not found")
        return self._uploads[id].picture

    def pictures(self, draft: Draft) -> list[Picture]:
        """Return the files of a draft."""
        return [self._uploads[id].picture for id in draft.media_ids]

    # ---- posts

    def post(self, account: Account, draft: Draft) -> tuple[Status, bool]:
        """Accept a draft, or give back what its key already made; the second value says "new"."""
        with self._lock:
            if (earlier := self._by_key(account, draft.key)) is not None:
                return self.get(earlier), False
            self._check(account, draft)
            status = self._accept(account, draft)
            if draft.key:
                self._keys[account.name, draft.key] = (self.rules.clock(), status.id)
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
        with self._lock:
            if self.get(id).account != account.name:
                raise RefusedError(404, "Record not found")
            return self._statuses[account.name].pop(id)

    def statuses(self, name: str = "") -> list[Status]:
        """Return the posts that stand, oldest first, of one account or of all."""
        with self._lock:
            self.release()
            names = [self.account(name).name] if name else list(self._statuses)
            return sorted(
                (each for n in names for each in self._statuses[n].values()), key=lambda s: int(s.id)
            )

    def listing(self, account: Account, page: Page) -> list[Status]:
        """Return one page of an account's posts, newest first, as late as the rules say."""
        with self._lock:
            newest = self.rules.clock() - timedelta(seconds=self.rules.lag)
            found: list[Status] = []
            for status in reversed(self._statuses[account.name].values()):
                if len(found) == page.limit or (page.since_id and int(status.id) <= int(page.since_id)):
                    break
                if status.created_at <= newest and _on(page, status):
                    found.append(status)
            return found

    def counts(self, id: str) -> Counter[str]:
        """Return how often a post was liked, boosted and answered."""
        return self._counts.get(id, Counter())

    def count(self, id: str, what: str, times: int) -> None:
        """Play `times` interactions of one kind."""
        with self._lock:
            self.get(id)
            self._counts.setdefault(id, Counter())[what] += times

    # ---- posts for later

    def schedule(self, account: Account, draft: Draft, at: datetime) -> Scheduled:
        """Hold a draft until its time, which must be at least five minutes away."""
        with self._lock:
            if (held := self._scheduled.get(self._by_key(account, draft.key) or "")) is not None:
                return held
            if at < self.rules.clock() + _SOON:
                raise RefusedError(422, "Validation failed: Scheduled at must be at least 5 minutes ahead")
            self._check(account, draft)
            held = Scheduled(self._id(), account, draft, at)
            self._scheduled[held.id] = held
            if draft.key:
                self._keys[account.name, draft.key] = (self.rules.clock(), held.id)
            return held

    def scheduled(self, account: Account) -> list[Scheduled]:
        """Return what is held for an account, the earliest first."""
        with self._lock:
            held = [each for each in self._scheduled.values() if each.account == account]
            return sorted(held, key=lambda each: each.at)

    def unschedule(self, account: Account, id: str) -> Scheduled:
        """Let go of a held draft, which will then not be published."""
        with self._lock:
            if id not in self._scheduled or self._scheduled[id].account != account:
                raise RefusedError(404, "Record not found")
            return self._scheduled.pop(id)

    def release(self) -> None:
        """Publish the held drafts whose time has come."""
        if not self._scheduled:
            return
        with self._lock:
            now = self.rules.clock()
            for held in sorted(self._scheduled.values(), key=lambda each: each.at):
                if held.at <= now:
                    self._accept(held.account, held.draft)
                    del self._scheduled[held.id]

    # ---- inside

    def _id(self) -> str:
        # Mastodon's ids are milliseconds and 16 bits more: they grow with time and never repeat.
        self._last_id = max(self._last_id + 1, int(self.rules.clock().timestamp() * 1000) << 16)
        return str(self._last_id)

    def _by_key(self, account: Account, key: str) -> str | None:
        if not key or not self.rules.honours_key:
            return None
        at, id = self._keys.get((account.name, key), (None, ""))
        if at is None or self.rules.clock() - at >= timedelta(seconds=self.rules.key_seconds):
            return None
        return id

    def _check(self, account: Account, draft: Draft) -> None:
        size = markup.length(draft.text, self.rules.max_characters)
        if not draft.text and not draft.media_ids:
            raise RefusedError(422, "Validation failed: Text can't be blank")
        if size > self.rules.max_characters:
            raise RefusedError(
                422, f"Validation failed: Text character limit of {self.rules.max_characters} exceeded"
            )
        if draft.reply_to:
            self.get(draft.reply_to)
        self._check_media(account, draft)
        latest = next(reversed(self._statuses[account.name].values()), None)
        if self.rules.refuses_duplicates and latest is not None and latest.text == draft.text:
            raise RefusedError(422, "Validation failed: Text has already been posted")

    def _check_media(self, account: Account, draft: Draft) -> None:
        if len(draft.media_ids) > self.rules.max_media:
            raise RefusedError(
                422, f"Validation failed: Cannot attach more than {self.rules.max_media} files"
            )
        for id in draft.media_ids:
            upload = self._uploads.get(id)
            if upload is None or upload.owner != account.name or upload.used:
                raise RefusedError(422, f"Validation failed: Media {id} not found or already attached")
            if upload.polls:
                raise RefusedError(422, "Cannot attach files that have not finished processing. Try again!")

    def _accept(self, account: Account, draft: Draft) -> Status:
        for id in draft.media_ids:
            self._uploads[id].used = True
        status = Status(
            self._id(),
            account.name,
            draft.text,
            markup.render(draft.text, self.url),
            tuple(self.pictures(draft)),
            draft.key,
            self.rules.clock(),
            draft.reply_to,
            draft.language or "en",
            draft.visibility,
        )
        self._statuses[account.name][status.id] = status
        self._owner[status.id] = account.name
        if status.reply_to:
            self._counts.setdefault(status.reply_to, Counter())["replies"] += 1
        self._record.add(status)
        return status


def _on(page: Page, status: Status) -> bool:
    if page.max_id and int(status.id) >= int(page.max_id):
        return False
    return not (page.exclude_replies and status.reply_to)
