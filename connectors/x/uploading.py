"""A picture or video -> its id at X: in one call, or a video piece by piece.

https://docs.x.com/x-api/media/quickstart/media-upload-chunked
"""

import time

from connectors.base import Attempt, Media, RejectedError, TemporaryError
from connectors.http import Http
from connectors.x.answers import Upload, Uploaded

_PIECE = 4_000_000  # bytes of a video in one call: 5 MB is the most
_LIVES = 82_800  # seconds: X forgets what no post uses after a day


def upload(http: Http, media: Media, number: int, attempt: Attempt) -> str:
    """Return the id of a picture or video, from this try or an earlier one; it is public only with a post."""
    name = f"media{number}"
    id, _, at = attempt.kept.get(name, "").partition(" ")
    if id and time.time() - float(at) < _LIVES:
        return id
    done = _video(http, media, attempt) if media.moves else _picture(http, media)
    if media.alt:
        told = {"id": done.id, "metadata": {"alt_text": {"text": media.alt}}}
        http.fetch("POST", "/2/media/metadata", json=told)
    attempt.keep(name, f"{done.id} {time.time():.0f}")
    return done.id


def _picture(http: Http, media: Media) -> Upload:
    kind = "tweet_gif" if media.type == "image/gif" else "tweet_image"
    file = {"media": (media.name, media.data, media.type)}
    return http.ask("POST", "/2/media/upload", Uploaded, files=file, data={"media_category": kind}).data


def _video(http: Http, media: Media, attempt: Attempt) -> Upload:
    told = {"media_category": "tweet_video", "media_type": media.type, "total_bytes": len(media.data)}
    id = http.ask("POST", "/2/media/upload/initialize", Uploaded, json=told).data.id
    for index, start in enumerate(range(0, len(media.data), _PIECE)):
        piece = {"media": (media.name, media.data[start : start + _PIECE], media.type)}
        http.fetch("POST", f"/2/media/upload/{id}/append", files=piece, data={"segment_index": index})
    done = http.ask("POST", f"/2/media/upload/{id}/finalize", Uploaded).data
    while done.processing_info.state in ("pending", "in_progress"):
        if attempt.remaining() <= 0:
            raise TemporaryError(f"{http.host} has not finished with video {media.name} yet.")
        http.sleep(min(done.processing_info.check_after_secs, 5.0))
        attempt.keep("video", done.id)  # a sign of life: working on a video takes longer than a lease
        done = http.ask("GET", "/2/media/upload", Uploaded, params={"media_id": id, "command": "STATUS"}).data
    if done.processing_info.state != "succeeded":
        raise RejectedError(f"{http.host} could not work on video {media.name}.")
    return done
