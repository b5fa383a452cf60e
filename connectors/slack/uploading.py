"""A picture or video -> a file of Slack's that nobody is shown yet, and the blocks that show pictures.

https://docs.slack.dev/messaging/working-with-files
"""

import json
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from connectors.base import Attempt, Media
from connectors.http import Http
from connectors.slack.answers import Line, Place, Told

_LIVES = 3_600  # seconds that an uploaded video is used again; how long Slack keeps it is not said


def picture(http: Line, media: Media, number: int, attempt: Attempt) -> str:
    """Return the id of a picture, from this try or an earlier one."""
    name = f"file{number}"
    if name in attempt.kept:
        return attempt.kept[name]
    file = _sent(http, media)
    done = {"files": json.dumps([{"id": file, "title": media.name}])}
    http.ask("POST", "/api/files.completeUploadExternal", Told, data=done)
    return attempt.keep(name, file)


def video(http: Line, media: Media, attempt: Attempt) -> str:
    """Return the id of a video, from this try or an earlier one; it is shown by being shared."""
    file, _, at = attempt.kept.get("video", "").partition(" ")
    if file and time.time() - float(at) < _LIVES:
        return file
    file = _sent(http, media)
    attempt.keep("video", f"{file} {time.time():.0f}")
    return file


def _sent(http: Line, media: Media) -> str:
    body = {"filename": media.name, "length": str(len(media.data)), "alt_txt": media.alt}
    place = http.ask("POST", "/api/files.getUploadURLExternal", Place, data=body)
    address = urlsplit(place.upload_url)
    line = Http(f"{address.scheme}://{address.netloc}", timeout=http.timeout)
    try:
        line.fetch("POST", address._replace(scheme="", netloc="").geturl(), data=media.data)
    finally:
        line.close()
    return place.file_id


def blocks(text: str, files: Sequence[str], media: Sequence[Media]) -> list[dict[str, object]]:
    """Lay a message out: its text, then its pictures with their words."""
    section: dict[str, object] = {"type": "section", "text": {"type": "mrkdwn", "text": text}}
    shown: list[dict[str, object]] = [
        {"type": "image", "slack_file": {"id": file}, "alt_text": each.alt}
        for file, each in zip(files, media, strict=True)
    ]
    return [section, *shown] if text.strip() else shown
