"""A fan's kit from plan to receipt: who is offered one, what its page does, how it ends, what it earned."""

import re
from collections.abc import Iterator
from datetime import timedelta
from fractions import Fraction
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from sqlmodel import select

from connectors.base import Attempt, Offered, Post
from connectors.handoff import Handoff, Kit, intents
from orchestrator import db, links
from orchestrator import items as item_room
from orchestrator.app.ledger import Asked
from orchestrator.audience import Person, bounces, consent
from orchestrator.errors import CheckError
from orchestrator.intake import Source
from orchestrator.items import Item, Status
from orchestrator.links import Link
from orchestrator.outbox import State
from orchestrator.tracking import kits, ledger
from orchestrator.tracking.kits import Share
from orchestrator.tracking.ledger import Scope
from orchestrator.web.kits import NAMES, WAYS
from tests.servers.chromium import Chromium
from tests.web_world import World, world

BOOK = "bricks-at-home"
PERSON = {"user-agent": "Mozilla/5.0 (a telephone)", "accept": "text/html"}


class Fans:
    """A brand whose kits are laid out, and fans who each take one of them."""

    def __init__(self, world: World) -> None:
        self.world, self.app = world, world.app
        self.first, *rest = self.items()  # no test changes anything about this one
        self.taken = iter(rest)

    def items(self) -> list[Item]:
        return [view.item for view in self.world.items() if view.item.channel == "handoff"]

    def kit(self) -> Item:
        """Give a kit that no other test touched."""
        return next(self.taken)

    def get(self, item: Item, more: str = "", **headers: str) -> requests.Response:
        where = f"{item.remote_url}{more}"
        return requests.get(where, headers={**PERSON, **headers}, allow_redirects=False, timeout=30)

    def post(self, item: Item, more: str, **fields: str) -> requests.Response:
        return requests.post(f"{item.remote_url}{more}", fields, allow_redirects=False, timeout=30)

    def now(self, item: Item) -> Item:
        return self.app.seen(item.id)[0]

    def shares(self, item: Item) -> list[Share]:
        return list(self.app.look(kits.of, item.id))

    def readings(self, item: Item) -> dict[str, float | None]:
        return {each.metric: each.value for each in self.app.look(ledger.readings, [item.id])}

    def put(self, item: Item, **changes: object) -> Item:
        """Put a kit of its own for this test where it is needed."""
        self.world.change(item.id, **changes)
        return item


@pytest.fixture(scope="module")
def fans(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fans]:
    with world(tmp_path_factory.mktemp("kits") / "brand") as made:
        made.app.connect("handoff", "fans", {})
        made.app.approve(campaign=made.apply(BOOK)[1])
        made.clock.ahead = timedelta(days=2, hours=20)
        assert made.app.publish().outcome.offered == 11
        yield Fans(made)


# ---- laid out ---------------------------------------------------------------------------------


def test_a_kit_is_offered_not_published_and_its_page_is_its_address(fans: Fans) -> None:
    item = fans.first
    key = fans.app.brand.key("kits")
    assert item.status == Status.OFFERED
    assert item.remote_url == f"{fans.world.url}/k/{links.kit_code(key, item.id)}"
    assert item.remote_id == links.kit_code(key, item.id)
    (row,) = fans.app.sending.history(item.id)
    assert (row.state, row.left_at is not None, item.published_at is not None) == (State.ACCEPTED, True, True)
    assert fans.app.seen(item.id)[1].to == item.person_id  # no address is needed, and none is kept


def test_a_code_tells_nothing_and_cannot_be_made_without_the_key(fans: Fans) -> None:
    item = fans.first
    assert re.fullmatch(r"[a-z2-7]{16}", item.remote_id)
    assert item.person_id not in item.remote_id
    assert links.kit_code(b"another key" * 3, item.id) != item.remote_id
    assert len({each.remote_id for each in fans.items()}) == len(fans.items())


def test_only_people_of_the_engaged_tiers_who_agreed_are_offered_one(fans: Fans) -> None:
    with db.reading(fans.app.engine) as session:
        agreed = {
            person for person, purpose in consent.given(session, fans.app.now()) if purpose == "advocacy"
        }
    assert {item.person_id for item in fans.items()} <= agreed
    assert all(int(item.tiers) <= 2 for item in fans.items())


