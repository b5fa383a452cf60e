"""The bytes of a picture become facts about it, and a picture that a platform takes."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace

from PIL import Image, ImageOps, UnidentifiedImageError

from connectors.base import Capabilities, Media, RejectedError
from connectors.media import jpeg

# The smallest limit we know of: image_matrix_limit, https://docs.joinmastodon.org/entities/Instance/
MOST_PIXELS = 33_177_600
_QUALITIES = (90, 80, 70)
_HALF = 0.5  # pixel
_SMALLEST = 64  # pixels: below that a picture shows nothing
_UNREADABLE = (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError)
_WRITTEN, _LOSSLESS = frozenset({"image/png", "image/jpeg"}), frozenset({"image/png"})
_NO = ", and its pack says `fit: no`"
_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
# What Pillow keeps of a file beside its pixels and does not tell about the person who took it.
_HARMLESS = frozenset({"jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi", "gamma", "progressive",
                       "progression", "icc_profile", "transparency", "srgb", "chromaticity", "background",
                       "loop", "duration", "timestamp", "interlace", "version", "extension", "aspect",
                       "adobe", "adobe_transform", "default_image"})  # fmt: skip


@dataclass(frozen=True)
class Facts:
    """What the bytes of a picture are: MIME type, width and height in pixels, size in bytes."""

    type: str
    width: int
    height: int
    size: int
    moving: bool


def facts(media: Media) -> Facts:
    """Read what a picture is from its bytes; raise `RejectedError` where they are no picture."""
    with _opened(media) as image:
        # Phones put a second picture behind the JPEG (MPO); to everybody else the file is a JPEG.
        kind = "image/jpeg" if image.format == "MPO" else Image.MIME.get(image.format or "", "")
        moving = kind != "image/jpeg" and getattr(image, "n_frames", 1) > 1
        size = (image.height, image.width) if _lies(media, image) else (image.width, image.height)
        return Facts(kind, *size, len(media.data), moving)


def _lies(media: Media, image: Image.Image) -> bool:
    """Say whether it is shown turned by a quarter."""
    return _turn(media, image) in (5, 6, 7, 8)


def _turned(media: Media) -> bool:
    with _opened(media) as image:
        return _turn(media, image) != 1


def _turn(media: Media, image: Image.Image) -> int:
    """Read how it is turned when it is shown: https://exiftool.org/TagNames/EXIF.html (Orientation)"""
    try:
        return int(image.getexif().get(0x0112, 1))
    except _UNREADABLE as error:
        raise RejectedError(f"picture {media.name} is not a picture that can be read") from error


def problems(media: Media) -> list[str]:
    """Say what is wrong with a picture whatever the platform; videos are not looked into."""
    if not media.type.startswith("image/"):
        return []
    try:
        found = facts(media)
    except RejectedError as error:
        return [str(error)]
    if found.type != media.type:
        return [f"picture {media.name} says it is {media.type}, but its bytes are {found.type}"]
    return []


def misfits(media: Media, limits: Capabilities) -> list[str]:
    """Say what about a picture no other size or type would put right: its shape.

    Of one that may not be made anew, also that it shows too much; its type and bytes hold everywhere.
    """
    shaped = limits.media_sides or limits.media_aspect
    if not media.type.startswith("image/") or (media.fit and not shaped):
        return []
    try:
        found = facts(media)
        return [*_shape(media, found, limits), *(() if media.fit else _too_much(media, found, limits))]
    except RejectedError as error:
        return [str(error)]


def fit(media: Media, limits: Capabilities) -> Media:
    """Return the picture as a platform takes it; nothing is ever cut off or added at the sides."""
    wrong = problems(media)
    if wrong:
        raise RejectedError(wrong[0])
    if not media.type.startswith("image/"):
        return media
    found = facts(media)
    for sentence in _shape(media, found, limits):
        raise RejectedError(sentence)
    if found.moving:
        return _moving(media, found, limits)
    if not media.fit:
        return _as_it_is(media, found, limits)
    if _fits(found, limits):
        return _silent(media, found) or _made_anew(media, limits)
    return _made_anew(media, limits)


def _as_it_is(media: Media, found: Facts, limits: Capabilities) -> Media:
    """Return the picture as its author gave it, without EXIF; it is not made to fit."""
    for sentence in (*_too_large(media, found, limits), *_too_much(media, found, limits)):
        raise RejectedError(sentence)
    made = _silent(media, found)
    if made is None:  # turned by its EXIF, or no JPEG: its pixels are written again
        kinds = frozenset({found.type}) & _WRITTEN or _LOSSLESS
        made = _made_anew(media, replace(limits, media_types=kinds, media_bytes=None))
    for sentence in _too_large(made, facts(made), limits):
        raise RejectedError(f"without what it tells of its author, {sentence}")
    return made


def _silent(media: Media, found: Facts) -> Media | None:
    """Return the very same picture that tells nothing beside itself; None where it has to be made anew."""
    if not _tells(media):
        return media
    if found.type != "image/jpeg" or _turned(media):
        return None
    try:
        made = replace(media, data=jpeg.bare(media.data))
        return None if _tells(made) else made
    except (jpeg.NotWholeError, RejectedError):
        return None


def _too_large(media: Media, found: Facts, limits: Capabilities) -> Iterator[str]:
    if limits.media_types and found.type not in limits.media_types:
        yield f"picture {media.name} is {found.type}, which this channel does not take{_NO}"
    if limits.media_bytes is not None and found.size > limits.media_bytes:
        yield f"picture {media.name} has {found.size} bytes, the limit is {limits.media_bytes}{_NO}"


