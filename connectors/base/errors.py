"""How a platform call can end; the class says what happens next."""


class ConnectorError(Exception):
    """How a platform call ended; the class says what happens next, the text says why, without secrets."""


class TemporaryError(ConnectorError):
    """Surely nothing was published; later it may be. `retry_after` in seconds where the platform told."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class LimitedError(TemporaryError):
    """The account has done too much for now (429): nothing of it leaves before `retry_after`."""


class UnauthorizedError(ConnectorError):
    """The account must be connected again."""


class RejectedError(ConnectorError):
    """This post will never be accepted as it is; the message is the platform's reason."""


class BouncedError(RejectedError):
    """The mail server refuses this address; `code` is SMTP's, `status` the enhanced one or "" (RFC 3463)."""

    def __init__(self, message: str, address: str, code: int, status: str = "") -> None:
        super().__init__(message)
        self.address = address
        self.code = code
        self.status = status

    @property
    def hard(self) -> bool:
        """Say whether the address itself is wrong or closed, not our sending (policy, size, full mailbox)."""
        # https://www.iana.org/assignments/smtp-enhanced-status-codes
        if self.status:
            return self.status in {"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"}
        return self.code in {550, 551, 553}


class UncertainError(ConnectorError):
    """It may be public; only a look can tell."""


class LeaseLostError(ConnectorError):
    """The send was called off before anything left: its lease lapsed or somebody pressed stop."""
