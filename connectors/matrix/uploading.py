"""A picture or video -> where it lies at the home server, which says once a day how large it may be."""

from datetime import UTC, datetime, timedelta

from connectors.base import Attempt, ConnectorError, Media
from connectors.http import MissingError
from connectors.matrix.answers import Announced, Line, Uploaded, Uploads

_BELIEVED = timedelta(days=1)
_SOON = timedelta(minutes=5)  # when a server is asked again that did not answer


def asked(http: Line, last: Announced) -> Announced:
    """Ask what may be uploaded; `last` is what the server said before."""
    now = datetime.now(UTC)
    try:
        told = http.ask("GET", "/_matrix/client/v1/media/config", Uploads)
    except MissingError:  # older than 1.11
        return Announced(until=now + _BELIEVED)
    except ConnectorError:  # it is down: what it said last stands, and it is asked again soon
        return last.model_copy(update={"until": now + _SOON})
    return Announced(size=told.size, until=now + _BELIEVED)


def upload(http: Line, media: Media, attempt: Attempt) -> str:
    """Return the address of a picture or video, from this try or an earlier one."""
    if "media" in attempt.kept:
        return attempt.kept["media"]
    name, kind = {"filename": media.name}, {"Content-Type": media.type}
    path = "/_matrix/media/v3/upload"
    up = http.ask("POST", path, Uploaded, params=name, data=media.data, headers=kind)
    return attempt.keep("media", up.content_uri)
