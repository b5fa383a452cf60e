"""The practice connector: the contract in each of its four classes, and every fault of its platform."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

import connectors
from connectors.base import (
    Connector,
    ConnectorError,
    LimitedError,
    Post,
    Price,
    RejectedError,
    Repeat,
    TemporaryError,
    UnauthorizedError,
    UncertainError,
    Window,
)
from connectors.contract import Answer, ConnectorContract, ContractAttempt, HoldingContract, Route
from connectors.practice import Practice
from connectors.rehearsal import COMMITS, LOOKS, SCHEDULES, Fault, Kind, Rehearsal
from tests.connectors.conftest import picture

NOW = datetime.now(UTC)
KEY = "contract-0123456789abcdef"  # of every ContractAttempt
ME = "GET /practice/v1/me"
CONTAINERS = "/practice/v1/container/containers"
LOOKABLE = [Repeat.KEY, Repeat.CONTAINER, Repeat.LISTING]


def shown(id: str = "101", text: str = "", **more: Any) -> dict[str, Any]:
    """Make a post as the platform shows it; it counts no clicks."""
    return {"id": id, "url": f"https://practice.example/@brand/{id}",
            "at": datetime.now(UTC).isoformat(), "text": text,
            "media": [], "likes": 2, "boosts": 0, "replies": 1, "impressions": 30, **more}  # fmt: skip


# ---- the contract -----------------------------------------------------------------------------


class _Contract(ConnectorContract):
    """What the four classes share."""

    connector: ClassVar[type[Connector]] = Practice
    whoami = (ME, "brand@rehearsal")
    accepted = Answer(shown())
    published = "101"
    unreported = "clicks"
    repeat: ClassVar[Repeat]
    features: ClassVar[Mapping[str, Route]] = {"POST /practice/v1/media": Answer({"id": "m1", "ready": True})}
    parent = "900913"

    def settings(self, url: str) -> Practice.Settings:
        given = {"server": url, "token": "a-token-nobody-should-see", "repeat": self.repeat}
        return Practice.Settings.model_validate(given)


class _Holding(HoldingContract):
    """What the classes share that hold posts until their time."""

    held = Answer({"id": "55", "due": "2030-01-01T09:00:00Z"})
    held_id = "55"

    def holding(self, post: Post, at: datetime) -> Answer:
        return Answer({"scheduled": [{"id": "55", "due": at.isoformat(), "text": post.text}]})


class TestAKeyKeepsTheContract(_Holding, _Contract):
    hold = "POST /practice/v1/key/scheduled"
    take_back = "DELETE /practice/v1/key/scheduled/55"
    listing = "GET /practice/v1/key/scheduled"
    repeat = Repeat.KEY
    commit = "POST /practice/v1/key/posts"
    routes: ClassVar[Mapping[str, Route]] = {ME: Answer({"name": "brand"})}
    counted: ClassVar[Mapping[str, Route]] = {"GET /practice/v1/key/posts/101": Answer(shown())}
    deletion = "DELETE /practice/v1/key/posts/101"

    def there(self, post: Post) -> Mapping[str, Route]:
        return {"GET /practice/v1/key/posts": Answer({"posts": [shown("102"), shown(key=KEY)], "next": None})}

    def absent(self) -> Mapping[str, Route]:
        return {"GET /practice/v1/key/posts": Answer({"posts": [shown(text=self.post.text)], "next": None})}


class TestAListingKeepsTheContract(_Holding, _Contract):
    hold = "POST /practice/v1/listing/scheduled"
    take_back = "DELETE /practice/v1/listing/scheduled/55"
    listing = "GET /practice/v1/listing/scheduled"
    repeat = Repeat.LISTING
    commit = "POST /practice/v1/listing/posts"
    before: ClassVar[dict[str, Any]] = {"posts": [shown("100", "an older one")], "next": None}
    routes: ClassVar[Mapping[str, Route]] = {
        ME: Answer({"name": "brand"}), "GET /practice/v1/listing/posts": Answer(before)
    }  # fmt: skip
    counted: ClassVar[Mapping[str, Route]] = {"GET /practice/v1/listing/posts/101": Answer(shown())}
    deletion = "DELETE /practice/v1/listing/posts/101"

    def there(self, post: Post) -> Mapping[str, Route]:
        found = [shown("101", post.text, link=post.link), *self.before["posts"]]
        return {"GET /practice/v1/listing/posts": Answer({"posts": found, "next": None})}

    def absent(self) -> Mapping[str, Route]:
        return {"GET /practice/v1/listing/posts": Answer(self.before)}


class TestAContainerKeepsTheContract(_Holding, _Contract):
    hold = f"POST {CONTAINERS}/c1/schedule"
    take_back = "DELETE /practice/v1/container/scheduled/55"
    listing = "GET /practice/v1/container/scheduled"
    repeat = Repeat.CONTAINER
    commit = f"POST {CONTAINERS}/c1/publish"
    finished: ClassVar[dict[str, Any]] = {"id": "c1", "status": "finished"}
    routes: ClassVar[Mapping[str, Route]] = {
        ME: Answer({"name": "brand"}),
        f"POST {CONTAINERS}": Answer(finished, 201),
        f"GET {CONTAINERS}/c1": Answer(finished),
    }
    counted: ClassVar[Mapping[str, Route]] = {"GET /practice/v1/container/posts/101": Answer(shown())}
    deletion = "DELETE /practice/v1/container/posts/101"

    def there(self, post: Post) -> Mapping[str, Route]:
        return {f"GET {CONTAINERS}/c1": Answer({"id": "c1", "status": "published", "post": shown()})}

    def absent(self) -> Mapping[str, Route]:
        return {f"GET {CONTAINERS}/c1": Answer(self.finished)}


class TestNothingKeepsTheContract(_Contract):
    repeat = Repeat.NOTHING
    commit = "POST /practice/v1/nothing/posts"
    routes: ClassVar[Mapping[str, Route]] = {ME: Answer({"name": "brand"})}
    counted: ClassVar[Mapping[str, Route]] = {"GET /practice/v1/nothing/posts/101": Answer(shown())}
    deletion = "DELETE /practice/v1/nothing/posts/101"

    def there(self, post: Post) -> Mapping[str, Route]:
        return {}

    def absent(self) -> Mapping[str, Route]:
        return {}

    def test_it_offers_what_it_declares(self) -> None:
        """Hold this class to what the others offer: it has no posts for later."""
        alone = Practice(self.settings("http://127.0.0.1:1"))
        assert alone.limits().schedules is None
        for refused in (
            lambda: alone.schedule(self.post, ContractAttempt(), NOW + timedelta(hours=1)),
            alone.scheduled,
            lambda: alone.unschedule("55"),
        ):
            with pytest.raises(RejectedError, match="cannot hold"):
                refused()


# ---- on the platform itself: what each fault leads to -------------------------------------------

TEXT = Post("A castle built by a fan https://brand.example/r/abc", link="https://brand.example/r/abc")
UNCERTAIN = {
    Kind.ERROR_BEFORE: 0, Kind.RESET_BEFORE: 0, Kind.LOST_REPLY: 1, Kind.ERROR_AFTER: 1, Kind.MID_BODY: 1,
    Kind.GARBLED: 1, Kind.WRONG_JSON: 1, Kind.SLOW_AFTER: 1, Kind.SLOW_BEFORE: 1,
}  # fmt: skip
PLAIN: dict[Kind, type[ConnectorError]] = {
    Kind.LIMITED: LimitedError,
    Kind.REFUSED: RejectedError,
    Kind.DUPLICATE: RejectedError,
    Kind.REVOKED: UnauthorizedError,
    Kind.PROCESSING: TemporaryError,
}


Places = Mapping[Repeat, tuple[str, str]]


@dataclass
class Clock:
    """The time, and how far the platform's is ahead of it."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stage(clock: Clock, pauses: list[float]) -> Iterator[Rehearsal]:
    """Give a platform with an account for each class, called like it."""
    accounts = {each.value: f"token-of-{each}" for each in Repeat}
    with Rehearsal(accounts, repeats={name: name for name in accounts}, clock=clock) as running:
        yield running


