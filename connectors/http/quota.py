"""The headers of an answer -> how many calls the platform still takes from this account, and when more."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

import regex
from pydantic import BaseModel, FiniteFloat, TypeAdapter, ValidationError

from connectors.base import Quota
from connectors.http.words import seconds

# Mastodon, Discord: https://docs.joinmastodon.org/api/rate-limits/ https://docs.discord.com/developers/topics/rate-limits
# Bluesky and the IETF's first drafts: https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/03/
# X: https://docs.x.com/x-api/fundamentals/rate-limits
_FAMILIES = ("X-RateLimit", "RateLimit", "X-Rate-Limit")
_WORDS = ("rate", "retry-after", "usage")
# What later drafts have in one header: `limit=100, remaining=50, reset=30`, and then `"default";r=50;t=30`.
_LEFT = regex.compile(r"(?:^|[;,\s])(?:r|remaining)=(\d{1,12})(?=$|[;,\s])")
_RESET = regex.compile(r"(?:^|[;,\s])(?:t|reset)=(\d{1,12})(?=$|[;,\s])")
_LONGEST = 366 * 86_400.0  # seconds: what lies further ahead is no answer


class _Usage(BaseModel):
    """Shares of what Meta allows that are used up, in per cent, and the minutes until a call goes through.

    https://developers.facebook.com/docs/graph-api/overview/rate-limiting/
    """

    call_count: FiniteFloat = 0
    total_cputime: FiniteFloat = 0
    total_time: FiniteFloat = 0
    estimated_time_to_regain_access: FiniteFloat = 0


_BUSINESS = TypeAdapter(dict[str, list[_Usage]])


def quota(headers: Mapping[str, str], now: datetime | None = None) -> Quota | None:
    """Return what an answer's headers (in any case) tell about the allowance, None where they tell nothing.

    Where they tell of several limits, it is the one that leaves least.
    """
    told = {name.lower(): value.strip() for name, value in headers.items()}
    if not any(word in name for name in told for word in _WORDS):  # most answers, of most platforms
        return None
    now = now or datetime.now(UTC)
    found = [*_waiting(told, now), *_counted(told, now), *_listed(told, now), *_used(told, now)]
    return min(found, key=lambda each: each.remaining, default=None)


def _waiting(told: Mapping[str, str], now: datetime) -> Iterator[Quota]:
    until = _after(seconds(told.get("retry-after", ""), now), now)
    if until is not None and until > now:  # some write 0 on every answer
        yield Quota(0, until)


def _counted(told: Mapping[str, str], now: datetime) -> Iterator[Quota]:
    for family in _FAMILIES:
        left = told.get(f"{family}-Remaining".lower(), "")
        if regex.fullmatch(r"\d{1,12}(\.\d*)?", left):  # Reddit writes 599.0
            yield Quota(int(float(left)), _first_reset(told, family, now))


def _first_reset(told: Mapping[str, str], family: str, now: datetime) -> datetime | None:
    words = (told.get(f"{family}-{each}".lower(), "") for each in ("Reset-After", "Reset"))
    return next((at for each in words if (at := _after(seconds(each, now), now)) is not None), None)


def _listed(told: Mapping[str, str], now: datetime) -> Iterator[Quota]:
    for policy in _policies(told.get("ratelimit", "")):
        if left := _LEFT.search(policy):
            reset = _RESET.search(policy)
            yield Quota(int(left[1]), _after(float(reset[1]) if reset else None, now))


def _policies(text: str) -> Iterable[str]:
    return [text] if regex.search(r"\bremaining=", text) else text.split(",")


def _used(told: Mapping[str, str], now: datetime) -> Iterator[Quota]:
    # A per cent is two calls or more there, so that what is left in per cent is never too many calls.
    for usage in (*_app(told.get("x-app-usage", "")), *_business(told.get("x-business-use-case-usage", ""))):
        wait = usage.estimated_time_to_regain_access
        most = max(usage.call_count, usage.total_cputime, usage.total_time)
        left = 0 if wait > 0 else int(max(0.0, 100 - most))
        yield Quota(left, _after(60 * wait if wait > 0 else None, now))


def _app(text: str) -> list[_Usage]:
    try:
        return [_Usage.model_validate_json(text)] if text else []
    except ValidationError:  # not what it was when this was written: then it tells nothing
        return []


def _business(text: str) -> list[_Usage]:
    try:
        return [each for some in _BUSINESS.validate_json(text).values() for each in some] if text else []
    except ValidationError:
        return []


def _after(wait: float | None, now: datetime) -> datetime | None:
    return None if wait is None or not -_LONGEST < wait < _LONGEST else now + timedelta(seconds=wait)