def test_a_kit_counts_as_contact_even_after_its_time_was_over(fans: Fans) -> None:
    item = fans.put(fans.kit(), status="expired")
    with db.reading(fans.app.engine) as session:
        assert item_room.contacts(session, "another")[item.person_id][0] == item.published_at
        probe = Item(id="probe", campaign_id=item.campaign_id, person_id=item.person_id, account="fans",
                     channel="handoff", due_at=fans.app.now(), leave_at=fans.app.now(), status="queued",
                     rev="x", updated_at=fans.app.now())  # fmt: skip
        assert "more than 1 message" in item_room.over_cap(
            session, probe, fans.app.now(), fans.app.brand.zone
        )
    fans.app.move(item.id, fans.app.now() + timedelta(days=9))  # given another time it is no second message
    diff = fans.app.plan(BOOK).diff
    assert item.id in {each.id for each in diff.planned}
    assert item.id not in {each.id for each in diff.cancelled}


def test_a_kit_whose_end_is_not_known_is_laid_out_again_on_the_same_page_though_mail_came_back(
    fans: Fans, monkeypatch: pytest.MonkeyPatch
) -> None:
    item, lay_out, standing = fans.kit(), Handoff.publish, fans.world.clock.ahead
    with db.writing(fans.app.engine) as session:
        address = session.get_one(Person, item.person_id).email
        bounces.record(session, item.person_id, address, fans.app.now(), "no such user")

    def break_off(self: Handoff, post: Post, attempt: Attempt) -> Offered:
        lay_out(self, post, attempt)
        raise RuntimeError("the process is gone")

    fans.put(item, status="queued", remote_id="", remote_url="", published_at=None, leave_at=fans.app.now())
    monkeypatch.setattr(Handoff, "publish", break_off)
    assert fans.app.publish().outcome.uncertain == 1
    monkeypatch.undo()
    fans.world.clock.ahead += timedelta(minutes=5)  # the lost one has surely ended
    fans.app.recover()
    fans.world.clock.ahead = standing
    after = fans.now(item)
    assert (after.status, after.remote_url) == (Status.OFFERED, item.remote_url)
    tries = fans.app.sending.history(item.id)
    assert [(row.number, row.settled) for row in tries[-2:]] == [(2, "repeated"), (3, "")]


def test_nothing_is_laid_out_by_hand_for_nobody(fans: Fans) -> None:
    with pytest.raises(CheckError, match="no address to go to"):
        fans.app.post("fans", "for whom?")


# ---- its page ---------------------------------------------------------------------------------


def test_its_page_shows_text_link_and_picture_and_asks_nobody_else_for_anything(fans: Fans) -> None:
    item = fans.first
    answer = fans.get(item)
    page = answer.text
    assert answer.status_code == 200
    assert unescape(re.findall(r"<textarea[^>]*>([^<]*)<", page)[0]) == fans.app.seen(item.id)[1].text
    assert f"/r/{item.link_code}" in page
    assert 'alt="Six trays seen from above' in page
    (picture,) = set(re.findall(r'src="(/m/[^"]+)"', page))
    assert requests.get(fans.world.url + picture, timeout=30).headers["content-type"] == "image/jpeg"
    everywhere = re.findall(r'(?:src|href|action)="([^"]*)"', page)
    assert everywhere
    assert all(each.startswith("/") for each in everywhere)


def test_its_page_is_private_to_who_holds_it(fans: Fans) -> None:
    headers = fans.get(fans.first).headers
    assert (headers["referrer-policy"], headers["cache-control"]) == ("no-referrer", "no-store")
    assert headers["x-robots-tag"] == "noindex, nofollow"
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "set-cookie" not in headers


def test_a_code_that_is_nobodys_shows_nothing(fans: Fans) -> None:
    code = fans.first.remote_id
    for wrong in ("a" * 16, code[:-1], f"{code}a", code.upper(), "%2e%2e", "x" * 300):
        answer = requests.get(f"{fans.world.url}/k/{wrong}", timeout=30)
        assert answer.status_code == 404
        assert "<textarea" not in answer.text


def test_another_channels_post_has_no_kit(fans: Fans) -> None:
    post = fans.app.post("promo", "a post")
    code = links.kit_code(fans.app.brand.key("kits"), post.id)
    assert requests.get(f"{fans.world.url}/k/{code}", timeout=30).status_code == 404
    fans.app.cancel([post.id])


# ---- choices ----------------------------------------------------------------------------------


def test_every_way_leads_to_its_composer_with_text_and_link_and_is_counted(fans: Fans) -> None:
    item = fans.kit()
    post = fans.app.seen(item.id)[1]
    for way in WAYS:
        answer = fans.get(item, f"/to/{way}")
        assert (answer.status_code, answer.headers["referrer-policy"]) == (303, "no-referrer"), way
        given = parse_qs(urlsplit(answer.headers["location"]).query)
        assert any(post.link in value for (value,) in given.values()), way
    assert (
        fans.get(item, "/to/mastodon?server=a.example").headers["location"].startswith("https://a.example/")
    )
    assert fans.get(item, "/to/copy").headers["location"] == f"/k/{item.remote_id}#text"
    shares = fans.shares(item)
    assert {share.way for share in shares} == set(NAMES)
    assert not any(share.told or share.url for share in shares)
    assert fans.readings(item) == {"share_intents": 12.0}
    assert fans.now(item).status == Status.OFFERED


