"""URNs of posts -> what LinkedIn counted of them; what it leaves out is not reported."""

from collections.abc import Mapping, Sequence

from connectors.http import MissingError
from connectors.linkedin.answers import Counts, Shares
from connectors.linkedin.rest import ForbiddenError, Rest, key

# https://learn.microsoft.com/en-us/linkedin/marketing/community-management/organizations/share-statistics
ORGANIZATION = (
    "impressionCount", "uniqueImpressionsCount", "clickCount", "likeCount", "commentCount", "shareCount",
    "engagement",
)  # fmt: skip
# https://learn.microsoft.com/en-us/linkedin/marketing/community-management/members/post-statistics
MEMBER = ("IMPRESSION", "MEMBERS_REACHED", "RESHARE", "REACTION", "COMMENT")
_MANY = 50
_KINDS = {"urn:li:share": "share", "urn:li:ugcPost": "ugc"}


def shares(http: Rest, author: str, ids: Sequence[str]) -> dict[str, Mapping[str, float]]:
    """Return the figures of an organisation's posts, of the last twelve months."""
    found: dict[str, Mapping[str, float]] = {}
    for name, kind in (("shares", "urn:li:share:"), ("ugcPosts", "urn:li:ugcPost:")):
        wanted = [key(id) for id in ids if id.startswith(kind)]
        for at in range(0, len(wanted), _MANY):
            # The protocol's lists have brackets and commas that are not escaped, so this is no dictionary.
            asked = f"q=organizationalEntity&organizationalEntity={key(author)}"
            asked += f"&{name}=List({','.join(wanted[at : at + _MANY])})"
            told = http.ask("GET", "/rest/organizationalEntityShareStatistics", Shares, params=asked)
            found |= {each.share or each.post: each.figures for each in told.elements}
    return found


def counts(http: Rest, id: str) -> Mapping[str, float]:
    """Return the figures of a member's post, each asked for alone."""
    kind = _KINDS.get(id.rpartition(":")[0])
    found: dict[str, float] = {}
    for metric in MEMBER if kind else ():
        asked = f"q=entity&entity=({kind}:{key(id)})&queryType={metric}&aggregation=TOTAL"
        try:
            told = http.ask("GET", "/rest/memberCreatorPostAnalytics", Counts, params=asked)
        except (MissingError, ForbiddenError):  # gone, or a token without r_member_postAnalytics
            return {}
        if told.elements:
            found[metric] = told.elements[0].count
    return found
