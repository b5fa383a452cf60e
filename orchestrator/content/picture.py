"""Bytes of a file or a rendered SVG -> a picture every channel understands, within bounds."""

import atexit
import base64
import re
import shutil
import tempfile
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from xml.etree import ElementTree

import resvg_py
from PIL import ImageFont

SIDE = 4_096  # pixels
PIXELS = 4_000_000
ELEMENTS = 3_000
# What a card needs. References (`use`, `pattern`, `mask`, `filter`) are left out: nested ones take for ever.
_TAGS = (
    "svg g defs rect circle ellipse line polyline polygon path text tspan image title desc "
    "linearGradient radialGradient stop clipPath"
)
# Phones keep photos and sounds in the boxes of MP4, too: https://mp4ra.org/registered-types/brands
_NO_FILM = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1", b"avif", b"avis", b"M4A ", b"M4B "})
_HREF = re.compile(r"""(href\s*=\s*)(["'])([^"']*)\2""")


class PictureError(ValueError):
    """These bytes make no picture; the message says what to put right."""


def kind(data: bytes) -> str:
    """Tell the MIME type of picture or video bytes by how they begin; raises `PictureError`."""
    for start, type_ in ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"),
                         (b"GIF8", "image/gif")):  # fmt: skip
        if data.startswith(start):
            return type_
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:8] == b"ftyp" and data[8:12] not in _NO_FILM:
        return "video/quicktime" if data[8:12] == b"qt  " else "video/mp4"
    raise PictureError("is no PNG, JPEG, GIF, WebP, MP4 or QuickTime")


def draw(svg: str, files: Mapping[str, bytes], fonts: Path) -> bytes:
    """Draw an SVG as PNG; `files` are the pack's pictures it may show, `fonts` a folder with its fonts."""
    _look(svg)
    return _draw(_HREF.sub(lambda found: _embed(found, files), svg), str(fonts) if fonts.is_dir() else "")


def _look(svg: str) -> None:
    """Refuse what could read a file, take for ever or fill the memory, before anything is drawn."""
    if re.search(r"<!(?!--)", svg) or "dasharray" in svg:
        raise PictureError("may hold no document type, CDATA or dashes")
    try:
        root = ElementTree.fromstring(svg)  # noqa: S314  (no document type: no entities to expand)
    except ElementTree.ParseError as error:
        raise PictureError(f"is not well-formed: {error}") from error
    tags = [str(each.tag).rpartition("}")[2] for each in root.iter()]
    if tags[0] != "svg" or len(tags) > ELEMENTS:
        raise PictureError(f"must be one <svg> with at most {ELEMENTS:,} elements")
    strange = sorted(set(tags) - set(_TAGS.split()))
    if strange:
        raise PictureError(f"<{strange[0]}> cannot be used in a card; there are: {_TAGS}")
    _size(root.get("width", ""), root.get("height", ""))


def _size(width: str, height: str) -> None:
    if not (re.fullmatch(r"[1-9]\d{0,3}", width) and re.fullmatch(r"[1-9]\d{0,3}", height)):
        raise PictureError("needs a width and a height in whole pixels")
    if max(int(width), int(height)) > SIDE or int(width) * int(height) > PIXELS:
        raise PictureError(f"is {width} x {height}; at most {SIDE} a side and {PIXELS:,} pixels")


def _embed(found: re.Match[str], files: Mapping[str, bytes]) -> str:
    name = found[3]
    if name.startswith("#"):
        return found[0]
    if name not in files:
        raise PictureError(f"shows {name!r}, which is no picture of this pack")
    data = files[name]
    return f"{found[1]}{found[2]}data:{kind(data)};base64,{base64.b64encode(data).decode()}{found[2]}"


@lru_cache(maxsize=64)
def _draw(svg: str, fonts: str) -> bytes:
    # One font travels with Pillow (Aileron, public domain: https://dotcolon.net/fonts/aileron), so plain
    # letters look the same on every machine, those without fonts too; other letters come from the pack's or
    # the system's fonts.
    try:
        return resvg_py.svg_to_bytes(
            svg_string=svg,
            skip_system_fonts=svg.isascii(),
            font_files=[_own_font()],
            font_dirs=[fonts] if fonts else None,
            font_family="Aileron",
            sans_serif_family="Aileron",
        )
    except ValueError as error:
        raise PictureError(f"cannot be drawn: {error}") from error


@cache
def _own_font() -> str:
    font = ImageFont.load_default(20)
    assert isinstance(font, ImageFont.FreeTypeFont)
    folder = tempfile.mkdtemp(prefix="orchestrator-font-")  # the drawing takes fonts by their path only
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = Path(folder) / "aileron.ttf"
    path.write_bytes(font.font_bytes)
    return str(path)
