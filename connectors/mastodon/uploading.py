"""A picture -> its id at the server, once that has finished with it: https://docs.joinmastodon.org/methods/media/"""

from datetime import UTC, datetime, timedelta

from connectors.base import Attempt, Media, TemporaryError
from connectors.http import Http
from connectors.mastodon.entities import Kept, Upload

_LIVES = timedelta(hours=12)  # Mastodon removes pictures that no post uses after a day


def upload(http: Http, picture: Media, number: int, attempt: Attempt) -> str:
    """Return the id of a picture, from this try or an earlier one; it is public only with a post."""
    now, name = datetime.now(UTC), f"media{number}"
    kept = Kept.model_validate_json(attempt.kept[name]) if name in attempt.kept else None
    if kept and now - kept.at < _LIVES:
        return kept.id
    file = {"file": (picture.name, picture.data, picture.type)}
    done = http.ask("POST", "/api/v2/media", Upload, files=file, data={"description": picture.alt})
    while done.url is None:
        if attempt.remaining() <= 0:
            raise TemporaryError(f"{http.host} has not finished with picture {picture.name} yet.")
        http.sleep(0.5)
        done = http.ask("GET", f"/api/v1/media/{done.id}", Upload)
    attempt.keep(name, Kept(id=done.id, at=now).model_dump_json())
    return done.id