def _too_much(media: Media, found: Facts, limits: Capabilities) -> Iterator[str]:
    told = f"picture {media.name} is {found.width} x {found.height}; this channel takes"
    if found.width * found.height > _most(limits):
        yield f"{told} at most {_most(limits)} pixels{_NO}"
    if max(found.width, found.height) > _longest(limits):
        yield f"{told} sides of at most {_longest(limits)} pixels{_NO}"


def _moving(media: Media, found: Facts, limits: Capabilities) -> Media:
    if _fits(found, limits):
        return media
    raise RejectedError(f"picture {media.name} moves and is too large or of a type that is not taken")


def _fits(found: Facts, limits: Capabilities) -> bool:
    small = limits.media_bytes is None or found.size <= limits.media_bytes
    taken = not limits.media_types or found.type in limits.media_types
    dense = found.width * found.height > _most(limits)
    return small and taken and not dense and max(found.width, found.height) <= _longest(limits)


def _shape(media: Media, found: Facts, limits: Capabilities) -> Iterator[str]:
    if limits.media_sides and min(found.width, found.height) < limits.media_sides[0]:
        yield (
            f"picture {media.name} is {found.width} x {found.height}, "
            f"too small for this channel: no side may be below {limits.media_sides[0]} pixels"
        )
    if limits.media_aspect:
        low, high = limits.media_aspect
        # Whole pixels cannot always give the exact share: half a pixel is let through.
        if not low - _HALF / found.height <= found.width / found.height <= high + _HALF / found.height:
            yield (
                f"picture {media.name} is {found.width} x {found.height}; this channel takes a width of "
                f"{low:g} to {high:g} times the height: cut it, or choose another"
            )


def _longest(limits: Capabilities) -> int:
    return limits.media_sides[1] if limits.media_sides else MOST_PIXELS


def _most(limits: Capabilities) -> int:
    return MOST_PIXELS if limits.media_pixels is None else limits.media_pixels


def _tells(media: Media) -> bool:
    """Say whether the file carries more than its pixels: where it was taken, with what, by whom."""
    with _opened(media, whole=True) as image:
        return bool(image.getexif()) or not set(image.info) <= _HARMLESS


def _made_anew(media: Media, limits: Capabilities) -> Media:
    with _opened(media, whole=True) as image:
        profile = image.info.get("icc_profile")
        upright = _within(ImageOps.exif_transpose(image), _most(limits), _longest(limits))
    for kind, data in _versions(upright, _types(media, limits), profile):
        if limits.media_bytes is None or len(data) <= limits.media_bytes:
            return replace(media, type=kind, data=data)
    raise RejectedError(f"picture {media.name} cannot be made small enough for this channel")


def _types(media: Media, limits: Capabilities) -> list[str]:
    """Order the types to try: as it is, then PNG and JPEG, of what the platform takes."""
    wanted = dict.fromkeys([media.type, "image/png", "image/jpeg"])
    ours = [kind for kind in wanted if kind in ("image/png", "image/jpeg")]
    taken = [kind for kind in ours if not limits.media_types or kind in limits.media_types]
    if not taken:
        raise RejectedError(f"picture {media.name} is {media.type}, which this channel does not take")
    return taken


def _versions(image: Image.Image, types: list[str], profile: bytes | None) -> Iterator[tuple[str, bytes]]:
    """Yield the picture as files, the best first: each type and quality, then smaller and smaller."""
    while min(image.size) > 0:
        for kind in types:
            for quality in _QUALITIES if kind == "image/jpeg" else _QUALITIES[:1]:
                yield kind, _file(image, kind, quality, profile)
        if max(image.size) <= _SMALLEST:
            return
        image = image.resize((max(1, image.width * 3 // 4), max(1, image.height * 3 // 4)))


def _file(image: Image.Image, kind: str, quality: int, profile: bytes | None) -> bytes:
    bare = image.copy()
    bare.info = {}  # Pillow writes a comment it has read into the new file
    out = io.BytesIO()
    if kind == "image/png":
        bare.save(out, "PNG", optimize=True, icc_profile=profile)
    else:
        _opaque(bare).save(out, "JPEG", quality=quality, optimize=True, icc_profile=profile)
    return out.getvalue()


def _opaque(image: Image.Image) -> Image.Image:
    """Put what is see-through on white, since JPEG has no transparency."""
    if image.mode in ("RGB", "L", "CMYK"):
        return image
    clear = image.convert("RGBA")
    ground = Image.new("RGBA", clear.size, "white")
    return Image.alpha_composite(ground, clear).convert("RGB")


def _within(image: Image.Image, pixels: int, side: int) -> Image.Image:
    share = min((pixels / (image.width * image.height)) ** 0.5, side / max(image.size))
    if share >= 1:
        return image
    return image.resize((max(1, int(image.width * share)), max(1, int(image.height * share))))


def _opened(media: Media, whole: bool = False) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(media.data), formats=("JPEG", "PNG", "GIF", "WEBP"))
        if whole:
            image.load()
    except _BOMBS as error:
        raise RejectedError(f"picture {media.name} has too many pixels to be looked at") from error
    except _UNREADABLE as error:
        raise RejectedError(f"picture {media.name} is not a picture that can be read") from error
    return image
