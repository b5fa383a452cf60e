"""A picture or video -> its URN at LinkedIn: a place is asked for and filled, a video closed and waited for.

https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/images-api
https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/videos-api
"""

import time
from typing import Any
from urllib.parse import urlsplit

from connectors.base import Attempt, Media, Post, RejectedError, TemporaryError
from connectors.http import Http
from connectors.linkedin.answers import Asset, Upload
from connectors.linkedin.rest import key

_LIVES = 3_600  # seconds that an upload is used again; how long LinkedIn keeps one is not said
_PAUSE = 3.0
_INITIALIZE = {"action": "initializeUpload"}


def upload(http: Http, owner: str, media: Media, number: int, attempt: Attempt) -> str:
    """Return the URN of a picture or video, from this try or an earlier one; public only with a post."""
    name = f"media{number}"
    urn, _, at = attempt.kept.get(name, "").partition(" ")
    if not urn or time.time() - float(at) > _LIVES:
        urn = _video(http, owner, media) if media.moves else _picture(http, owner, media)
        attempt.keep(name, f"{urn} {time.time():.0f}")
    if media.moves:
        _wait(http, urn, media, attempt)
    return urn


def carried(http: Http, owner: str, post: Post, attempt: Attempt) -> dict[str, Any]:
    """Return the `content` that a post carries beside its text: pictures, a video or a link; {}: none."""
    files = [(upload(http, owner, each, n, attempt), each) for n, each in enumerate(post.media)]
    pictures = [{"id": urn, "altText": each.alt} for urn, each in files]
    if len(pictures) > 1:
        return {"content": {"multiImage": {"images": pictures}}}
    if pictures:
        return {"content": {"media": pictures[0]}}
    # LinkedIn fetches no title: without one there is no preview, and the link is in the text.
    linked = {"article": {"source": post.link, "title": post.subject}}
    return {"content": linked} if post.link and post.subject else {}


def _picture(http: Http, owner: str, media: Media) -> str:
    told = {"initializeUploadRequest": {"owner": owner}}
    place = http.ask("POST", "/rest/images", Upload, json=told, params=_INITIALIZE).value
    _put(http, place.url, media.data)
    return place.image


def _video(http: Http, owner: str, media: Media) -> str:
    told = {
        "owner": owner,
        "fileSizeBytes": len(media.data),
        "uploadCaptions": False,
        "uploadThumbnail": False,
    }
    asked = {"initializeUploadRequest": told}
    place = http.ask("POST", "/rest/videos", Upload, json=asked, params=_INITIALIZE).value
    parts = [_put(http, each.url, media.data[each.first : each.last + 1]) for each in place.instructions]
    done = {"video": place.video, "uploadToken": place.token, "uploadedPartIds": parts}
    http.fetch(
        "POST", "/rest/videos", json={"finalizeUploadRequest": done}, params={"action": "finalizeUpload"}
    )
    return place.video


def _put(http: Http, url: str, data: bytes) -> str:
    """Put bytes where LinkedIn said; return the name of the part. The token goes to LinkedIn alone."""
    address = urlsplit(url)
    ours = address.netloc == http.host or (address.hostname or "").endswith(".linkedin.com")
    carried = {"Authorization": str(http.session.headers["Authorization"])} if ours else {}
    storage = Http(f"{address.scheme}://{address.netloc}", carried, timeout=http.timeout)
    path = address._replace(scheme="", netloc="").geturl()
    try:
        stored = storage.fetch("PUT", path, data=data, headers={"Content-Type": "application/octet-stream"})
    finally:
        storage.close()
    return stored.headers.get("ETag", "").strip('"')


def _wait(http: Http, urn: str, media: Media, attempt: Attempt) -> None:
    while (status := http.ask("GET", f"/rest/videos/{key(urn)}", Asset).status) != "AVAILABLE":
        if status == "PROCESSING_FAILED":
            raise RejectedError(f"{http.host} could not work on video {media.name}.")
        if attempt.remaining() <= 0:
            raise TemporaryError(f"{http.host} has not finished with video {media.name} yet.")
        http.sleep(_PAUSE)
        attempt.keep("waits", status)  # a sign of life: working on a video takes longer than a lease