@pytest.fixture
def connect(stage: Rehearsal) -> Iterator[Callable[..., Practice]]:
    """Give a maker of connectors to the platform."""
    made: list[Practice] = []

    def maker(repeat: Repeat, timeout: float = 10.0, **more: Any) -> Practice:
        given = {"server": stage.url, "token": f"token-of-{repeat}", "repeat": repeat, **more}
        made.append(Practice(Practice.Settings.model_validate(given), {}, timeout))
        return made[-1]

    yield maker
    for each in made:
        each.close()


def struck(
    repeat: Repeat, kind: Kind, where: Mapping[Repeat, tuple[str, str]] = COMMITS, **more: Any
) -> Fault:
    """Order a fault for what a class does."""
    method, path = where[repeat]
    return Fault(kind, method=method, path=path, status=503, **{"seconds": 30.0, **more})


def until(true: Callable[[], bool]) -> None:
    """Wait for another thread."""
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def fails(connector: Practice, attempt: ContractAttempt, post: Post = TEXT) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        connector.publish(post, attempt)
    return caught.value


@pytest.mark.parametrize("repeat", list(Repeat))
def test_a_post_is_there_once_with_all_that_was_said(
    stage: Rehearsal, connect: Callable[..., Practice], repeat: Repeat
) -> None:
    connector = connect(repeat)
    first = connector.publish(Post("question"), ContractAttempt())
    attempt = ContractAttempt()
    attempt.key = "another"
    post = replace(TEXT, language="de", reply_to=first.id, media=(picture(), picture("JPEG")))
    published = connector.publish(post, attempt)
    (_, status) = stage.statuses(repeat)
    assert (status.id, status.text, status.link, status.key) == (
        published.id,
        TEXT.text,
        TEXT.link,
        "another",
    )
    assert (status.language, status.reply_to) == ("de", first.id)
    assert [each.alt for each in status.media] == ["a teal card", "a teal card"]
    assert published.url == f"{stage.url}/@{repeat}/{published.id}"
    assert published.at is not None
    assert abs(published.at - status.created_at) < timedelta(milliseconds=2)
    assert attempt.left == 1


