"""Calls whose path does not stand in the source, each with its reason -> those that have none."""

import connectors
from tests.wire import kinds
from tests.wire.platforms import PLATFORMS

_PASSED = "passes on what its caller spells"
_HANDED = "the platform hands the address out; its kind stands in platforms.py"

KNOWN: dict[str, dict[str, str]] = {
    "bluesky": {
        "writing.py:signed": _PASSED,
        "bound.py:ask": _PASSED,
        "bound.py:commit": _PASSED,
        "xrpc.py:get": "a name without a session; its kinds stand in platforms.py",
    },
    "linkedin": {"uploading.py:_put": _HANDED},
    "mastodon": {"introducing.py:_software": "a server says where it describes itself; see platforms.py"},
    "slack": {"uploading.py:_sent": _HANDED},
    "tiktok": {"uploading.py:send": _HANDED},
    "wordpress": {
        "__init__.py:publish": "its own commit, which spells the path",
        "holding.py:schedule": "its own commit, which spells the path",
        "answers.py:fetch": _PASSED,
        "answers.py:commit": _PASSED,
    },
    "youtube": {
        "uploading.py:send": _HANDED,
        "uploading.py:made": _HANDED,
        "uploading.py:_sent": _HANDED,
    },
}


def gaps() -> list[str]:
    """Name the calls that could send anything without being missed, and the reasons that nothing needs."""
    found = []
    for channel in sorted(PLATFORMS.keys() & {*connectors.names()}):
        there, known = kinds.unspelled(connectors.find(channel)), KNOWN.get(channel, {})
        found += [
            f"{channel}: the path of a call at {each} is not spelled" for each in sorted(there - {*known})
        ]
        found += [f"{channel}: {each} spells its paths now" for each in sorted({*known} - there)]
    return found
