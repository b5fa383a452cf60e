"""A fan's share addresses: what is decoded is exactly what was handed over, and nothing else is reached."""

from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.handoff import Kit, NoServerError, intents, mastodon

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
    assert found["reddit"] == {"url": LINK, "title": text}
    assert found["linkedin"] == {"url": LINK}
    assert found["facebook"] == {"u": LINK}
    assert found["pinterest"] == {"url": LINK, "media": "https://b.example/p.jpg", "description": text}
    assert found["email"] == {"subject": text, "body": both.replace("\n", "\r\n")}


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