@pytest.mark.parametrize("kind", list(UNCERTAIN))
@pytest.mark.parametrize("repeat", list(Repeat))
def test_a_lost_answer_is_uncertain_and_what_protects_it_leads_to_exactly_one_post(
    stage: Rehearsal, connect: Callable[..., Practice], repeat: Repeat, kind: Kind
) -> None:
    slow = kind in (Kind.SLOW_AFTER, Kind.SLOW_BEFORE)
    connector, attempt = connect(repeat, timeout=0.2 if slow else 10.0), ContractAttempt()
    stage.faults.add(struck(repeat, kind, seconds=0.3))
    assert isinstance(fails(connector, attempt), UncertainError)
    until(lambda: any(each.fault == kind for each in stage.record.requests))
    assert (attempt.left, len(stage.statuses(repeat))) == (1, UNCERTAIN[kind])
    connector = connect(repeat)
    if repeat is Repeat.NOTHING:
        with pytest.raises(UncertainError, match="no list"):
            connector.find(TEXT, attempt)
        return
    found = connector.find(TEXT, attempt)
    assert (found is not None) == bool(UNCERTAIN[kind])
    if found is None or repeat is not Repeat.LISTING:
        again = connector.publish(TEXT, attempt.again())
        assert found is None or again == found
    assert len(stage.record.posts) == 1


@pytest.mark.parametrize("kind", list(PLAIN))
@pytest.mark.parametrize("repeat", list(Repeat))
def test_a_plain_refusal_says_what_it_is_and_nothing_is_there(
    stage: Rehearsal, connect: Callable[..., Practice], repeat: Repeat, kind: Kind
) -> None:
    connector, attempt = connect(repeat), ContractAttempt()
    stage.faults.add(struck(repeat, kind, seconds=7.0))
    error = fails(connector, attempt)
    assert type(error) is PLAIN[kind] or (kind is Kind.DUPLICATE and isinstance(error, RejectedError))
    assert stage.record.posts == []
    if kind is Kind.LIMITED:
        assert isinstance(error, LimitedError)
        assert error.retry_after == 7
    stage.restore(repeat)
    connector.publish(TEXT, attempt.again())
    assert len(stage.record.posts) == 1


def test_a_duplicate_is_a_refusal_at_first_and_a_hint_at_a_second_try(
    stage: Rehearsal, connect: Callable[..., Practice]
) -> None:
    for repeat in Repeat:
        stage.faults.add(struck(repeat, Kind.DUPLICATE, times=2))
        first = ContractAttempt()
        assert isinstance(fails(connect(repeat), first), RejectedError)
        second = fails(connect(repeat), first.again())
        assert isinstance(second, RejectedError if repeat is Repeat.NOTHING else UncertainError)


