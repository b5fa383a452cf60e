"""One request as it stood on the wire: what is told between those who listen and those who judge.

Only the standard library is needed, so that any process of the suite can tell.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Sent:
    """One request as it stood on the wire, and how it was answered; `answered` 0: not at all."""

    channel: str
    method: str
    path: str
    query: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes = field(repr=False)
    answered: int = 0
    answer: bytes = field(default=b"", repr=False)
    test: str = ""

    @property
    def type(self) -> str:
        """Return the content type without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def refused(self) -> bool:
        """Say whether it was refused: by its status, or inside a 200 (Slack: ok, Reddit: json.errors)."""
        if self.answered >= 400 or not self.answer:
            return self.answered >= 400
        try:
            told = json.loads(self.answer)
        except ValueError:
            return False
        inside = told.get("json", {}) if isinstance(told, dict) else {}
        return isinstance(told, dict) and (told.get("ok") is False or bool(inside.get("errors")))

    def pairs(self) -> list[tuple[str, str]]:
        """Return the query as names and values."""
        return parse_qsl(self.query, keep_blank_values=True)
