"""A post that may be public -> what of the Page's posts, comments and videos it is."""

from collections.abc import Iterator
from datetime import datetime

from connectors.base import Post, Published, TemporaryError
from connectors.facebook import answers
from connectors.meta import VERSION, Graph, Listing, Own, same, since

_PAGE = "100"  # the most that a page of a listing may have
_SHOWS = frozenset({"photo", "album", "video"})


def own(http: Graph, page: str, post: Post, start: datetime) -> Iterator[Own]:
    """Yield what the Page posted since a time, or commented on what is answered, that says the same."""
    listed = since(start, lambda after: _listed(http, page, post, after))
    return (each for each in listed if _is(page, post, each))


def _listed(http: Graph, page: str, post: Post, after: str) -> Listing:
    more = {"after": after} if after else {}
    if post.reply_to:
        asked = {"fields": "id,message,created_time,permalink_url,from", "limit": _PAGE} | more
        asked["order"] = "reverse_chronological"
        return http.ask("GET", f"/{VERSION}/{post.reply_to}/comments", Listing, params=asked)
    asked = {"fields": "id,message,created_time,permalink_url,attachments{media_type}", "limit": _PAGE}
    return http.ask("GET", f"/{VERSION}/{page}/published_posts", Listing, params=asked | more)


def _is(page: str, post: Post, each: Own) -> bool:
    if post.reply_to:
        return same(post, each) and each.by.id in ("", page)
    shows = any(one.media_type in _SHOWS for one in each.attachments.data)
    return same(post, each) and shows == bool(post.media)


def video(http: Graph, id: str) -> Published | None:
    """Ask what became of a video; None: its last step was never carried out."""
    if not id:
        return None  # nothing leaves before the upload has begun, and is kept
    told = http.ask(
        "GET", f"/{VERSION}/{id}", answers.Video, params={"fields": "id,published,permalink_url,status"}
    )
    if told.public:
        return Published(id, f"https://www.facebook.com/{id}")
    if told.status.uploading_phase.status in ("not_started", "in_progress", "error"):
        return None
    raise TemporaryError(f"{http.host} is still at work on the video.")
