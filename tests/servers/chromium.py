"""A real Chromium for pictures and browser tests, driven by playwright."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers import apt
from tests.servers.cache import Part, ServerMissing

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# The colour font: without it every emoji in a post is an empty box.
PACKAGES = ("chromium", "fonts-dejavu-core", "fonts-noto-color-emoji")
ARGS = (
    "--no-sandbox",  # root in a container has no other way
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--font-render-hinting=none",
    "--hide-scrollbars",
)


def _found() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


def _install() -> None:
    if _found() is None:
        apt.install(*PACKAGES)


PARTS = (
    Part(
        "Chromium (apt)",
        "the system's",
        "110 MB, 400 MB on disk",
        lambda: _found() or "the system (as root)",
        lambda: _found() is not None,
        _install,
    ),
)


@dataclass(frozen=True)
class Chromium:
    """Where the browser is; each use starts one and closes it."""

    path: str

    @contextmanager
    def browser(self) -> Iterator[Browser]:
        """Run a headless browser for the length of a with block."""
        from playwright.sync_api import sync_playwright  # heavy: only for those who use it

        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=self.path, args=list(ARGS))
            try:
                yield browser
            finally:
                browser.close()

    def screenshot(
        self, page_at: str | Path, png_path: Path, width: int = 1280, height: int = 800, dark: bool = False
    ) -> Path:
        """Take a picture of a URL or of an HTML file, WIDTH x HEIGHT CSS pixels, and return its path."""
        is_url = str(page_at).startswith(("http://", "https://"))
        address = str(page_at) if is_url else Path(page_at).resolve().as_uri()
        with self.browser() as browser:
            page = browser.new_page(
                viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
            )
            page.goto(address)
            page.screenshot(path=str(png_path))
        return png_path


def find() -> Chromium:
    """Return the machine's Chromium, installing it where that is possible; ServerMissing otherwise."""
    if importlib.util.find_spec("playwright") is None:
        raise ServerMissing("browser tests need the playwright package")
    _install()
    path = _found()
    if path is None:
        raise ServerMissing("Chromium was installed but is not on PATH")
    return Chromium(path)
