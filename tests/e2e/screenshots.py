"""Take the README's screenshots from the running app.

    python -m tests.e2e.screenshots

Starts the app with an empty folder for runs, trains a run, and writes train.png, attention.png and
by_hand.png into .github.
"""

import re
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.e2e.conftest import CHROMIUM, FLAGS
from tests.e2e.server import PROJECT, Server

FOLDER = PROJECT / ".github"


def main() -> None:
    """Take all screenshots at 1280 × 800 in the light theme."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        server = Server(Path(home))
        server.start()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(300_000)
        try:
            train(page, server.url)
            page.screenshot(path=FOLDER / "train.png")
            open_charts(page, f"{server.url}/attention?token=28&layer=4&head=3")
            page.screenshot(path=FOLDER / "attention.png")
            open_charts(page, f"{server.url}/by_hand?row=2")
            page.screenshot(path=FOLDER / "by_hand.png")
        finally:
            browser.close()
            server.kill()


def train(page: Page, url: str) -> None:
    """Start a run with the default settings and wait until its curves have a shape."""
    page.goto(url)
    page.get_by_text("per epoch").wait_for()  # the estimate is there
    page.get_by_role("button", name="Train", exact=True).click()
    page.get_by_text(re.compile(r"Epoch [4-6]\d of 80")).wait_for()


def open_charts(page: Page, url: str) -> None:
    """Open a page and wait for its charts."""
    page.goto(url)
    page.locator(".main-svg").nth(4).wait_for()
    page.wait_for_timeout(1000)  # the images fade in


if __name__ == "__main__":
    main()
