"""Platforms that cannot be had on this machine, each as a small server that keeps what it is sent."""

from tests.connectors.fakes.base import Fake, Fetch, Standing
from tests.connectors.fakes.chats import Discord, Slack, Telegram
from tests.connectors.fakes.feeds import LinkedIn, Pinterest, Reddit, X
from tests.connectors.fakes.films import TikTok, YouTube
from tests.connectors.fakes.meta import Facebook, Instagram, Threads

__all__ = ["FAKES", "Fake", "Fetch", "Standing"]

FAKES: tuple[type[Fake], ...] = (
    Discord, Facebook, Instagram, LinkedIn, Pinterest, Reddit, Slack, Telegram, Threads, TikTok, X, YouTube,
)  # fmt: skip
