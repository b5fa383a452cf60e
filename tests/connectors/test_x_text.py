"""X's way to count and to see links: twitter-text's own vectors, all of them, and what they leave out."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from connectors.x import text, urls
from tests.wire.platforms import SPECS

VECTORS = SPECS / "x" / "twitter-text" / "conformance"
# The counts that the two configurations before today's had: config/v1.json and v2.json there.
FIRST = text.Rules(limit=140, light=((0, 0x10FFFF),), other=1, emoji=False)
SECOND = text.Rules(emoji=False)


def weighed(told: str, rules: text.Rules) -> dict[str, object]:
    found = text.weigh(told, rules)
    return {
        "weightedLength": found.length,
        "valid": found.valid,
        "permillage": found.permille,
        "displayRangeStart": found.shown[0],
        "displayRangeEnd": found.shown[1],
        "validRangeStart": found.fits[0],
        "validRangeEnd": found.fits[1],
    }


def texts(found: list[urls.Found]) -> list[str]:
    return [each.text for each in found]


def placed(found: list[urls.Found], name: str) -> list[dict[str, object]]:
    return [{name: each.text, "indices": [each.start, each.end]} for each in found]


def whole(found: list[urls.Found], told: str) -> bool:
    return any((each.start, each.end) == (0, len(told)) for each in found)


def one_mention(told: str, of_a_list: bool) -> bool:
    found = text.mentions(told)
    return any((each.start, each.end, bool(each.list)) == (0, len(told), of_a_list) for each in found)


EXTRACT: dict[str, Callable[[str], object]] = {
    "mentions": lambda told: [each.name for each in text.mentions(told)],
    "mentions_with_indices": lambda told: [
        {"screen_name": each.name, "indices": [each.start, each.end]} for each in text.mentions(told)
    ],
    "mentions_or_lists_with_indices": lambda told: [
        {"screen_name": each.name, "list_slug": each.list, "indices": [each.start, each.end]}
        for each in text.mentions(told)
    ],
    "replies": text.answered,
    "urls": lambda told: texts(urls.links(told)),
    "urls_with_indices": lambda told: placed(urls.links(told), "url"),
    "urls_with_directional_markers": lambda told: placed(urls.links(told), "url"),
    "tco_urls_with_params": lambda told: texts(urls.links(told)),
    "hashtags": lambda told: texts(text.hashtags(told)),
    "hashtags_from_astral": lambda told: texts(text.hashtags(told)),
    "hashtags_with_indices": lambda told: placed(text.hashtags(told), "hashtag"),
    "cashtags": lambda told: texts(text.cashtags(told)),
    "cashtags_with_indices": lambda told: placed(text.cashtags(told), "cashtag"),
}
VALIDATE: dict[str, Callable[[str], object]] = {
    "tweets": lambda told: text.weigh(told, FIRST).valid,
    "usernames": lambda told: one_mention(told, of_a_list=False),
    "lists": lambda told: one_mention(told, of_a_list=True),
    "hashtags": lambda told: whole(text.hashtags(told), told),
    "urls": urls.is_link,
    "urls_without_protocol": lambda told: urls.is_link(told, bare=True),
    "WeightedTweetsCounterTest": lambda told: weighed(told, SECOND),
    "WeightedTweetsWithDiscountedEmojiCounterTest": lambda told: weighed(told, text.NOW),
    "UnicodeDirectionalMarkerCounterTest": lambda told: weighed(told, text.NOW),
}


def vectors(name: str) -> dict[str, list[dict[str, Any]]]:
    told = yaml.safe_load((VECTORS / f"{name}.yml").read_text(encoding="utf-8"))
    return told["tests"]  # type: ignore[no-any-return]


@pytest.mark.shared
@pytest.mark.skipif(not SPECS.is_dir(), reason="no folder of specifications beside the project")
@pytest.mark.parametrize(
    ("name", "by", "count"),
    [("extract", EXTRACT, 238), ("validate", VALIDATE, 97)],
    ids=["extract", "validate"],
)
def test_every_official_vector_passes_and_none_is_left_out(
    name: str, by: dict[str, Callable[[str], object]], count: int
) -> None:
    told = vectors(name)
    assert set(told) == set(by)
    wrong = [
        (kind, case["description"])
        for kind, cases in told.items()
        for case in cases
        if by[kind](case["text"]) != case["expected"]
    ]
    assert wrong == []
    assert sum(map(len, told.values())) == count


@pytest.mark.parametrize(
    ("told", "length"),
    [
        ("", 0),
        ("Good morning", 12),
        ("Good morning https://brand.com/a/very/long/address/that/counts/as/twenty/three", 36),
        ("see brand.com/x", 4 + 23),
        ("日本", 4),
        ("é", 1),
        ("e\u0301", 1),
        ("👨‍👩‍👧‍👦", 2),
        ("🇩🇰🇩🇪", 4),
        ("1️⃣", 2),
        ("🫩", 2),  # Unicode 16, which the vectors do not know yet
        ("©︎", 3),  # asked to be shown as text: a light code point, and one that asks
    ],
)
def test_a_text_is_as_long_as_x_counts_it(told: str, length: int) -> None:
    assert text.length(told) == length


def test_280_fit_and_281_do_not() -> None:
    assert text.weigh("a" * 280).valid
    assert not text.weigh("a" * 281).valid
    assert text.weigh("日" * 140).valid
    assert not text.weigh("日" * 140 + "a").valid


def test_a_long_text_of_dots_is_read_quickly_enough_to_be_asked_at_every_plan() -> None:
    hostile = ["a." * 5000, "http://" + "-." * 3000, "#" * 10_000, "@" * 10_000, "a.com/" + "a(b" * 3000]
    assert [len(urls.links(each)) for each in hostile] == [0, 0, 0, 0, 1]
    for each in hostile:
        text.weigh(each)
