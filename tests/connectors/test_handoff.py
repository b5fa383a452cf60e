"""A fan's kit keeps the contract; of its share addresses, what is decoded is exactly what was handed over."""

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, get_args
from urllib.parse import parse_qs, urlsplit

import pytest

import connectors
from connectors.base import Attempt, Capabilities, Media, Offered, Post, Published, Reading
from connectors.contract import OfferingContract
from connectors.handoff import Handoff, Kit, NoServerError, Way, intents, mastodon

LINK = "https://brand.example/r/abc?a=1&b=2#c"
TEXTS = [
    "Plain",
    "🏰👩‍👩‍👧 castle & moat #castle",
    "one\ntwo",
    "שלום עולם",
    "100 % + more = a?b/c;d",
    "\"<b>'",
]


def asked(address: str) -> dict[str, str]:
    """Decode what a composer would be given."""
    found = parse_qs(urlsplit(address).query, strict_parsing=True, keep_blank_values=True, separator="&")
    return {name: value for name, (value,) in found.items()}


@pytest.mark.parametrize("text", TEXTS)
def test_text_and_link_come_back_exactly_from_every_address(text: str) -> None:
    found = {name: asked(url) for name, url in intents(Kit(text, LINK, "https://b.example/p.jpg")).items()}
    both = f"{text}\n{LINK}"
    for name in ("bluesky", "threads", "whatsapp"):
        assert found[name] == {"text": both}
    for name in ("x", "telegram"):
        assert found[name] == {"text": text, "url": LINK}
    title = text.splitlines()[0]  # one line: it is a subject
    assert found["reddit"] == {"url": LINK, "title": title}
    assert found["linkedin"] == {"url": LINK}
    assert found["facebook"] == {"u": LINK}
    assert found["pinterest"] == {"url": LINK, "media": "https://b.example/p.jpg", "description": text}
    assert found["email"] == {"subject": title, "body": both.replace("\n", "\r\n")}


def test_no_address_holds_a_bare_plus_space_or_second_question_mark() -> None:
    for url in intents(Kit("a + b & c?", LINK)).values():
        assert not set(" +\n") & set(url)
        assert url.count("?") == 1


def test_a_pin_without_a_picture_names_none() -> None:
    assert "media" not in asked(intents(Kit("a", LINK))["pinterest"])


@pytest.mark.parametrize(
    "server", ["mastodon.social", "Mastodon.Social", "https://mastodon.social/", "@fan@mastodon.social"]
)
def test_a_fan_may_name_their_server_in_any_usual_way(server: str) -> None:
    url = mastodon(Kit("a & b", LINK), server)
    assert url.startswith("https://mastodon.social/share?text=")
    assert asked(url) == {"text": f"a & b\n{LINK}"}


@pytest.mark.parametrize(
    "server", ["", "localhost", "evil.example/path", "a.example?x", "javascript:alert(1)", "a b.example", "."]
)
def test_what_is_no_server_opens_nothing(server: str) -> None:
    with pytest.raises(NoServerError):
        mastodon(Kit("a", LINK), server)


def test_a_link_at_the_end_of_a_text_is_given_once() -> None:
    found = {name: asked(url) for name, url in intents(Kit(f"Look\n\n{LINK}\n", LINK)).items()}
    assert found["x"] == {"text": "Look", "url": LINK}
    assert found["telegram"] == {"text": "Look", "url": LINK}
    assert found["reddit"] == {"title": "Look", "url": LINK}
    assert found["bluesky"] == {"text": f"Look\n\n{LINK}\n"}
    assert asked(mastodon(Kit(f"Look {LINK}", LINK), "a.example")) == {"text": f"Look {LINK}"}


def test_a_link_in_the_middle_stays_there_and_is_not_put_behind_once_more() -> None:
    text = f"Look at {LINK} today"
    found = {name: asked(url) for name, url in intents(Kit(text, LINK)).items()}
    assert found["x"] == found["whatsapp"] == {"text": text}


def test_there_is_an_address_for_every_way_that_a_page_of_ours_does_not_see_to_itself() -> None:
    assert {*intents(Kit("a", LINK)), "mastodon", "copy"} == set(get_args(Way))


# ---- the channel ------------------------------------------------------------------------------


class TestHandoff(OfferingContract):
    connector = Handoff
    whoami = "a fan's own voice"

    def settings(self) -> Handoff.Settings:
        return Handoff.Settings()


def test_the_catalogue_knows_it_and_nothing_has_to_be_given_to_connect_it() -> None:
    assert connectors.find("handoff") is Handoff
    assert Handoff.Settings.model_fields == {}


