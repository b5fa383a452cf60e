"""The bytes of a video -> what it is, how long and in which shape, held against what a platform takes.

MP4 and QuickTime are boxes in boxes: ISO/IEC 14496-12, https://www.iso.org/standard/83102.html, and
https://developer.apple.com/documentation/quicktime-file-format. Two facts do not need a library of 30 MB.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from connectors.base import Capabilities, Media, RejectedError, Video

READ = frozenset({"video/mp4", "video/quicktime"})  # WebM is made of other boxes: nobody looks into it here
_QUICKTIME = b"qt  "
_HALF = 0.5  # pixel
_UNKNOWN = {4: 2**32 - 1, 8: 2**64 - 1}  # what a length says that is not known (8.2.2.3), by its bytes


@dataclass(frozen=True)
class Film:
    """What the bytes of a video are: MIME type, length where it says so, width and height as it is shown.

    `frames` is how many pictures it shows in a second, on average, where it says so.
    """

    type: str
    seconds: float | None
    width: int
    height: int
    frames: float | None = None


@dataclass(frozen=True)
class _Box:
    kind: bytes
    inside: memoryview


def film(media: Media) -> Film:
    """Read what a video is from its bytes; raise `RejectedError` where they are no whole video."""
    try:
        boxes = list(_boxes(memoryview(media.data)))
        kind = "video/quicktime" if bytes(_first(boxes, b"ftyp")[:4]) == _QUICKTIME else "video/mp4"
        parts = list(_boxes(_first(boxes, b"moov")))
        track = next(each for each in parts if all(_shown(each)))
        return Film(kind, _seconds(parts), *_shown(track), _frames(track))
    except (struct.error, StopIteration, ZeroDivisionError) as error:
        raise RejectedError(f"video {media.name} is not a whole video that can be read") from error


def misfits(media: Media, limits: Capabilities) -> list[str]:
    """Say what about a video a platform would refuse: its type, length and shape, where it says something."""
    takes = limits.video
    if takes is None or media.type not in READ:
        return []
    if not (takes.seconds or takes.aspect or takes.pixels or takes.frames):
        return []
    try:
        return list(_wrong(media, film(media), takes))
    except RejectedError as error:
        return [str(error)]


def _wrong(media: Media, found: Film, takes: Video) -> Iterator[str]:
    if found.type != media.type and found.type not in takes.types:
        yield f"video {media.name} says it is {media.type}, but its bytes are {found.type}"
    if takes.seconds and found.seconds is not None:
        low, high = takes.seconds
        if not low <= found.seconds <= high:
            lasts = f"{found.seconds:.4g} seconds long"
            yield f"video {media.name} is {lasts}; this channel takes {low:g} to {high:g}"
    if takes.aspect:
        low, high = takes.aspect
        # Whole pixels cannot always give the exact share: half a pixel is let through.
        if not low - _HALF / found.height <= found.width / found.height <= high + _HALF / found.height:
            yield (
                f"video {media.name} is {found.width} x {found.height}; this channel takes a width of "
                f"{low:.3g} to {high:.3g} times the height"
            )
    yield from _too_dense(media, found, takes)


def _too_dense(media: Media, found: Film, takes: Video) -> Iterator[str]:
    if takes.pixels and found.width * found.height > takes.pixels:
        yield (
            f"video {media.name} is {found.width} x {found.height}; "
            f"this channel takes at most {takes.pixels} pixels"
        )
    # A rate that is not quite whole (119.88, 120.01) is let through, as servers do.
    if takes.frames and found.frames and int(found.frames) > takes.frames:
        yield (
            f"video {media.name} shows {found.frames:.4g} pictures a second; "
            f"this channel takes at most {takes.frames}"
        )


# ---- boxes ------------------------------------------------------------------------------------


def _boxes(data: memoryview) -> Iterator[_Box]:
    """Yield the boxes side by side in `data` (4.2); raises `struct.error` where one is longer than that."""
    at = 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        begin = at + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, begin)
            begin += 8
        end = at + size if size else len(data)  # 0: to the end
        if not begin <= end <= len(data):
            raise struct.error("a box that does not fit")
        yield _Box(kind, data[begin:end])
        at = end


def _first(boxes: list[_Box], kind: bytes) -> memoryview:
    return next(each.inside for each in boxes if each.kind == kind)


def _seconds(parts: list[_Box]) -> float | None:
    """Read the length of the whole (8.2.2); one in fragments has it elsewhere, or nowhere (8.8.2)."""
    scale, length, unknown = _times(_first(parts, b"mvhd"))
    for each in parts:
        if each.kind == b"mvex" and not length:
            length = _fragments(list(_boxes(each.inside)))
    return length / scale if length and length != unknown else None


def _times(header: memoryview) -> tuple[int, int, int]:
    """Read a header's parts of a second, its length in them, and what that says where it is not known."""
    wide = 8 if header[0] == 1 else 4
    scale, length = struct.unpack_from(">IQ" if wide == 8 else ">II", header, 4 + 2 * wide)
    return scale, length, _UNKNOWN[wide]


def _fragments(parts: list[_Box]) -> int:
    header = next((each.inside for each in parts if each.kind == b"mehd"), None)
    if header is None:
        return 0
    (length,) = struct.unpack_from(">Q" if header[0] == 1 else ">I", header, 4)
    return int(length)


def _shown(part: _Box) -> tuple[int, int]:
    """Read how large a picture track is shown, turned as it says (8.3.2); (0, 0): it is none."""
    if part.kind != b"trak":
        return 0, 0
    boxes = list(_boxes(part.inside))
    if bytes(_first(list(_boxes(_first(boxes, b"mdia"))), b"hdlr")[8:12]) != b"vide":
        return 0, 0
    header = _first(boxes, b"tkhd")
    a, _, _, _, d, *_, width, height = struct.unpack_from(">11i", header, 52 if header[0] == 1 else 40)
    size = abs(width) >> 16, abs(height) >> 16
    return (size[1], size[0]) if a == d == 0 else size


def _frames(track: _Box) -> float | None:
    """Read how many pictures a second a track shows, by how long each stands (8.6.1.2); None: not said."""
    try:
        header = _inside(track.inside, b"mdia", b"mdhd")
        table = _inside(track.inside, b"mdia", b"minf", b"stbl", b"stts")
        if header is None or table is None:
            return None
        scale = _times(header)[0]
        runs = list(struct.iter_unpack(">II", table[8 : 8 + 8 * struct.unpack_from(">I", table, 4)[0]]))
    except (struct.error, IndexError):  # what is not known is the platform's to judge
        return None
    lasts = sum(count * each for count, each in runs)
    return scale * sum(count for count, _ in runs) / lasts if lasts else None


def _inside(data: memoryview, *kinds: bytes) -> memoryview | None:
    for kind in kinds:
        found = [each.inside for each in _boxes(data) if each.kind == kind]
        if not found:
            return None
        data = found[0]
    return data
