"""What people can put right: each error says what is wrong, where, and what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Problem:
    """One thing somebody wrote that is wrong; line and column count from 1, 0 means unknown."""

    file: str = ""
    line: int = 0
    column: int = 0
    message: str = ""

    def __str__(self) -> str:
        if not self.file:
            return self.message
        return f"{self.file}:{self.line or 1}:{self.column or 1}: {self.message}"


class PeopleError(Exception):
    """Base of everything a person can put right; carries its exit code and HTTP status."""

    exit_code = 1
    http_status = 500


class CheckError(PeopleError):
    """Something somebody wrote is wrong: every problem at once."""

    exit_code = 2
    http_status = 422

    def __init__(self, *problems: Problem | str) -> None:
        self.problems = tuple(p if isinstance(p, Problem) else Problem(message=p) for p in problems)
        super().__init__("\n".join(str(p) for p in self.problems))

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> "CheckError":
        """Join problems found apart into one error, in the order of file and line."""
        return cls(*sorted(set(problems)))


class NotAllowedError(PeopleError):
    """Whoever asks may not do this."""

    exit_code = 3
    http_status = 403


class ConflictError(PeopleError):
    """Somebody changed it first; look again."""

    exit_code = 4
    http_status = 409


class OutsideError(PeopleError):
    """The world outside (disk, database, platform, token) did not let us finish; nothing is lost."""

    exit_code = 5
    http_status = 503
