"""A picture or video -> its place in the storage that Reddit names: https://praw.readthedocs.io/en/stable/"""

import io
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

import regex
import requests
from PIL import Image

from connectors.base import Attempt, Media
from connectors.http import Http
from connectors.media import film
from connectors.reddit.answers import Lease

_LIVES = 3_600  # seconds that an uploaded picture is used again; how long Reddit keeps it is not said
_CAPTION = 180  # characters of what stands below a picture
_PLAIN = (40, 44, 52)  # a dark grey


def upload(http: Http, media: Media, number: int, attempt: Attempt) -> tuple[str, str]:
    """Return the id and address of a file, from this try or an earlier one; public only with a post."""
    name = f"media{number}"
    known = attempt.kept.get(name, "").split(" ")
    if len(known) == 3 and time.time() - float(known[2]) < _LIVES:
        return known[0], known[1]
    asked = {"filepath": media.name, "mimetype": media.type, "api_type": "json"}
    lease = http.ask("POST", "/api/media/asset.json", Lease, data=asked, params={"raw_json": "1"})
    place = f"{urlsplit(http.base_url).scheme}:{lease.args.action}"  # it says //host, without a scheme
    storage = _Storage(place, timeout=http.timeout)
    storage.secrets |= set(lease.form.values())
    try:
        storage.fetch("POST", "/", data=lease.form, files={"file": (media.name, media.data, media.type)})
    finally:
        storage.close()
    address = f"{place.rstrip('/')}/{lease.form['key']}"
    attempt.keep(name, f"{lease.asset.asset_id} {address} {time.time():.0f}")
    return lease.asset.asset_id, address


def items(files: Sequence[tuple[str, str]], media: Sequence[Media]) -> list[dict[str, str]]:
    """Say several pictures as a gallery is told them."""
    return [
        {"media_id": id, "caption": each.alt[:_CAPTION], "outbound_url": ""}
        for (id, _), each in zip(files, media, strict=True)
    ]


def shown(http: Http, file: tuple[str, str], media: Media, attempt: Attempt) -> dict[str, str]:
    """Say one picture, or a video with the still that stands for it, as a post is told it."""
    if not media.moves:
        return {"kind": "image", "url": file[1]}
    still = upload(http, poster(media), 1, attempt)
    return {"kind": "video", "url": file[1], "video_poster_url": still[1]}


def poster(video: Media) -> Media:
    """Return what is shown until a video plays: a plain one of its shape, as nobody here cuts one out."""
    found = film(video)
    out = io.BytesIO()
    Image.new("RGB", (found.width, found.height), _PLAIN).save(out, "PNG")
    return Media(f"{video.name}.png", "image/png", video.alt, out.getvalue())


class _Storage(Http):
    """Reads S3's errors: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"""

    def reason(self, response: requests.Response) -> str:
        """Return S3's own words."""
        found = regex.search(r"<Message>([^<]*)</Message>", response.text)
        return found[1] if found else ""
