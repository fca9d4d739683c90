"""A server to attack, and what must hold when all attacks are over."""

import sys

import pytest

from tests.attack.aftermath import MEMORY, assert_renders, files_in, most_memory_of
from tests.e2e.server import PROJECT, Server
from tests.protocol import Visitor

PAGES = ("attention", "by_hand", "image_to_tokens", "start")


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """Return one server for all attacks, with its pages loaded; at the end, nobody was harmed."""
    around = tmp_path_factory.mktemp("around")
    home, temporary, outside = (around / name for name in ("home", "temporary", "outside"))
    for folder in (home, temporary, outside):
        folder.mkdir()
    (outside / "secret.txt").write_text("a secret of the machine")
    running = Server(home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(temporary))  # where the app keeps visitors' models
        running.start()
    with Visitor(running.url) as first:
        first.run()
        first.until(lambda: first.page.has("Run"))
    for page in PAGES:  # what a page imports and keeps when it is first opened is no harm
        with Visitor(running.url, page) as visitor:
            visitor.run()
    assert_renders(running.url)
    before = files_in(PROJECT, outside)
    running.memory = most_memory_of(running.process.pid) if sys.platform == "linux" else 0
    yield running
    try:
        assert running.process.poll() is None
        assert_renders(running.url)
        assert files_in(PROJECT, outside) == before
        known = ("vitdemo-", "torchinductor_")  # visitors' models, and torch's own
        assert all(path.name.startswith(known) for path in temporary.iterdir())
        if sys.platform == "linux":
            more = most_memory_of(running.process.pid) - running.memory
            print(f"the server needed {more / 2**20:.0f} MB more")
            assert more < MEMORY
    finally:
        running.kill()


@pytest.fixture(scope="module")
def visit(server):
    """Return a function that opens a page as a visitor, who leaves when the module is done."""
    opened = []

    def open_page(path: str = "", query: str = "") -> Visitor:
        visitor = Visitor(server.url, path, query)
        visitor.home = server.home
        opened.append(visitor)
        visitor.run()
        return visitor

    yield open_page
    for visitor in opened:
        visitor.close()
    assert_renders(server.url)
