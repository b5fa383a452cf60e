"""`python -m connectors.rehearsal NAME=TOKEN ...` runs a platform to rehearse on until it is stopped."""

import argparse
import signal
import threading

from connectors.base import Repeat
from connectors.rehearsal import Rehearsal
from connectors.rehearsal.control import HEADER


def main() -> None:
    """Read the accounts and the port, and run until interrupted."""
    parser = _parser()
    asked = parser.parse_args()
    pairs = [account.partition("=") for account in asked.accounts]
    if any(not name or not token for name, _, token in pairs):
        parser.error("write each account as NAME=TOKEN")
    repeats = dict(each.partition("=")[::2] for each in asked.repeat)
    names = {name for name, _, _ in pairs}
    if any(name not in names or word not in set(Repeat) for name, word in repeats.items()):
        parser.error(f"write each class as NAME=CLASS, with one of {', '.join(Repeat)}")
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    accounts = {name: token for name, _, token in pairs}
    with Rehearsal(
        accounts, asked.port, asked.host, repeats, asked.control, latency=asked.latency
    ) as platform:
        print(f"A platform to rehearse on: {platform.url}  Stop with Ctrl-C.", flush=True)
        if not asked.control:
            print(f"Its control at /_rehearsal/ wants the header {HEADER}: {platform.control}", flush=True)
        ended.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m connectors.rehearsal", description=__doc__)
    parser.add_argument("accounts", nargs="+", metavar="NAME=TOKEN", help="an account and its access token")
    parser.add_argument("--port", type=int, default=0, help="the port to listen on; else a free one")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument(
        "--control", default="", metavar="TOKEN", help="the control token; else drawn and shown"
    )
    parser.add_argument(
        "--repeat", action="append", default=[], metavar="NAME=CLASS",
        help="restrict an account to one class of the practice API: key, container, listing or nothing",
    )  # fmt: skip
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before every answer")
    return parser


main()
