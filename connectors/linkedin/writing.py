"""A post -> what LinkedIn is told of it, as a post or as a comment on another one."""

from typing import Any

import regex

from connectors.base import Post
from connectors.linkedin.text import escape

COMMENT_URN = regex.compile(r"urn:li:comment:\((?<thread>urn:li:\w+:\d+),(?<id>\d+)\)")


def written(author: str, text: str, reshares: bool) -> dict[str, Any]:
    """Say a post as LinkedIn is told it; `reshares` false: others cannot pass it on."""
    return {
        "author": author,
        "commentary": escape(text),
        "visibility": "PUBLIC",
        "distribution": {
            "feedDistribution": "MAIN_FEED", "targetEntities": [], "thirdPartyDistributionChannels": [],
        },
        "lifecycleState": "PUBLISHED",
        "isReshareDisabledByAuthor": not reshares,
    }  # fmt: skip


def comment(author: str, post: Post) -> dict[str, Any]:
    """Say a comment on a post, or on a comment, which is told of both."""
    above = COMMENT_URN.fullmatch(post.reply_to)
    thread = above["thread"] if above else post.reply_to
    told = {"actor": author, "object": thread, "message": {"text": post.text}}
    return told | ({"parentComment": post.reply_to} if above else {})
