"""A video -> a resumable upload, at an address of its own; its last piece is what makes the video be there.

https://developers.google.com/youtube/v3/guides/using_resumable_upload_protocol
"""

import re
from typing import Any
from urllib.parse import urlsplit

from connectors.base import Attempt, Media, Post, TemporaryError, UncertainError
from connectors.youtube.answers import Line, Thing

_PIECE = 8 * 262_144  # bytes: pieces are multiples of 256 KiB


def opened(http: Line, post: Post, status: dict[str, str]) -> str:
    """Announce a video, and return the address of its upload; nothing is there before its last piece."""
    [video] = post.media
    told = {"title": post.subject, "description": post.text}
    if post.language:
        told["defaultLanguage"] = post.language
    headers = {"X-Upload-Content-Length": str(len(video.data)), "X-Upload-Content-Type": video.type}
    asked = {"uploadType": "resumable", "part": "snippet,status"}
    path = "/resumable/upload/youtube/v3/videos"
    body = {"snippet": told, "status": status}
    response = http.fetch("POST", path, params=asked, json=body, headers=headers)
    if not response.headers.get("Location"):
        raise TemporaryError("YouTube gave no address for the upload.")
    return response.headers["Location"]


class Upload:
    """One upload at its address, with a line of its own that is let go at the end."""

    def __init__(self, address: str, http: Line) -> None:
        where = urlsplit(address)
        bearer = {"Authorization": str(http.session.headers["Authorization"])}
        self._line = Line(f"{where.scheme}://{where.netloc}", bearer, http.timeout)
        self._path = where._replace(scheme="", netloc="").geturl()

    def __enter__(self) -> "Upload":
        return self

    def __exit__(self, *why: object) -> None:
        self._line.close()

    def send(self, video: Media, attempt: Attempt) -> Thing:
        """Send what YouTube does not have yet; one that is finished must not be sent again."""
        line, size = self._line, len(video.data)
        start = self._sent(size)
        last = max(start, (size - 1) // _PIECE * _PIECE)
        for at in range(start, last, _PIECE):
            line.fetch("PUT", self._path, **_piece(video, at, min(at + _PIECE, last)))
            attempt.keep("uploaded", str(at))  # a sign of life
        response = line.commit(attempt, "PUT", self._path, **_piece(video, last, size))
        if response.status_code == 308:
            raise UncertainError("YouTube did not say that it has the whole video.")
        return line.accepted(response, Thing)

    def made(self, size: int) -> str:
        """Return what the video of a finished upload is called, "" where some of it is missing."""
        response = self._line.fetch("PUT", self._path, headers={"Content-Range": f"bytes */{size}"})
        return "" if response.status_code == 308 else self._line.told(response)

    def _sent(self, size: int) -> int:
        response = self._line.fetch("PUT", self._path, headers={"Content-Range": f"bytes */{size}"})
        if response.status_code != 308:
            raise UncertainError("YouTube says that this upload is finished.")
        found = re.fullmatch(r"bytes=0-(\d+)", response.headers.get("Range", ""))
        return int(found[1]) + 1 if found else 0


def _piece(video: Media, start: int, end: int) -> dict[str, Any]:
    size = len(video.data)
    headers = {"Content-Type": video.type, "Content-Range": f"bytes {start}-{end - 1}/{size}"}
    return {"data": video.data[start:end], "headers": headers}
