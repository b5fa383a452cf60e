"""`python -m connectors.rehearsal NAME=TOKEN ...` runs a platform to rehearse on until it is stopped."""

import argparse
import signal
import threading

from connectors.rehearsal import Rehearsal


def main() -> None:
    """Read the accounts and the port, and run until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m connectors.rehearsal", description=__doc__)
    parser.add_argument("accounts", nargs="+", metavar="NAME=TOKEN", help="an account and its access token")
    parser.add_argument("--port", type=int, default=0, help="the port to listen on; else a free one")
    asked = parser.parse_args()
    pairs = [account.partition("=") for account in asked.accounts]
    if any(not name or not token for name, _, token in pairs):
        parser.error("write each account as NAME=TOKEN")
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with Rehearsal({name: token for name, _, token in pairs}, port=asked.port) as platform:
        print(f"A platform to rehearse on: {platform.url}  Stop with Ctrl-C.", flush=True)
        ended.wait()


main()
