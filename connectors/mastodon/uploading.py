"""A picture or video -> its id at the server that has finished with it: https://docs.joinmastodon.org/methods/media/"""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

from connectors.base import Attempt, Media, TemporaryError
from connectors.http import Http, MissingError
from connectors.mastodon.entities import Kept, Upload

_LIVES = timedelta(hours=12)  # Mastodon removes what no post uses after a day
_FIRST, _LONGEST = 0.5, 4.0  # seconds between looks: an account has 300 calls in 5 minutes
_PARTIAL = 206  # it works on it still, and need not say more


def upload(http: Http, media: Media, number: int, attempt: Attempt) -> str:
    """Return the id of a picture or video, from this try or an earlier one; it is public only with a post."""
    ready = _kept(attempt, f"media{number}")
    if ready:
        return ready.id
    done, since = _begun(http, media, number, attempt)
    pause = _FIRST
    while done.url is None:
        # A sign of life, since work on a video takes longer than a lease, and where the next try goes on.
        attempt.keep(f"working{number}", Kept(id=done.id, at=since).model_dump_json())
        if attempt.remaining() <= 0:
            kind = "video" if media.moves else "picture"
            raise TemporaryError(f"{http.host} has not finished with {kind} {media.name} yet.")
        http.sleep(pause)
        pause = min(2 * pause, _LONGEST)
        done = _look(http, done.id)
    attempt.keep(f"media{number}", Kept(id=done.id, at=since).model_dump_json())
    return done.id


def _begun(http: Http, media: Media, number: int, attempt: Attempt) -> tuple[Upload, datetime]:
    """Go on with what an earlier try sent, as long as the server knows it; else send it."""
    earlier = _kept(attempt, f"working{number}")
    if earlier:
        with suppress(MissingError):
            return _look(http, earlier.id), earlier.at
    now, file = datetime.now(UTC), {"file": (media.name, media.data, media.type)}
    return http.ask("POST", "/api/v2/media", Upload, files=file, data={"description": media.alt}), now


def _kept(attempt: Attempt, name: str) -> Kept | None:
    kept = Kept.model_validate_json(attempt.kept[name]) if name in attempt.kept else None
    return kept if kept and datetime.now(UTC) - kept.at < _LIVES else None


def _look(http: Http, id: str) -> Upload:
    response = http.fetch("GET", f"/api/v1/media/{id}")
    return Upload(id=id) if response.status_code == _PARTIAL else http.read(response, Upload)
