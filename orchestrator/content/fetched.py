"""A rendered post -> one whose pictures a channel takes and can have, and all that is wrong with it."""

from dataclasses import replace
from functools import lru_cache

from connectors.base import Capabilities, Media, Post, RejectedError, problems
from connectors.media import fit, misfits
from orchestrator import links


def prepare(post: Post, limits: Capabilities, public_url: str) -> Post:
    """Fit the pictures of a post for a platform that fetches them itself, and say where it can have them.

    Such a platform gets the very file that stands behind the address, so it is made now, and approved as it
    is; others are sent what fits them. A post for those comes back as it is.
    """
    if not post.media or not limits.media_fetched:
        return post
    fitted = (_fitted(each, limits) for each in post.media)
    return addressed(replace(post, media=tuple(fitted)), public_url)


def addressed(post: Post, public_url: str) -> Post:
    """Say where each picture and video of a post can be had; "" where the brand has no public address."""
    found = (replace(each, url=links.media_url(public_url, each.sha256, each.type)) for each in post.media)
    return replace(post, media=tuple(found))


def faults(post: Post, limits: Capabilities) -> list[str]:
    """Say what a channel would refuse: the shapes of pictures and their addresses included."""
    found = [*problems(post, limits), *(each for media in post.media for each in misfits(media, limits))]
    if any(limits.fetches(each) and not each.url for each in post.media):
        found.append(
            "set ORCHESTRATOR_PUBLIC_URL to an https address of this brand that the internet reaches: "
            "this platform fetches pictures and videos from there"
        )
    return found


@lru_cache(maxsize=8)  # what recurs says the same picture many times
def _fitted(media: Media, limits: Capabilities) -> Media:
    try:
        return fit(media, limits)
    except RejectedError:  # what is wrong with it, `faults` says
        return media
