"""A rendered post -> one whose pictures a channel takes and can have, and all that is wrong with it."""

from dataclasses import replace
from functools import lru_cache

from connectors.base import Capabilities, Media, Post, RejectedError, problems
from connectors.media import fit, misfits
from orchestrator import links


def prepare(post: Post, limits: Capabilities, public_url: str) -> Post:
    """Fit the pictures of a post for a platform that fetches them itself, and say where it can have them.

    Such a platform gets the very file that stands behind the address, so it is made now, and approved as it
    is; what goes to one person (a mail, a kit) is made once for all of them. Other accounts fit what they
    send themselves: a post for those comes back as it is.
    """
    if not post.media or not (limits.media_fetched or limits.personal):
        return post
    made = _all_fitted(post, limits)
    return addressed(made, public_url) if limits.media_fetched else made


def addressed(post: Post, public_url: str) -> Post:
    """Say where each picture and video of a post can be had; "" where the brand has no public address."""
    found = (replace(each, url=links.media_url(public_url, each.sha256, each.type)) for each in post.media)
    return replace(post, media=tuple(found))


def faults(post: Post, limits: Capabilities) -> list[str]:
    """Say what a channel would refuse: the shapes of pictures and their addresses included.

    A picture is judged as it would be sent: one that is made smaller on its way is not too large.
    """
    sent = _all_fitted(post, limits)
    found = [*problems(sent, limits), *(each for media in post.media for each in misfits(media, limits))]
    if any(limits.fetches(each) and not each.url for each in post.media):
        found.append(
            "set ORCHESTRATOR_PUBLIC_URL to an https address of this brand that the internet reaches: "
            "this platform fetches pictures and videos from there"
        )
    return found


def _all_fitted(post: Post, limits: Capabilities) -> Post:
    return replace(post, media=tuple(_fitted(each, limits) for each in post.media))


@lru_cache(maxsize=8)  # what recurs says the same picture many times
def _fitted(media: Media, limits: Capabilities) -> Media:
    try:
        return fit(media, limits)
    except RejectedError:  # what is wrong with it, `faults` says
        return media
