"""A try at a message -> what stands in the channel, or in the thread, since it began.

https://docs.slack.dev/reference/methods/conversations.history
https://docs.slack.dev/reference/methods/conversations.replies
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from connectors.base import Attempt, ConnectorError, Post, UncertainError
from connectors.http import MissingError
from connectors.slack.answers import History, Line, Message

_PAGE, _PAGES = 100, 30
_SKEW = timedelta(minutes=1)
_LOOKS, _PAUSE = 3, 2.0  # for the message of a video, which Slack makes after it has answered


def ours(http: Line, channel: str, post: Post, attempt: Attempt) -> str:
    """Return the earliest message with our key, or with the video that we sent; "" where there is none."""
    filmed, file = any(each.moves for each in post.media), attempt.kept.get("video", "").partition(" ")[0]
    if filmed and not file:
        return ""  # nothing leaves without one
    mine = [
        each.ts
        for each in _since(http, channel, post.reply_to, attempt.started_at)
        if (each.shows(file) if filmed else each.bot_id and each.says(post, attempt.key))
        and not attempt.taken(each.ts)
    ]
    return min(mine, key=float, default="")


def awaited(http: Line, channel: str, post: Post, attempt: Attempt) -> str:
    """Look for the message of a video that Slack took: its answer does not name it."""
    for _ in range(_LOOKS):
        try:
            if found := ours(http, channel, post, attempt):
                return found
        except ConnectorError as error:
            raise UncertainError("Slack took the video, but could not be asked for its message.") from error
        if attempt.remaining() <= _PAUSE:
            break
        http.sleep(_PAUSE)
    raise UncertainError("Slack took the video, and does not show its message yet.")


def message(http: Line, channel: str, ts: str) -> Message | None:
    """Return one message of a channel, None where it is gone."""
    asked = {"channel": channel, "latest": ts, "oldest": ts, "inclusive": "true", "limit": "1"}
    page = http.ask("GET", "/api/conversations.history", History, params=asked)
    return next((each for each in page.messages if each.ts == ts), None)


def _since(http: Line, channel: str, thread: str, began: datetime) -> Iterator[Message]:
    """Yield the messages of a channel; what answers one stands in its thread, and there alone."""
    asked = {"channel": channel, "oldest": f"{(began - _SKEW).timestamp():.6f}", "limit": str(_PAGE)}
    asked["include_all_metadata"] = "true"
    for _ in range(_PAGES):
        page = _replies(http, asked, thread) if thread else _messages(http, asked)
        yield from page.messages
        if not page.response_metadata.next_cursor:
            return
        asked["cursor"] = page.response_metadata.next_cursor
    raise UncertainError("The channel does not list its messages back to the time of this attempt.")


def _messages(http: Line, asked: dict[str, str]) -> History:
    return http.ask("GET", "/api/conversations.history", History, params=asked)


def _replies(http: Line, asked: dict[str, str], thread: str) -> History:
    try:
        return http.ask("GET", "/api/conversations.replies", History, params={**asked, "ts": thread})
    except MissingError as error:
        raise UncertainError("The thread that was answered is gone, so nobody can look there.") from error
