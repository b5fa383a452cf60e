"""A JPEG that tells more than it shows -> the very same picture without that: nothing is encoded anew.

A file is segments, each a marker with its length: ITU-T T.81, B.1, https://www.w3.org/Graphics/JPEG/itu-t81.pdf
"""

import struct
from collections.abc import Iterator

_START, _END, _SCAN = b"\xff\xd8", 0xD9, 0xDA
# What shows nothing: APP1 to APP15 (EXIF, XMP, places, thumbnails, makers' notes) and comments; but APP2 may
# hold the colours' profile, and APP14 says how Adobe coded them.
_TELLING = frozenset({*range(0xE1, 0xF0), 0xFE}) - {0xE2, 0xEE}
_APP2, _PROFILE = 0xE2, b"ICC_PROFILE\0"
_IN_DATA = frozenset({0x00, *range(0xD0, 0xD8)})  # a byte 255 itself, and marks to start again (B.1.1.3)


class NotWholeError(ValueError):
    """The bytes are no JPEG from start to end."""


def bare(data: bytes) -> bytes:
    """Return the file without what it tells beside its picture; `NotWholeError` where it cannot be read."""
    if not data.startswith(_START):
        raise NotWholeError("no JPEG")
    try:
        return _START + b"".join(_kept(data)) + bytes((0xFF, _END))
    except (struct.error, IndexError, ValueError) as error:
        raise NotWholeError("not whole") from error


def _kept(data: bytes) -> Iterator[bytes]:
    """Yield the segments that are kept; what stands behind the end (second pictures, films) is not."""
    at = len(_START)
    while True:
        if data[at] != 0xFF:
            raise NotWholeError("no marker")
        kind = data[at + 1]
        if kind == 0xFF:  # filling
            at += 1
            continue
        if kind == _END:
            return
        end = at + 2 + int(struct.unpack_from(">H", data, at + 2)[0])
        if kind == _SCAN:
            end = _past_scan(data, end)
        if kind not in _TELLING and (kind != _APP2 or data.startswith(_PROFILE, at + 4)):
            yield data[at:end]
        at = end


def _past_scan(data: bytes, at: int) -> int:
    """Return where the coded data of a scan ends: at the next marker that does not belong to it."""
    while True:
        at = data.index(b"\xff", at)
        if data[at + 1] == 0xFF:
            at += 1
        elif data[at + 1] in _IN_DATA:
            at += 2
        else:
            return at