def test_a_platform_that_refuses_duplicates_by_itself_lets_a_lost_post_be_found(
    stage: Rehearsal, connect: Callable[..., Practice]
) -> None:
    stage.rules.refuses_duplicates = True
    connector, attempt = connect(Repeat.LISTING), ContractAttempt()
    stage.faults.add(struck(Repeat.LISTING, Kind.LOST_REPLY))
    fails(connector, attempt)
    assert isinstance(fails(connector, attempt.again()), UncertainError)
    assert connector.find(TEXT, attempt.again()) is not None
    assert len(stage.record.posts) == 1


@pytest.mark.parametrize("repeat", [Repeat.KEY, Repeat.LISTING])
def test_a_listing_that_lags_shows_a_post_only_later(
    stage: Rehearsal, connect: Callable[..., Practice], clock: Clock, repeat: Repeat
) -> None:
    stage.faults.add(struck(repeat, Kind.LAGGING, seconds=60.0))
    connector, attempt = connect(repeat), ContractAttempt()
    published = connector.publish(TEXT, attempt)
    assert connector.find(TEXT, attempt) is None
    clock.ahead += timedelta(seconds=61)
    assert connector.find(TEXT, attempt) == published


@pytest.mark.parametrize(
    "kind", [Kind.ERROR_BEFORE, Kind.ERROR_AFTER, Kind.RESET_BEFORE, Kind.LOST_REPLY, Kind.MID_BODY,
             Kind.GARBLED, Kind.WRONG_JSON, Kind.LIMITED, Kind.REVOKED]
)  # fmt: skip
@pytest.mark.parametrize("repeat", LOOKABLE)
def test_a_look_that_goes_wrong_never_says_not_there(
    stage: Rehearsal, connect: Callable[..., Practice], repeat: Repeat, kind: Kind
) -> None:
    connector, attempt = connect(repeat), ContractAttempt()
    connector.publish(TEXT, attempt)
    stage.faults.add(struck(repeat, kind, LOOKS, times=None))
    with pytest.raises(UnauthorizedError if kind is Kind.REVOKED else TemporaryError):
        connector.find(TEXT, attempt)
    stage.faults.clear()
    stage.restore(repeat)
    assert connector.find(TEXT, attempt) is not None


# ---- containers, listings and keys --------------------------------------------------------------


def test_the_container_is_kept_before_the_commit_and_published_once_however_often_it_is_tried(
    stage: Rehearsal, connect: Callable[..., Practice]
) -> None:
    connector, attempt = connect(Repeat.CONTAINER), ContractAttempt()
    first = connector.publish(TEXT, attempt)
    assert attempt.journal == ["keep container", "leave"]
    second = attempt.again()
    assert connector.publish(TEXT, second) == first
    assert second.left == 0
    assert len(stage.record.posts) == 1


def test_a_container_in_progress_is_waited_for_until_the_deadline(
    stage: Rehearsal, connect: Callable[..., Practice], clock: Clock, pauses: list[float]
) -> None:
    stage.faults.add(Fault(Kind.PROCESSING, path=CONTAINERS, seconds=60.0))
    connector, attempt = connect(Repeat.CONTAINER), ContractAttempt(seconds=0.5)
    assert isinstance(fails(connector, attempt), TemporaryError)
    assert (attempt.left, bool(pauses)) == (0, True)
    clock.ahead += timedelta(minutes=2)
    connector.publish(TEXT, attempt.again())
    creations = [each for each in stage.record.requests if each.path == CONTAINERS]
    assert len(creations) == 1


def test_a_container_that_could_not_be_processed_gives_the_post_back_and_a_new_one_is_made(
    stage: Rehearsal, connect: Callable[..., Practice]
) -> None:
    stage.faults.add(Fault(Kind.MEDIA_FAILS, path=CONTAINERS))
    connector, attempt = connect(Repeat.CONTAINER), ContractAttempt()
    assert isinstance(fails(connector, attempt), RejectedError)
    assert attempt.left == 0
    connector.publish(TEXT, attempt.again())
    assert len(stage.record.posts) == 1


