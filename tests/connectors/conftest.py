"""What the tests of connectors share: pictures, a platform by script, and no pauses."""

import io
from collections.abc import Callable, Iterator

import pytest
from PIL import Image

from connectors.base import Media
from connectors.contract import Answer, Platform, Route
from connectors.http import Http


@pytest.fixture
def platform() -> Iterator[Platform]:
    """Give a platform that knows nothing yet."""
    stage = Platform({})
    yield stage
    stage.stop()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let pauses take no time, and tell how long they would have been."""
    taken: list[float] = []
    monkeypatch.setattr(Http, "sleep", staticmethod(taken.append))
    return taken


@pytest.fixture
def in_turn() -> Callable[..., Route]:
    """Give a maker of a route that answers otherwise at each call; the last answer stays."""

    def turns(*answers: Answer) -> Route:
        left = list(answers)
        return lambda asked: left.pop(0) if len(left) > 1 else left[0]

    return turns


def picture(kind: str = "PNG", size: tuple[int, int] = (40, 30), colour: str = "teal") -> Media:
    """Draw a picture of one colour."""
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, kind)
    return Media(f"{colour}.{kind.lower()}", f"image/{kind.lower()}", f"a {colour} card", out.getvalue())
