"""Take the README's pictures from the running app.

    python -m tests.e2e.screenshots

Starts the app with a folder of its own, trains a run, and writes train.png, attention.png and by_hand.png into .github.
"""

import os
import re
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.e2e.conftest import CHROMIUM, FLAGS
from tests.e2e.server import PROJECT, Server

FOLDER = PROJECT / ".github"


def main() -> None:
    """All pictures at 1280 x 800, light."""
    FOLDER.mkdir(exist_ok=True)
    os.environ.pop("VITDEMO_HOME", None)
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        server = Server(Path(home))
        server.start()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(300_000)
        try:
            page.goto(server.url)
            page.get_by_text("per epoch").wait_for()
            page.get_by_role("button", name="Train", exact=True).click()
            page.get_by_text(re.compile(r"Epoch [1-4]\d of 80")).wait_for()
            page.screenshot(path=FOLDER / "train.png")
            page.goto(f"{server.url}/attention?token=28&layer=4&head=3")
            page.locator(".main-svg").nth(4).wait_for()
            page.wait_for_timeout(1000)  # the pictures fade in
            page.screenshot(path=FOLDER / "attention.png")
            page.goto(f"{server.url}/by_hand?row=2")
            page.locator(".main-svg").nth(4).wait_for()
            page.wait_for_timeout(1000)
            page.screenshot(path=FOLDER / "by_hand.png")
        finally:
            browser.close()
            server.kill()


if __name__ == "__main__":
    main()