def test_a_container_that_expired_is_replaced_and_one_that_is_gone_is_uncertain(
    stage: Rehearsal, connect: Callable[..., Practice], clock: Clock
) -> None:
    connector, attempt = connect(Repeat.CONTAINER), ContractAttempt()
    stage.faults.add(struck(Repeat.CONTAINER, Kind.ERROR_BEFORE))
    fails(connector, attempt)
    kept = attempt.kept["container"]
    clock.ahead += timedelta(days=2)
    assert connector.find(TEXT, attempt) is None
    again = attempt.again()
    connector.publish(TEXT, again)
    assert again.kept["container"] != kept
    again.kept["container"] = "1"
    with pytest.raises(UncertainError, match="gone"):
        connector.find(TEXT, again)


def test_a_picture_still_in_progress_is_waited_for_and_uploaded_once(
    stage: Rehearsal, connect: Callable[..., Practice]
) -> None:
    stage.rules.media_polls = 2
    connector, attempt = connect(Repeat.LISTING), ContractAttempt()
    post = replace(TEXT, media=(picture(),))
    stage.faults.add(struck(Repeat.LISTING, Kind.ERROR_BEFORE))
    fails(connector, attempt, post)
    connector.publish(post, attempt.again())
    uploads = [
        each for each in stage.record.requests if (each.method, each.path) == ("POST", "/practice/v1/media")
    ]
    assert len(uploads) == 1
    assert len(stage.statuses("listing")[0].media) == 1


def test_a_listing_takes_no_other_post_for_the_lost_one(
    stage: Rehearsal, connect: Callable[..., Practice]
) -> None:
    connector, earlier, attempt = connect(Repeat.LISTING), ContractAttempt(), ContractAttempt()
    connector.publish(TEXT, earlier)
    stage.faults.add(struck(Repeat.LISTING, Kind.ERROR_BEFORE))
    fails(connector, attempt)
    assert connector.find(TEXT, attempt) is None  # the same text was there before
    twin = connector.publish(TEXT, ContractAttempt())
    assert connector.find(TEXT, attempt) == twin
    attempt.others.add(twin.id)
    assert connector.find(TEXT, attempt) is None
    assert connector.find(replace(TEXT, text="other"), attempt) is None
    assert connector.find(replace(TEXT, link="https://brand.example/r/x"), attempt) is None


@pytest.mark.parametrize("repeat", [Repeat.KEY, Repeat.LISTING])
def test_a_look_turns_the_pages(stage: Rehearsal, connect: Callable[..., Practice], repeat: Repeat) -> None:
    connector, attempt = connect(repeat), ContractAttempt()
    published = connector.publish(TEXT, attempt)
    for number in range(85):
        other = ContractAttempt()
        other.key = f"k{number}"
        connector.publish(Post(f"another {number}"), other)
    assert connector.find(TEXT, attempt) == published
    pages = [each for each in stage.record.requests if each.method == "GET" and each.path.endswith("/posts")]
    assert len(pages) >= 3


def test_the_same_key_makes_one_post_until_it_is_forgotten(
    stage: Rehearsal, connect: Callable[..., Practice], clock: Clock
) -> None:
    connector, attempt = connect(Repeat.KEY), ContractAttempt()
    assert connector.publish(TEXT, attempt) == connector.publish(TEXT, attempt.again())
    valid = connector.limits().repeat_valid
    assert valid is not None
    clock.ahead += valid
    connector.publish(TEXT, attempt.again())
    assert len(stage.record.posts) == 1
    clock.ahead += timedelta(hours=1)
    connector.publish(TEXT, attempt.again())
    assert len(stage.record.posts) == 2


def test_an_account_of_another_class_is_not_taken(stage: Rehearsal) -> None:
    given = {"server": stage.url, "token": "token-of-listing", "repeat": "key"}
    wrong = Practice(Practice.Settings.model_validate(given))
    assert isinstance(fails(wrong, ContractAttempt()), RejectedError)
    assert stage.record.posts == []
    wrong.close()


# ---- posts for later ------------------------------------------------------------------------------


def soon() -> datetime:
    return (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0)


@pytest.mark.parametrize("repeat", LOOKABLE)
def test_a_post_for_later_is_held_listed_and_public_at_its_time(
    stage: Rehearsal, connect: Callable[..., Practice], clock: Clock, repeat: Repeat
) -> None:
    connector, attempt, at = connect(repeat), ContractAttempt(), soon()
    held = connector.schedule(TEXT, attempt, at)
    assert (held.at, held.text, attempt.left) == (at, TEXT.text, 1)
    assert connector.scheduled() == [held]
    assert stage.statuses() == []
    if repeat is Repeat.CONTAINER:
        with pytest.raises(TemporaryError, match="holds the post"):
            connector.find(TEXT, attempt)
    clock.ahead += timedelta(hours=1)
    found = connector.find(TEXT, attempt)
    assert found is not None
    assert found.at == at
    assert connector.scheduled() == []
    assert connector.unschedule(held.id) is False
    assert len(stage.record.posts) == 1


