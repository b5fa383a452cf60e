"""The bytes of pictures and videos become facts about them, and a picture that a platform takes."""

from connectors.base import Capabilities, Media, RejectedError
from connectors.media import picture, video
from connectors.media.picture import MOST_PIXELS, Facts, facts, problems
from connectors.media.video import Film, film

__all__ = ["MOST_PIXELS", "Facts", "Film", "facts", "film", "fit", "misfits", "problems"]


def misfits(media: Media, limits: Capabilities) -> list[str]:
    """Say what about a picture or video no other size or type would put right: its shape, its length."""
    return video.misfits(media, limits) if media.moves else picture.misfits(media, limits)


def fit(media: Media, limits: Capabilities) -> Media:
    """Return the picture as a platform takes it: upright, without EXIF, in its types, small enough.

    One that fits already comes back unchanged, byte for byte, and so does a video: nothing is cut off, added
    or made anew of that. What a picture tells beside itself (EXIF) is always taken out, without loss where
    that can be. Raises `RejectedError` where nothing helps, or where it may not be made anew to fit.
    """
    for sentence in video.misfits(media, limits) if media.moves else ():
        raise RejectedError(sentence)
    return picture.fit(media, limits)
