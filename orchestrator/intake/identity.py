"""The mapped cells of a row -> the name under which it is the same row for ever."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_Hashes = NDArray[np.uint64]


class Identity:
    """Names the rows of one file: (source, order id or all mapped columns, occurrence among equal rows).

    What has been seen is kept as 8 bytes a row, so 40 million rows take 320 MB. Two different rows that
    share these 8 bytes still differ in their names; only the occurrence is counted on, the same each time.
    """

    def __init__(self, source: str) -> None:
        self._prefix = f"{source}\0"
        self._seen: list[_Hashes] = []  # sorted runs, each at least twice as long as the next

    def names(self, keys: Sequence[str]) -> list[str]:
        """Name the next rows of the file; a key is what makes a row equal to another."""
        texts = ((self._prefix + key).encode(errors="surrogatepass") for key in keys)
        digests = [hashlib.blake2b(text, digest_size=16).digest() for text in texts]
        if not digests:
            return []
        hashes = np.frombuffer(b"".join(digests), dtype="<u8")[::2].astype(np.uint64)
        occurrences = self._occurrences(hashes).tolist()
        return [
            f"{digest.hex()}-{number}" if number else digest.hex()
            for digest, number in zip(digests, occurrences, strict=True)
        ]

    def _occurrences(self, hashes: _Hashes) -> NDArray[np.int64]:
        order = np.argsort(hashes, kind="stable")
        ordered = hashes[order]
        places = np.arange(len(ordered))
        counts = places - np.searchsorted(ordered, ordered, side="left")
        for run in self._seen:
            counts += np.searchsorted(run, ordered, side="right") - np.searchsorted(run, ordered, side="left")
        self._remember(ordered)
        found = np.empty(len(ordered), dtype=np.int64)
        found[order] = counts
        return found

    def _remember(self, run: _Hashes) -> None:
        while self._seen and len(self._seen[-1]) < 2 * len(run):
            run = np.sort(np.concatenate((self._seen.pop(), run)), kind="stable")
        self._seen.append(run)
