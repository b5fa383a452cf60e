"""What urllib3 logs of a request -> the same without its address, which holds tokens at some platforms.

Telegram has the token in the path, Meta some in the query; urllib3 writes both at the level DEBUG, and in
warnings about connections: https://core.telegram.org/bots/api#making-requests
"""

import logging
from urllib.parse import urlsplit


class _Quiet(logging.Filter):
    """Lets every record pass, without paths and queries."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_hidden(each) for each in record.args)
        return True


def _hidden(told: object) -> object:
    if isinstance(told, str) and told.startswith("/"):
        return "/***"
    if isinstance(told, str) and "://" in told:
        parts = urlsplit(told)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/***"
    # Exceptions repeat the address they failed at; their kind is enough.
    return type(told).__name__ if isinstance(told, Exception) else told


def quiet() -> None:
    """Keep addresses out of urllib3's log, for the whole process; a second time changes nothing."""
    for name in ("urllib3.connectionpool", "urllib3.util.retry"):
        logger = logging.getLogger(name)
        if not any(isinstance(each, _Quiet) for each in logger.filters):
            logger.addFilter(_Quiet())
