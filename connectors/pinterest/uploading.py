"""A video -> its id at Pinterest: registered, sent to the storage that Pinterest names, and waited for.

https://developers.pinterest.com/docs/work-with-organic-content-and-users/create-boards-and-pins/
"""

import time

from connectors.base import Attempt, Media, RejectedError, TemporaryError
from connectors.http import Http
from connectors.pinterest.answers import Upload, Video

_LIVES = 3_600  # seconds that an uploaded video is used again; how long Pinterest keeps it is not said
_PAUSE = 5.0


def upload(http: Http, media: Media, attempt: Attempt) -> str:
    """Return the id of a video, from this try or an earlier one; it is public only with a pin."""
    id, _, at = attempt.kept.get("video", "").partition(" ")
    if not id or time.time() - float(at) > _LIVES:
        id = _sent(http, media)
        attempt.keep("video", f"{id} {time.time():.0f}")
    while (status := http.ask("GET", f"/v5/media/{id}", Video).status) in ("registered", "processing"):
        if attempt.remaining() <= 0:
            raise TemporaryError(f"{http.host} has not finished with video {media.name} yet.")
        http.sleep(_PAUSE)
        attempt.keep("waits", status)  # a sign of life: working on a video takes longer than a lease
    if status != "succeeded":
        attempt.keep("video", "")
        raise RejectedError(f"{http.host} could not work on video {media.name}.")
    return id


def _sent(http: Http, media: Media) -> str:
    where = http.ask("POST", "/v5/media", Upload, json={"media_type": "video"})
    storage = Http(where.upload_url, timeout=http.timeout)
    storage.secrets |= set(where.upload_parameters.values())
    try:
        file = {"file": (media.name, media.data, media.type)}
        storage.fetch("POST", "/", data=where.upload_parameters, files=file)
    finally:
        storage.close()
    return where.media_id