def test_the_buttons_of_the_page_are_the_ways_there_are(fans: Fans) -> None:
    shown = fans.app.seen(fans.first.id)[1]
    assert set(NAMES) == {*intents(Kit(shown.text, shown.link)), "mastodon", "copy"}


def test_pressing_twice_counts_once_and_programs_count_never(fans: Fans) -> None:
    item = fans.kit()
    standing = fans.world.clock.ahead
    for headers in ({}, {}, {"user-agent": "curl/8"}, {"sec-purpose": "prefetch"}):
        assert fans.get(item, "/to/x", **headers).status_code == 303
    fans.world.clock.ahead = standing + timedelta(minutes=1)
    fans.get(item, "/to/x")
    fans.world.clock.ahead = standing
    assert [share.way for share in fans.shares(item)] == ["x", "x"]
    assert fans.get(item, "/to/nowhere").status_code == 422
    answer = fans.get(item, "/to/mastodon?server=evil.example/path")
    assert answer.status_code == 422
    assert "mastodon.social" in answer.text
    assert len(fans.shares(item)) == 2


# ---- the receipt ------------------------------------------------------------------------------


def test_an_advocates_word_makes_it_published_once_with_the_platform_they_chose(fans: Fans) -> None:
    item = fans.kit()
    offered_at = fans.now(item).published_at
    url = "https://x.com/fan/status/1"
    for _ in range(2):
        answer = fans.post(item, "/shared", way="x", url=url)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/k/{item.remote_id}#shared")
    after = fans.now(item)
    assert (after.status, after.remote_url, after.published_at) == (Status.PUBLISHED, url, offered_at)
    assert [(share.way, share.told, share.url) for share in fans.shares(item)] == [("x", True, url)]
    assert "You told us: X." in fans.get(item).text
    fans.post(item, "/shared", way="mastodon")
    assert fans.now(item).remote_url == url
    assert fans.readings(item) == {"shares": 2.0}
    assert fans.app.collect().missed == ()  # nobody is asked for figures of it


@pytest.mark.parametrize(
    "url",
    ["http://x.com/a", "javascript:alert(1)", "https://x", "https://x.com/a b", "https://x.com@evil.example/",
     "https://[", "x.com/a", "https://x.com/" + "a" * 500],
)  # fmt: skip
def test_what_is_no_address_of_a_post_is_not_kept(fans: Fans, url: str) -> None:
    item = fans.first
    answer = fans.post(item, "/shared", way="x", url=url)
    assert answer.status_code == 422
    assert "begins with https://" in answer.text
    assert (fans.now(item).status, fans.shares(item)) == (Status.OFFERED, [])
    assert fans.post(item, "/shared", way="", url="").status_code == 422


# ---- how it ends ------------------------------------------------------------------------------


def closed(fans: Fans, item: Item) -> str:
    """See that a kit shows nothing any more, and return what its page says."""
    pages = [fans.get(item), fans.get(item, "/to/x"), fans.post(item, "/shared", way="x")]
    assert [page.status_code for page in pages] == [410, 410, 410]
    assert not any(f"/r/{item.link_code}" in page.text or "<textarea" in page.text for page in pages)
    assert fans.shares(item) == []
    return pages[0].text


def test_a_kit_that_was_called_off_is_closed_and_says_so(fans: Fans) -> None:
    item = fans.kit()
    assert fans.app.cancel([item.id]) == [item.id]
    assert fans.now(item).status == Status.CANCELLED
    assert "taken back" in closed(fans, item)


def test_a_kit_whose_time_is_over_expires_and_one_that_was_shared_stays_as_it_is(fans: Fans) -> None:
    over, shared = fans.kit(), fans.kit()
    fans.post(shared, "/shared", way="copy")
    past = fans.app.now() - timedelta(seconds=1)
    for item in (over, shared):
        fans.put(item, expires_at=past)
    assert "time for this has passed" in closed(fans, over)  # at once, whoever comes first
    assert fans.app.sending.lapse() == 1
    assert fans.app.sending.lapse() == 0
    assert (fans.now(over).status, fans.now(shared).status) == (Status.EXPIRED, Status.PUBLISHED)


