"""A video -> its pieces at the address that TikTok names, the last of which publishes it; or pictures.

https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide
"""

from typing import Any
from urllib.parse import urlsplit

from connectors.base import Attempt, Media, Post, UncertainError
from connectors.tiktok.answers import Line

_WHOLE, _PIECE = 64_000_000, 10_000_000  # bytes: what goes in one piece, and the pieces of what is larger


def source(video: Media) -> dict[str, Any]:
    """Say in which pieces a video will come."""
    size, piece = len(video.data), _piece(video)
    pieces = {"chunk_size": piece, "total_chunk_count": size // piece}
    return {"source": "FILE_UPLOAD", "video_size": size, **pieces}


def pictures(post: Post, shown: dict[str, str | bool]) -> dict[str, Any]:
    """Say pictures as TikTok is told them: where it fetches them, and who may see them."""
    words = {name: said for name, said in (("title", post.subject), ("description", post.text)) if said}
    urls = [each.url for each in post.media]
    return {
        "media_type": "PHOTO",
        "post_mode": "DIRECT_POST",
        "post_info": {**words, **shown},
        "source_info": {"source": "PULL_FROM_URL", "photo_cover_index": 0, "photo_images": urls},
    }


def send(video: Media, place: str, attempt: Attempt, timeout: float) -> None:
    """Send the pieces, one after the other; the last is as long as what is left."""
    address = urlsplit(place)
    line = Line(f"{address.scheme}://{address.netloc}", timeout=timeout)
    path, size, piece = address._replace(scheme="", netloc="").geturl(), len(video.data), _piece(video)
    starts = [number * piece for number in range(size // piece)]
    try:
        for start in starts[:-1]:
            line.fetch("PUT", path, **_part(video, start, start + piece))
            attempt.keep("uploaded", str(start + piece))  # a sign of life
        response = line.commit(attempt, "PUT", path, **_part(video, starts[-1], size))
        if response.status_code != 201:  # "201: all parts are uploaded"
            raise UncertainError(f"{line.host} did not say that it has the whole video.")
    finally:
        line.close()


def _piece(video: Media) -> int:
    return len(video.data) if len(video.data) <= _WHOLE else _PIECE


def _part(video: Media, start: int, end: int) -> dict[str, Any]:
    size = len(video.data)
    headers = {"Content-Type": video.type, "Content-Range": f"bytes {start}-{end - 1}/{size}"}
    return {"data": video.data[start:end], "headers": headers}
