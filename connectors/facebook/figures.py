"""What Facebook counts of a Page's posts -> readings."""

from abc import abstractmethod
from collections.abc import Sequence
from datetime import UTC, datetime

from connectors.base import Reading, RejectedError
from connectors.facebook import answers
from connectors.http.connector import HttpConnector
from connectors.meta import VERSION, Graph, Insights, readings

# https://developers.facebook.com/docs/graph-api/reference/insights
INSIGHTS = (
    "post_media_view",
    "post_total_media_view_unique",
    "post_clicks",
    "post_reactions_by_type_total",
)
COUNTS = ("shares", "comments")
METRICS = INSIGHTS + COUNTS


class Figures(HttpConnector[Graph]):
    """What a Page's posts are read by."""

    @property
    @abstractmethod
    def page(self) -> str:
        """Return the Page's id."""

    @abstractmethod
    def signed(self) -> Graph:
        """Speak as the Page."""

    def read(self, ids: Sequence[str]) -> list[Reading]:
        """Read what Facebook counts; most of it is renewed once a day."""
        return [reading for id in ids for reading in (*self._insights(id), *self._counts(id))]

    def _insights(self, id: str) -> list[Reading]:
        http = self.signed()
        path = f"/{VERSION}/{self._post_of(id)}/insights"
        return readings(id, INSIGHTS, lambda names: http.ask("GET", path, Insights, params={"metric": names}))

    def _post_of(self, id: str) -> str:
        """Return the id of the post that shows a video, where `id` is a video's; else as it is."""
        if "_" in id:
            return id
        try:
            video = self.http.ask("GET", f"/{VERSION}/{id}", answers.Video, params={"fields": "post_id"})
        except RejectedError:  # gone, or no video: then there is nothing to read either
            return id
        return video.post_id if "_" in video.post_id else f"{self.page}_{video.post_id or id}"

    def _counts(self, id: str) -> list[Reading]:
        asked, now = {"fields": "shares,comments.limit(0).summary(total_count)"}, datetime.now(UTC)
        try:
            told = self.http.ask("GET", f"/{VERSION}/{id}", answers.Counts, params=asked)
        except RejectedError:  # gone, or a video, which has no shares: nothing is reported
            told = answers.Counts()
        figures = zip(COUNTS, (told.shares.count, told.comments.summary.total_count), strict=True)
        return [Reading(id, name, figure, now) for name, figure in figures]
