"""A picture -> a file of Slack's that nobody is shown, and the blocks that show it in a message.

https://docs.slack.dev/messaging/working-with-files
"""

import json
from collections.abc import Sequence
from urllib.parse import urlsplit

from connectors.base import Attempt, Media
from connectors.http import Http
from connectors.slack.answers import Line, Place, Told


def upload(http: Line, picture: Media, number: int, attempt: Attempt) -> str:
    """Return the id of a picture, from this try or an earlier one."""
    name = f"file{number}"
    if name in attempt.kept:
        return attempt.kept[name]
    body = {"filename": picture.name, "length": str(len(picture.data)), "alt_txt": picture.alt}
    place = http.ask("POST", "/api/files.getUploadURLExternal", Place, data=body)
    address = urlsplit(place.upload_url)
    line = Http(f"{address.scheme}://{address.netloc}", timeout=http.timeout)
    try:
        path = address._replace(scheme="", netloc="").geturl()
        line.fetch("POST", path, data=picture.data)
    finally:
        line.close()
    done = {"files": json.dumps([{"id": place.file_id, "title": picture.name}])}
    http.ask("POST", "/api/files.completeUploadExternal", Told, data=done)
    return attempt.keep(name, place.file_id)


def blocks(text: str, files: Sequence[str], media: Sequence[Media]) -> list[dict[str, object]]:
    """Lay a message out: its text, then its pictures with their words."""
    section: dict[str, object] = {"type": "section", "text": {"type": "mrkdwn", "text": text}}
    shown: list[dict[str, object]] = [
        {"type": "image", "slack_file": {"id": file}, "alt_text": each.alt}
        for file, each in zip(files, media, strict=True)
    ]
    return [section, *shown] if text.strip() else shown
