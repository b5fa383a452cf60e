"""A post held against a platform's limits -> what does not fit, as sentences."""

from collections.abc import Iterator, Sequence

import regex

from connectors.base.facts import URL, Capabilities, Count, Video
from connectors.base.messages import Media, Post

_GRAPHEME = regex.compile(r"\X")  # https://www.unicode.org/reports/tr29/
_REMOTE_MENTION = regex.compile(r"(?<![\w/=])(@\w[\w.-]*)@[\w.-]*\w")


def length(text: str, limits: Capabilities) -> int:
    """Count a text as the platform does: in `limits.count` units, URLs and mentions at what they cost."""
    if limits.measure is not None:
        return limits.measure(text)
    extra = 0
    if limits.link_cost is not None:
        text, links = URL.subn("", text)
        extra = links * limits.link_cost
    if limits.local_mentions:
        text = _REMOTE_MENTION.sub(r"\1", text)
    if limits.count is Count.BYTES:
        return len(text.encode()) + extra
    if limits.count is Count.CHARACTERS:
        return len(text) + extra
    if text.isascii():  # there, only what ends a line is one of two
        return len(text) - text.count("\r\n") + extra
    return len(_GRAPHEME.findall(text)) + extra


def problems(post: Post, limits: Capabilities) -> list[str]:
    """Hold a post against limits; each problem is one sentence, none means it fits."""
    found = [*_text_problems(post, limits), *_media_problems(post.media, limits)]
    if limits.personal and not post.to:
        found.append("has no address to go to")
    if post.reply_to and not limits.threads:
        found.append("answers another post, which this channel cannot do")
    return found


def _text_problems(post: Post, limits: Capabilities) -> list[str]:
    found = []
    size = length(post.text, limits)
    if not post.text.strip() and not post.media:
        found.append("has neither text nor picture")
    if limits.text_limit is not None and size > limits.text_limit:
        found.append(f"text is {size} {limits.count} long, {size - limits.text_limit} over the limit of "
                     f"{limits.text_limit}")  # fmt: skip
    if limits.byte_limit is not None and len(post.text.encode()) > limits.byte_limit:
        found.append(f"text is {len(post.text.encode())} bytes long, the limit is {limits.byte_limit}")
    if limits.subject and not post.subject.strip():
        found.append("has no subject")
    if limits.subject_limit is not None and len(post.subject) > limits.subject_limit:
        found.append(f"subject is {len(post.subject)} long, the limit is {limits.subject_limit}")
    return found


def _media_problems(media: Sequence[Media], limits: Capabilities) -> list[str]:
    pictures = [each for each in media if not each.moves]
    videos = [each for each in media if each.moves]
    found = []
    if len(pictures) > limits.media_limit:
        found.append(f"has {len(pictures)} pictures, the limit is {limits.media_limit}")
    if pictures and videos and not limits.mixed:
        found.append("has pictures and a video, which this channel does not take together")
    if limits.media_needed and not media:
        found.append("has neither picture nor video, and this channel needs one")
    for each in media:
        found += _alt_problems(each, limits)
        if limits.fetches(each) and not each.url:
            found.append(f"{each.name} has no public address that the platform could fetch it from")
    return [*found, *_picture_problems(pictures, limits), *_video_problems(videos, limits.video)]


def _alt_problems(each: Media, limits: Capabilities) -> Iterator[str]:
    kind = "video" if each.moves else "picture"
    if not each.alt.strip():
        yield f"{kind} {each.name} has no alt text"
    if limits.alt_limit is not None and len(each.alt) > limits.alt_limit:
        yield f"alt text of {each.name} is {len(each.alt)} long, the limit is {limits.alt_limit}"


def _picture_problems(pictures: Sequence[Media], limits: Capabilities) -> Iterator[str]:
    for each in pictures:
        if limits.media_types and each.type not in limits.media_types:
            yield f"picture {each.name} is {each.type}, which this channel does not take"
        if limits.media_bytes is not None and len(each.data) > limits.media_bytes:
            yield f"picture {each.name} has {len(each.data)} bytes, the limit is {limits.media_bytes}"


def _video_problems(videos: Sequence[Media], limits: Video | None) -> Iterator[str]:
    if videos and limits is None:
        yield "has a video, which this channel does not take"
        return
    if limits is not None and len(videos) > limits.limit:
        yield f"has {len(videos)} videos, the limit is {limits.limit}"
    for each in videos:
        if limits is not None and each.type not in limits.types:
            yield f"video {each.name} is {each.type}, which this channel does not take"
        if limits is not None and len(each.data) > limits.bytes:
            yield f"video {each.name} has {len(each.data)} bytes, the limit is {limits.bytes}"
