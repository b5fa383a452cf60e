"""Say what the test servers need, then install what is not there yet: python -m tests.servers [--list]."""

from __future__ import annotations

import os
import sys

from tests.servers import bluesky, cache, chromium, mail, postgres, snac, synapse, wordpress
from tests.servers.cache import Part, ServerMissing

PARTS: tuple[Part, ...] = (
    *bluesky.PARTS,
    *snac.PARTS,
    *mail.PARTS,
    *synapse.PARTS,
    *wordpress.PARTS,
    *postgres.PARTS,
    *chromium.PARTS,
)


def describe(part: Part) -> str:
    """Return one line: what it is, and that it is there or what would be fetched."""
    if part.present():
        return f"  ready     {part.name} {part.version}: {part.place()}"
    return f"  download  {part.name} {part.version} ({part.size}) to {part.place()}"


def install(part: Part) -> bool:
    """Install one part; say why in one sentence where it cannot be."""
    print(f"Installing {part.name} {part.version} ...", flush=True)
    try:
        part.install()
    except ServerMissing as absent:
        print(f"Not installed: {absent}.", flush=True)
        return False
    return True


def main(arguments: list[str]) -> int:
    """List every part, and install missing ones unless --list; 1 only with CI=true and something missing."""
    print(f"Servers for the tests (cache: {cache.root()}):")
    print("\n".join(map(describe, PARTS)), flush=True)
    if "--list" in arguments:
        return 0
    failed = [part for part in PARTS if not part.present() and not install(part)]
    if failed:
        print("Tests that need what is missing are skipped (with CI=true they fail).")
    return 1 if failed and os.environ.get("CI", "").lower() in ("true", "1") else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
