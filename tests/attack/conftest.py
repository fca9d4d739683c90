"""A server to attack, and what must hold after each attack."""

import pytest

from tests.e2e.server import Server
from tests.protocol import Visitor


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """Return one server for all attacks, with torch loaded."""
    running = Server(tmp_path_factory.mktemp("home"))
    running.start()
    with Visitor(running.url) as first:
        first.run()
        first.until(lambda: first.page.has("Run"))
    yield running
    running.kill()
