"""Fixtures of the browser tests: a server of the app, and Chromium."""

import os
import re

import pytest
from playwright.sync_api import sync_playwright

from tests.e2e.server import Server

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
]


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """Return one server for all browser tests, in which nothing may raise."""
    running = Server(tmp_path_factory.mktemp("home"))
    running.start()
    yield running
    running.kill()
    assert running.failures() == []


@pytest.fixture(scope="session")
def browser():
    """Return a headless Chromium."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser):
    """Return a page of a new visitor; a script error on it fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(60_000)
    visitor = context.new_page()
    errors = []
    visitor.on("pageerror", lambda error: errors.append(str(error)))
    yield visitor
    context.close()
    assert not errors


@pytest.fixture
def chart():
    """Return a function that finds a chart on a page by the start of its alternative text."""

    def find(page, begins: str):
        return page.get_by_role("img", name=re.compile(f"^{re.escape(begins)}"))

    return find