def test_no_more_of_these_asks_first_then_withdraws_once_and_closes_the_kit(fans: Fans) -> None:
    item = fans.kit()
    assert "<form" in fans.get(item, "/no-more").text
    assert fans.now(item).status == Status.OFFERED  # looking changes nothing
    for _ in range(2):
        answer = fans.post(item, "/no-more")
        assert (answer.status_code, "no more of these" in answer.text) == (200, True)
    with db.reading(fans.app.engine) as session:
        assert not consent.has(session, item.person_id, "advocacy")
        said = session.exec(
            select(consent.Consent).where(
                consent.Consent.person_id == item.person_id, consent.Consent.purpose == "advocacy"
            )
        ).all()
    assert [line.given for line in said][-2:] == [True, False]
    assert fans.now(item).status == Status.CANCELLED
    assert "want no more" in closed(fans, item)
    fans.put(item, status="queued", leave_at=fans.app.now(), published_at=None)
    assert fans.app.publish().outcome.cancelled == 1  # asked again at the claim
    assert "does not allow the purpose advocacy" in fans.now(item).reason
    assert requests.post(f"{fans.world.url}/k/{'a' * 16}/no-more", timeout=30).status_code == 404


def test_while_a_stop_is_over_it_a_kit_rests(fans: Fans) -> None:
    item = fans.first
    stop = fans.app.stop("a storm", "platform:handoff")
    try:
        assert [fans.get(item).status_code, fans.get(item, "/to/x").status_code] == [503, 503]
    finally:
        fans.app.resume(str(stop.stop_id))
    assert fans.get(item).status_code == 200


def test_rewards_that_were_paid_are_to_be_named(fans: Fans, tmp_path: Path) -> None:
    item = fans.first
    assert "If you get anything" in fans.get(item).text
    costs = tmp_path / "costs.csv"
    at = fans.app.now().isoformat()
    costs.write_text(f"at,kind,amount,campaign\n{at},reward,25.00,{item.campaign_id}\n")
    fans.app.bring(Source("costs", costs))
    assert "You get something from us" in fans.get(item).text


# ---- what it earned ---------------------------------------------------------------------------


def test_friends_who_follow_the_link_count_for_the_kit_and_not_as_the_fan(fans: Fans, tmp_path: Path) -> None:
    item = fans.first
    before = fans.app.look(ledger.people, Scope(), fans.app.brand.zone)
    link = fans.app.seen(item.id)[1].link
    where = requests.get(link, headers=PERSON, allow_redirects=False, timeout=30).headers["location"]
    assert "utm_source=handoff" in where
    with db.reading(fans.app.engine) as session:
        row = session.exec(select(Link).where(Link.code == item.link_code)).one()
        assert (row.passed_on, row.person_id) == (True, item.person_id)
    assert fans.app.look(ledger.people, Scope(), fans.app.brand.zone) == before
    orders = tmp_path / "orders.csv"
    at = (fans.app.now() + timedelta(minutes=1)).isoformat()
    orders.write_text(
        f"order_id,at,amount,link,person_id\no1,{at},60.00,{link},\no2,{at},40.00,,{item.person_id}\n"
    )
    fans.app.bring(Source("orders", orders))
    (play,) = [line for line in fans.app.value(Asked()).plays if line.play == "pass-it-on"]
    assert (play.channels, play.visits, play.orders, play.credited) == (("handoff",), 1, 1, 6000)
    assert play.posts >= 2  # offered ones and shared ones


def test_the_report_tells_composers_opened_apart_from_shares(fans: Fans) -> None:
    item = fans.kit()
    before = affinity(fans)
    fans.get(item, "/to/x")
    fans.get(item, "/to/threads")
    fans.post(item, "/shared", way="threads")
    assert affinity(fans) == (before[0] + 2, before[1] + 1)


def affinity(fans: Fans) -> tuple[int | Fraction, int | Fraction]:
    """Return how many composers were opened, and how many shares were told, as the report has it."""
    goal = next(goal for goal in fans.app.value(Asked()).goals if goal.key == "affinity")
    return goal["share_intents"].value or 0, goal["shares"].value or 0


# ---- a browser --------------------------------------------------------------------------------


@pytest.mark.servers
def test_one_press_copies_on_a_dark_telephone_and_asks_nobody_else_for_anything(
    chromium: Chromium, fans: Fans
) -> None:
    asked: list[str] = []
    with chromium.browser() as browser:
        page = browser.new_context(
            viewport={"width": 360, "height": 700}, color_scheme="dark",
            permissions=["clipboard-read", "clipboard-write"],
        ).new_page()  # fmt: skip
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda said: asked.append(said.text))  # what the policy forbids is told there
        page.goto(fans.first.remote_url)
        page.click("text=Copy the text")
        page.wait_for_selector("text=Copied.")
        assert page.evaluate("navigator.clipboard.readText()") == fans.app.seen(fans.first.id)[1].text
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert len(asked) >= 4
    assert all(url.startswith(fans.world.url) for url in asked)
