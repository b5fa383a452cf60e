"""What a server says of itself -> what it promises: is it Mastodon, or one that speaks like it?"""

from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from connectors.base import RejectedError
from connectors.http import Http, MissingError
from connectors.mastodon.entities import Announced, Directory, Instance, NodeInfo

_DAY = timedelta(days=1)  # when a server that answered is asked again


def introduce(http: Http) -> Announced:
    """Ask a server who it is and what it takes."""
    try:
        instance = http.ask("GET", "/api/v2/instance", Instance)
    except MissingError:  # before Mastodon 4.0, and servers like snac2
        instance = http.ask("GET", "/api/v1/instance", Instance)
    keeps = instance.claims_mastodon and _software(http) == "mastodon"
    return Announced(until=datetime.now(UTC) + _DAY, instance=instance, keeps_keys=keeps)


def _software(http: Http) -> str:
    try:
        links = http.ask("GET", "/.well-known/nodeinfo", Directory).links
        path = urlsplit(links[-1].href).path if links else ""
        return http.ask("GET", path, NodeInfo).software.name.lower() if path else ""
    except RejectedError:
        return ""