@pytest.mark.parametrize("repeat", LOOKABLE)
def test_a_post_for_later_is_taken_back_and_can_then_be_posted_at_once(
    stage: Rehearsal, connect: Callable[..., Practice], clock: Clock, repeat: Repeat
) -> None:
    connector, attempt = connect(repeat), ContractAttempt()
    held = connector.schedule(TEXT, attempt, soon())
    stage.faults.add(Fault(Kind.LOST_REPLY, method="DELETE", path=f"/practice/v1/{repeat}/scheduled/"))
    assert connector.unschedule(held.id) is True  # asked twice, since the first answer was lost
    assert connector.scheduled() == []
    connector.publish(TEXT, attempt.again())
    clock.ahead += timedelta(hours=2)
    assert len(stage.statuses()) == 1


@pytest.mark.parametrize("kind", [Kind.LOST_REPLY, Kind.ERROR_AFTER, Kind.GARBLED, Kind.ERROR_BEFORE])
@pytest.mark.parametrize("repeat", LOOKABLE)
def test_a_lost_answer_of_handing_over_can_be_looked_for(
    stage: Rehearsal, connect: Callable[..., Practice], repeat: Repeat, kind: Kind
) -> None:
    connector, attempt, at = connect(repeat), ContractAttempt(), soon()
    stage.faults.add(struck(repeat, kind, SCHEDULES))
    with pytest.raises(UncertainError):
        connector.schedule(TEXT, attempt, at)
    held = connector.scheduled()
    assert len(held) == UNCERTAIN[kind]
    if repeat is not Repeat.LISTING or not held:
        again = connector.schedule(TEXT, attempt.again(), at)
        assert connector.scheduled() == [again]


# ---- what it says of itself -----------------------------------------------------------------------


def test_limits_are_what_the_platform_announced_with_the_settings_over_it(
    stage: Rehearsal, connect: Callable[..., Practice]
) -> None:
    stage.rules.lag, stage.rules.max_characters, stage.rules.soonest = 4.0, 200, 90.0
    stage.rules.rate_limit = 60
    connector = connect(Repeat.LISTING, price=15_000, price_with_link=200_000)
    assert connector.limits().lag == timedelta(0)
    assert connector.whoami() == "listing@rehearsal"
    limits = connector.limits()
    assert (limits.repeat, limits.repeat_valid, limits.lag) == (Repeat.LISTING, None, timedelta(seconds=4))
    assert (limits.text_limit, limits.schedules) == (200, Window(minutes=2, days=30))
    assert limits.rate is not None
    assert (limits.rate.calls, limits.rate.minutes) == (60, 5)
    assert limits.price == Price(15_000, 200_000)
    assert connect(Repeat.KEY, price=7).limits().price == Price(7, 7)
    assert connect(Repeat.KEY).limits().price is None
    later = Practice(connector.settings, connector.memory)
    assert later.limits() == limits


def test_the_allowance_that_is_left_is_passed_on(stage: Rehearsal, connect: Callable[..., Practice]) -> None:
    stage.rules.rate_limit = 10
    connector = connect(Repeat.KEY)
    assert connector.quota() is None
    connector.publish(TEXT, ContractAttempt())
    quota = connector.quota()
    assert quota is not None
    assert quota.remaining == 9


def test_readings_are_counted_and_a_post_that_is_gone_has_none(
    stage: Rehearsal, connect: Callable[..., Practice]
) -> None:
    connector = connect(Repeat.NOTHING)
    published = connector.publish(TEXT, ContractAttempt())
    stage.like(published.id, 3)
    found = {each.metric: each.value for each in connector.read([published.id])}
    assert found == {"likes": 3, "boosts": 0, "replies": 0, "clicks": 0, "impressions": 0}
    connector.delete(published.id)
    connector.delete(published.id)
    assert stage.statuses() == []
    assert {each.value for each in connector.read([published.id])} == {None}


def test_the_catalogue_knows_it() -> None:
    assert connectors.find("practice") is Practice
