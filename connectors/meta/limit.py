"""How many posts an account may publish, as Instagram and Threads tell it -> a quota and a rate."""

from pydantic import BaseModel

from connectors.base import LimitedError, Quota, Rate

_AN_HOUR = 3_600.0  # seconds: the window moves, and when it lets the next one through is not told


class Window(BaseModel):
    """At most so many in so many seconds."""

    quota_total: int
    quota_duration: int = 86_400

    @property
    def rate(self) -> Rate:
        """Return it as a rate."""
        return Rate(self.quota_total, self.quota_duration / 60)


class _Limit(BaseModel):
    quota_usage: int = 0
    config: Window | None = None
    reply_quota_usage: int = 0
    reply_config: Window | None = None


class Limits(BaseModel):
    """What an account has used of what it may."""

    data: list[_Limit] = []

    def left(self, reply: bool) -> Quota | None:
        """Return what is left, None where it does not say; raise `LimitedError` where that is nothing."""
        told = self.data[0] if self.data else _Limit()
        used, window = (
            (told.reply_quota_usage, told.reply_config) if reply else (told.quota_usage, told.config)
        )
        if window is None:
            return None
        if used >= window.quota_total:
            raise LimitedError(f"The account has used up its {window.quota_total} posts of a day.", _AN_HOUR)
        return Quota(window.quota_total - used)

    @property
    def window(self) -> Window | None:
        """Return what holds for posts."""
        return self.data[0].config if self.data else None
