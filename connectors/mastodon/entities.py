"""The JSON of a Mastodon API becomes what the connector reads of it: https://docs.joinmastodon.org/entities/"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import regex
from pydantic import AwareDatetime, BaseModel, ConfigDict, PositiveInt

from connectors.base import Capabilities, Repeat, Video

NEVER = datetime.min.replace(tzinfo=UTC)
# A server's key lives an hour: https://docs.joinmastodon.org/methods/statuses/#headers
_KEY_LIVES = timedelta(minutes=55)


class _Model(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)


class Account(_Model):
    """Who we are there."""

    id: str
    acct: str
    url: str = ""


class Upload(_Model):
    """A picture or video at the server; `url` is null while the server still works on it."""

    id: str
    url: str | None = None


class Kept(_Model):
    """Something at the server, and since when: what an attempt keeps of a picture, video or status."""

    id: str
    at: AwareDatetime


class Status(_Model):
    """A post; `text` is its source, which snac2 gives; a count that is not there is not reported."""

    id: str
    created_at: AwareDatetime
    url: str | None = None
    content: str = ""
    text: str | None = None
    media_attachments: list[Any] = []
    reblog: Any = None
    replies_count: int | None = None
    reblogs_count: int | None = None
    favourites_count: int | None = None
    quotes_count: int | None = None


class _Params(_Model):
    text: str = ""


class Held(_Model):
    """A post that the server holds until its time."""

    id: str
    scheduled_at: AwareDatetime
    params: _Params = _Params()


class _Statuses(_Model):
    max_characters: PositiveInt | None = None
    max_media_attachments: int | None = None
    characters_reserved_per_url: int | None = None


class _Media(_Model):
    image_size_limit: PositiveInt | None = None
    video_size_limit: int | None = None  # 0, as of the next two: it says none
    video_matrix_limit: int | None = None
    video_frame_rate_limit: int | None = None
    description_limit: PositiveInt | None = None
    supported_mime_types: list[str] | None = None

    def video(self, declared: Video | None) -> Video | None:
        """Put what was announced of videos over what is declared; None: none are taken."""
        told = {*(self.supported_mime_types or [])}
        if declared is None or (told and not declared.types & told):
            return None
        return replace(
            declared,
            types=declared.types & told or declared.types,
            bytes=self.video_size_limit or declared.bytes,
            pixels=self.video_matrix_limit or declared.pixels,
            frames=self.video_frame_rate_limit or declared.frames,
        )


class _Configuration(_Model):
    statuses: _Statuses = _Statuses()
    media_attachments: _Media = _Media()


class Instance(_Model):
    """What a server says it can do."""

    version: str = ""
    configuration: _Configuration = _Configuration()

    @property
    def claims_mastodon(self) -> bool:
        """Say whether the version is Mastodon's and nobody else's.

        Others add their name: "2.7.2 (compatible; Pleroma 2.5.1)", "4.0.0 (not true; really snac/2.75)",
        https://docs.pleroma.social/backend/development/API/differences_in_mastoapi_responses/
        """
        return regex.fullmatch(r"\d+\.\d+\.\d+([-+][\w.+-]+)*", self.version) is not None


class _Link(_Model):
    href: str = ""


class Directory(_Model):
    """Where a server says who it is: https://nodeinfo.diaspora.software/protocol"""

    links: list[_Link] = []


class _Software(_Model):
    name: str = ""


class NodeInfo(_Model):
    """Which software a server is."""

    software: _Software = _Software()


class Announced(_Model):
    """What a server said of itself and until when that is believed; without `instance` it said nothing."""

    until: AwareDatetime = NEVER
    instance: Instance | None = None
    keeps_keys: bool = False

    def over(self, declared: Capabilities) -> Capabilities:
        """Put what was announced over what is declared."""
        if not self.keeps_keys:
            # snac2 takes `scheduled_at` and posts at once, so only Mastodon itself is trusted with a time.
            declared = replace(declared, schedules=None)
        if self.instance is None:
            return declared
        statuses = self.instance.configuration.statuses
        media = self.instance.configuration.media_attachments
        found: dict[str, Any] = {
            "text_limit": statuses.max_characters,
            "media_limit": statuses.max_media_attachments,
            "link_cost": statuses.characters_reserved_per_url,
            "media_bytes": media.image_size_limit,
            "alt_limit": media.description_limit,
            "media_types": declared.media_types & {*(media.supported_mime_types or [])} or None,
        }
        if self.keeps_keys:
            found |= {"repeat": Repeat.KEY, "repeat_valid": _KEY_LIVES}
        said = {name: value for name, value in found.items() if value is not None}
        return replace(declared, video=media.video(declared.video), **said)
