"""What the tests of connectors share: pictures, a platform by script, and no pauses."""

import io
import struct
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


_UPRIGHT, _TURNED = (1, 0, 0, 0, 1, 0, 0, 0, 1), (0, 1, 0, -1, 0, 0, 0, 0, 1)


def box(kind: str, *inside: bytes) -> bytes:
    """Write a box as MP4 has them: its length, its kind, what is inside (ISO/IEC 14496-12, 4.2)."""
    data = b"".join(inside)
    return struct.pack(">I4s", len(data) + 8, kind.encode()) + data


def clip(
    seconds: float = 10.0, size: tuple[int, int] = (640, 480), *, turned: bool = False, brand: str = "isom",
    filled: int = 8, rate: int = 0,
) -> Media:  # fmt: skip
    """Write the boxes that say what an MP4 is, and bytes that mean nothing where its pictures would be.

    `rate` is how many pictures it shows in a second, 0: it does not say.
    """
    length = round(seconds * 1_000)
    matrix = [each << 16 for each in (_TURNED if turned else _UPRIGHT)]
    header = struct.pack(">6I8x8x9i2i", 0, 0, 0, 1, 0, length, *matrix, size[0] << 16, size[1] << 16)
    handled, table = box("hdlr", bytes(8), b"vide"), struct.pack(">4I", 0, 1, round(seconds * rate), 1)
    paced = box("mdhd", struct.pack(">5I4x", 0, 0, 0, rate, 0)), box("minf", box("stbl", box("stts", table)))
    track = box("trak", box("tkhd", header), box("mdia", handled, *(paced if rate else ())))
    movie = box("moov", box("mvhd", struct.pack(">5I80x", 0, 0, 0, 1_000, length)), track)
    data = box("ftyp", brand.encode(), bytes(4)) + movie + box("mdat", b"0" * filled)
    return Media("v.mp4", "video/mp4", "it turns", data)