def test_what_it_declares_is_laid_out() -> None:
    limits = Handoff.capabilities
    picture = Media("a.png", "image/png", "a" * 1000, b"x" * 5_000_000)
    text = "x" * (280 - 24) + " https://brand.example/" + "r" * 200
    full = replace(TestHandoff.post, text=text, media=(picture,) * limits.media_limit)
    assert Handoff(Handoff.Settings()).problems(full) == []
    for changes, says in (
        ({"text": f"x{text}"}, "1 over the limit"),
        ({"media": (replace(picture, alt="a" * 1001),)}, "alt text"),
        ({"media": (replace(picture, data=b"x" * 5_000_001),)}, "bytes"),
        ({"media": (replace(picture, type="image/tiff"),)}, "image/tiff"),
    ):
        assert says in " ".join(Handoff(Handoff.Settings()).problems(replace(full, **changes)))


# ---- the kit of its contract catches what breaks it -------------------------------------------


class Reaching(Handoff):
    """Asks somebody."""

    def publish(self, post: Post, attempt: Attempt) -> Offered:
        with socket.socket() as line:
            line.connect_ex(("127.0.0.1", 1))
        return super().publish(post, attempt)


class Resolving(Handoff):
    """Asks for an address, and hides that it got none."""

    def publish(self, post: Post, attempt: Attempt) -> Offered:
        with suppress(OSError):
            socket.getaddrinfo("localhost", 80)
        return super().publish(post, attempt)


class Hasty(Handoff):
    """Lays out without asking whether it still may."""

    def publish(self, post: Post, attempt: Attempt) -> Offered:
        self.check(post)
        return Offered(post.kit.rpartition("/")[2], post.kit)


class Wandering(Handoff):
    """Has another page for each try."""

    def publish(self, post: Post, attempt: Attempt) -> Offered:
        offered = super().publish(post, attempt)
        return replace(offered, id=f"{offered.id}{attempt.number}")


class Public(Handoff):
    """Says that it is public already."""

    def publish(self, post: Post, attempt: Attempt) -> Published:  # type: ignore[override]
        offered = super().publish(post, attempt)
        return Published(offered.id, offered.url)


class Unchecked(Handoff):
    """Takes anything."""

    def check(self, post: Post) -> None:
        pass


class Late(Handoff):
    """Does not look at the time."""

    def publish(self, post: Post, attempt: Attempt) -> Offered:
        self.check(post)
        attempt.leave()
        return Offered(post.kit.rpartition("/")[2], post.kit)


class Sure(Handoff):
    """Says of a kit that it is not there."""

    def find(self, post: Post, attempt: Attempt) -> Published | None:
        return None


class Inventing(Handoff):
    """Makes up figures."""

    def read(self, ids: Sequence[str]) -> list[Reading]:
        return [Reading(id, "shares", 1.0, Attempt.started_at) for id in ids]  # type: ignore[arg-type]


class Quiet(Handoff):
    """Does not declare that it offers."""

    capabilities: Capabilities = replace(Handoff.capabilities, offers=False)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        (Reaching, "test_a_post_becomes_one_kit_on_its_page"),
        (Resolving, "test_laid_out_again_it_is_the_same_kit"),
        (Hasty, "test_nothing_is_laid_out_when_the_lease_is_lost"),
        (Wandering, "test_laid_out_again_it_is_the_same_kit"),
        (Public, "test_a_post_becomes_one_kit_on_its_page"),
        (Unchecked, "test_what_it_does_not_declare_is_refused_before_anything_is_laid_out"),
        (Late, "test_nothing_is_laid_out_after_the_deadline"),
        (Sure, "test_a_look_never_says_that_a_kit_is_not_there"),
        (Inventing, "test_it_reads_nothing_from_anybody"),
        (Quiet, "test_it_declares_that_it_offers_to_one_person_and_nothing_that_needs_a_platform"),
    ],
)
def test_a_connector_that_breaks_a_promise_is_caught(broken: type[Handoff], promise: str) -> None:
    def kept(kind: type[Handoff]) -> bool:
        contract = TestHandoff()
        contract.connector = kind  # type: ignore[misc]
        guard: Callable[..., Iterator[list[str]]] = OfferingContract.outside.__wrapped__  # type: ignore[attr-defined]
        test: Any = getattr(contract, promise)
        wants_one = "offerer" in test.__code__.co_varnames[: test.__code__.co_argcount]
        try:
            with pytest.MonkeyPatch.context() as patch:
                running = guard(contract, patch)
                next(running)
                test(*([kind(kind.Settings(), {})] if wants_one else []))
                next(running, None)
        except (AssertionError, pytest.fail.Exception, OSError):
            return False
        return True

    assert kept(Handoff)
    assert not kept(broken)
