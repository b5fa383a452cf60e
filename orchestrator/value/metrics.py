"""Which of the platforms' own metric names mean people reached, likes and shares."""

from collections.abc import Iterable, Mapping, Sequence

from orchestrator.value.inputs import Reading

# People who saw a post at least once, not how often it was shown; the first that is reported counts.
REACH = (
    "reach",  # https://developers.facebook.com/docs/instagram-platform/reference/instagram-media/insights
    "post_total_media_view_unique",  # https://developers.facebook.com/docs/graph-api/reference/insights
    "uniqueImpressionsCount",  # https://learn.microsoft.com/linkedin/marketing/community-management/organizations/share-statistics
    "MEMBERS_REACHED",  # https://learn.microsoft.com/linkedin/marketing/community-management/members/post-statistics
)
LIKES = (
    "likes",
    "favourites",
    "favourites_count",  # https://docs.joinmastodon.org/entities/Status/
    "likeCount",  # https://docs.bsky.app/docs/api/app-bsky-feed-get-posts
    "like_count",
    "post_reactions_by_type_total",
    "REACTION",
)
SHARES = (
    "shares",
    "reblogs",
    "reblogs_count",
    "reposts",
    "repostCount",
    "repost_count",
    "retweet_count",
    "shareCount",
    "share_count",
    "RESHARE",
)
INTENTS = ("share_intents",)  # composers that advocates opened from their kits


def by_item(readings: Iterable[Reading], names: Sequence[str]) -> Mapping[str, int]:
    """Return one figure per item: the first of these metrics that was reported for it."""
    told = {(each.item_id, each.metric): each.value for each in readings if each.value is not None}
    found: dict[str, int] = {}
    for name in reversed(names):
        found.update({item: round(value) for (item, metric), value in told.items() if metric == name})
    return found
