"""A picture or video -> what Facebook calls it; nobody sees it before the one request that publishes.

https://developers.facebook.com/docs/graph-api/reference/page/photos/
https://developers.facebook.com/docs/graph-api/reference/page/videos/
"""

import time

from connectors.base import Attempt, Media
from connectors.facebook.answers import Session
from connectors.meta import VERSION, Graph, Made

_LIVES = 72_000  # seconds: a picture that no post uses is gone after a day


def photo(http: Graph, page: str, media: Media, number: int, attempt: Attempt) -> str:
    """Return the id of a picture that is not public, from this try or an earlier one."""
    name = f"photo{number}"
    id, _, at = attempt.kept.get(name, "").partition(" ")
    if id and time.time() - float(at) < _LIVES:
        return id
    told = {"published": "false", "temporary": "true", "alt_text_custom": media.alt}
    file = {"source": (media.name, media.data, media.type)}
    id = http.ask("POST", f"/{VERSION}/{page}/photos", Made, data=told, files=file).id
    attempt.keep(name, f"{id} {time.time():.0f}")
    return id


def video(http: Graph, page: str, media: Media, attempt: Attempt) -> Session:
    """Upload a video, and keep what it is called; it is public only with the last step."""
    path = f"/{VERSION}/{page}/videos"
    told = {"upload_phase": "start", "file_size": str(len(media.data))}
    session = http.ask("POST", path, Session, data=told)
    attempt.keep("video", session.video_id)
    wanted = session
    while wanted.start_offset < wanted.end_offset:
        piece = media.data[wanted.start_offset : wanted.end_offset]
        told = {
            "upload_phase": "transfer",
            "upload_session_id": session.upload_session_id,
            "start_offset": str(wanted.start_offset),
        }
        file = {"video_file_chunk": (media.name, piece, media.type)}
        wanted = http.ask("POST", path, Session, data=told, files=file)
        attempt.keep("video", session.video_id)  # a sign of life: large videos take longer than a lease
    return session
