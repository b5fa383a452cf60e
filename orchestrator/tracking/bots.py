"""Turns the headers of a click into the reason why no person made it, or into "" for a person."""

import functools
import re
from collections.abc import Mapping

# Each platform names the program that fetches a page for its preview card. Only the fetchers are listed:
# the browsers inside the same apps (FBAN/FBAV, Instagram, LinkedInApp) are people.
# https://developers.facebook.com/docs/sharing/webmasters/web-crawlers  https://api.slack.com/robots
# https://developer.x.com/en/docs/x-for-websites/cards/guides/getting-started
# https://docs.joinmastodon.org/admin/config/ (http.rb/...; +https://server/) https://docs.bsky.app (Cardyb)
_PREVIEWS = (
    "facebookexternalhit", "facebot", "facebookcatalog", "meta-externalagent", "meta-externalfetcher",
    "twitterbot", "slackbot", "slack-imgproxy", "linkedinbot", "discordbot", "telegrambot", "whatsapp/",
    "skypeuripreview", "microsoftpreview", "pinterestbot", "pinterest/0", "redditbot", "vkshare",
    "line-poker", "kakaotalk-scrap", "snap url preview", "cardyb", "mastodon/", "pleroma", "akkoma",
    "misskey", "sharkey", "friendica", "lemmy/", "snac/", "synapse", "iframely", "embedly", "bingpreview",
    "googleimageproxy", "yahoomailproxy", "flipboardproxy",
)  # fmt: skip
# https://developers.google.com/search/docs/crawling-indexing/overview-google-crawlers and the like: nearly
# all carry one of these words. "Cubot" is a telephone.
_CRAWLER = re.compile(
    r"(?<!\bcu)bot\b|crawl|spider|slurp|scrap(er|y)|archiver|google-(read|inspection|extended|safety)"
    r"|mediapartners|apis-google|monitor(ing)?\b|uptime|pingdom|validator|lighthouse"
)
_PROGRAMS = (
    "curl/", "wget", "python", "aiohttp", "httpx", "libwww", "lwp", "go-http-client", "okhttp", "java/",
    "ruby", "perl", "http.rb", "node-fetch", "undici", "axios", "got (", "guzzle", "php/", "apache-http",
    "postman", "insomnia", "headlesschrome", "phantomjs", "selenium", "puppeteer", "playwright", "wordpress/",
    "powershell", "winhttp", "dalvik/",
)  # fmt: skip
_AHEAD = ("prefetch", "prerender", "preview", "instant")


def reason(method: str, headers: Mapping[str, str]) -> str:
    """Say why a request was not a person's click, "" where it was one.

    `headers` by lower-case name. What a program does not tell about itself cannot be seen here: a scanner
    that poses as a browser counts as a person.
    """
    agent = headers.get("user-agent", "").strip().lower()
    if method == "HEAD":
        return "head"
    if _loads_ahead(headers):
        return "prefetch"
    return _by_agent(agent) or ("" if headers.get("accept", "").strip() else "no-accept")


def _loads_ahead(headers: Mapping[str, str]) -> bool:
    # https://wicg.github.io/nav-speculation/prefetch.html#sec-purpose-header; the others are older browsers'.
    told = " ".join(
        headers.get(name, "") for name in ("sec-purpose", "purpose", "x-purpose", "x-moz")
    ).lower()
    return any(word in told for word in _AHEAD)


@functools.lru_cache(maxsize=4096)
def _by_agent(agent: str) -> str:
    if not agent:
        return "no-agent"
    if any(name in agent for name in _PREVIEWS):
        return "preview"
    if any(name in agent for name in _PROGRAMS):
        return "program"
    if _CRAWLER.search(agent):
        return "crawler"
    return "" if agent.startswith(("mozilla/", "opera/")) else "program"
