"""The app on a school's own server: two processes behind nginx, under a path of the site."""

import io
import re
import shlex
import urllib.request
from urllib.parse import urlsplit
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.e2e.server import Server, free_port
from tests.hosting.nginx import NGINX, UNIT, Nginx
from vitdemo.ui.chart import _URLS

pytestmark = pytest.mark.skipif(not NGINX, reason="needs nginx: apt-get install nginx")
expect.set_options(timeout=30_000)
TINY = "depth=1&num_heads=1&embed_dim=16&warmup_epochs=0&validation_images=100"


def options_of_service() -> tuple[str, ...]:
    """Return the options that the systemd service gives to `streamlit run`, but for the port."""
    (command,) = re.findall(r"^ExecStart=(.*)$", UNIT.read_text(), re.MULTILINE)
    words = shlex.split(command.split(" app.py ")[1])
    port = words.index("--server.port")
    assert words[port + 1] == "%i"
    return tuple(words[:port] + words[port + 2 :])


class School:
    """nginx and the two processes behind it, which share the folder of runs."""

    def __init__(self, folder):
        self.processes = [
            Server(folder, options=options_of_service(), path="/vit") for _ in range(2)
        ]
        self.nginx = Nginx(folder, free_port(), [process.port for process in self.processes])
        # Browsers find names that end in localhost on this machine. Streamlit trusts localhost and
        # this machine's addresses whatever Host says, but not other names: as on a real site.
        self.host = self.nginx.address.replace("127.0.0.1", "school.localhost")
        self.url = f"http://{self.host}/vit"

    def get(self, path: str, **headers: str):
        """Return the response to a request, which is open."""
        request = urllib.request.Request(f"http://{self.nginx.address}{path}", headers=headers)
        return urllib.request.urlopen(request)

    def process_of(self, visitor: str) -> str:
        """Return the address of the process that serves a visitor with this cookie."""
        self.get("/vit/_stcore/health", Cookie=f"vit_visitor={visitor}").close()
        return self.nginx.logged(lambda request: request.visitor == visitor)[-1].process

    def one_visitor_per_process(self) -> list[str]:
        """Return two new values of the cookie, which nginx sends to different processes."""
        found = {self.process_of(name): name for name in (uuid4().hex for _ in range(32))}
        assert len(found) == 2
        return list(found.values())


@pytest.fixture(scope="module")
def school(tmp_path_factory):
    """Return a school's server."""
    running = School(tmp_path_factory.mktemp("school"))
    started = []
    try:
        for part in (*running.processes, running.nginx):
            part.start()
            started.append(part)
        yield running
    finally:
        for part in started:
            part.stop() if part is running.nginx else part.kill()
    assert running.processes[0].failures() == []


@pytest.fixture
def answers(school, page):
    """Return the path and status of all that the site answered to the visitor's browser."""
    seen = []

    def note(response):
        url = urlsplit(response.url)
        if url.netloc == school.host:
            seen.append((url.path, response.status))

    page.on("response", note)
    return seen


def noise(side: int) -> bytes:
    """Return a PNG that does not compress, of three bytes for each pixel."""
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(256, size=(side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_a_visit_keeps_to_the_path_and_to_one_process(school, page, chart, answers):
    page.goto(f"{school.url}?{TINY}&epochs=1&train_images=100")  # the path without its last slash
    page.get_by_role("button", name="Train", exact=True).click()
    page.get_by_text("Finished after 1 of 1 epochs").wait_for()
    assert urlsplit(page.url).path == "/vit/"
    run = re.search(r"run=([\w-]+)", page.url)[1]
    chart(page, "Accuracy by epoch").locator(".main-svg").first.wait_for()
    links = page.get_by_test_id("stTopNavLink")
    expect(links.first).to_be_attached()
    paths = [urlsplit(link.get_attribute("href")).path for link in links.all()]
    assert paths
    assert all(path.startswith("/vit/") for path in paths)

    page.get_by_role("link", name="View attention").click()
    page.wait_for_url(re.compile(f"/vit/attention\\?run={run}"))
    page.reload()
    overlay = chart(page, "Attention of CLS over the patches")
    overlay.locator(".main-svg").first.wait_for()
    picture = noise(800)
    assert len(picture) > 2**20  # more than nginx accepts without client_max_body_size
    page.get_by_text("Upload", exact=True).click()
    with page.expect_response(re.compile("/vit/_stcore/upload_file/")) as uploaded:
        page.locator("input[type=file]").set_input_files(
            {"name": "noise.png", "mimeType": "image/png", "buffer": picture}
        )
    assert uploaded.value.ok
    chart(page, "your picture. Token: CLS").wait_for()

    page.goto("about:blank")  # closes the web socket, which nginx logs then
    # Streamlit looks for its server below the page's own path first.
    failed = {path for path, status in answers if status >= 400}
    assert {path for path in failed if not path.startswith("/vit/attention/_stcore/")} == set()
    assert {path for path, _ in answers if not path.startswith("/vit")} == set()
    (socket, *_) = school.nginx.logged(lambda request: request.status == 101)
    assert socket.path == "/vit/_stcore/stream"
    mine = [
        request
        for request in school.nginx.log()
        if request.visitor == socket.visitor and request.process != "-"
    ]
    assert {request.method for request in mine} >= {"GET", "PUT"}
    assert {request.process for request in mine} == {socket.process}


def test_visitors_are_spread_over_the_processes_by_their_cookie(school):
    one, other = school.one_visitor_per_process()
    assert school.process_of(one) != school.process_of(other)
    for _ in range(3):
        assert school.process_of(one) == school.process_of(one)
    # A new visitor gets a cookie that leads to the process of the first page.
    with school.get("/vit/") as first:
        cookies = first.headers.get_all("Set-Cookie")
    (visitor,) = (cookie.split(";")[0].split("=")[1] for cookie in cookies if "vit_" in cookie)
    (page,) = school.nginx.logged(lambda request: request.visitor == visitor)
    assert school.process_of(visitor) == page.process
    with school.get("/vit/", Cookie=f"vit_visitor={visitor}") as second:
        assert not any("vit_" in cookie for cookie in second.headers.get_all("Set-Cookie") or [])


def test_a_process_shows_a_run_of_the_other_and_leaves_it_to_it(school, browser, page):
    """Each process has its own queue; they share the folder of runs."""
    one, other = school.one_visitor_per_process()
    elsewhere = browser.new_context(viewport={"width": 1280, "height": 800})
    for context, visitor in ((page.context, one), (elsewhere, other)):
        context.add_cookies([{"name": "vit_visitor", "value": visitor, "url": school.url}])
    page.goto(f"{school.url}/?{TINY}&epochs=200&batch_size=32&train_images=5000")
    page.get_by_role("button", name="Train", exact=True).click()
    page.get_by_text(re.compile(r"Epoch ([2-9]|\d+) of 200 .* left")).wait_for()

    second = elsewhere.new_page()
    second.goto(page.url)
    second.get_by_text("In training by another process").wait_for()
    expect(second.get_by_role("button", name="Stop", exact=True)).to_be_disabled()
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_text(re.compile(r"Stopped after \d+ of 200 epochs")).wait_for()
    second.get_by_text(re.compile(r"Stopped after \d+ of 200 epochs")).wait_for()
    elsewhere.close()


def test_files_are_compressed_and_plotly_is_fetched_once(school, page):
    visitor, _ = school.one_visitor_per_process()
    page.context.add_cookies([{"name": "vit_visitor", "value": visitor, "url": school.url}])
    for _ in range(2):
        page.goto(f"{school.url}/attention")
        page.locator(".main-svg").first.wait_for()
    plotly = f"/vit/{_URLS['plotly']}"
    asked = school.nginx.logged(lambda request: request.path == plotly)
    assert len([request for request in asked if request.visitor == visitor]) == 1

    cookie = f"vit_visitor={visitor}"
    with school.get(plotly, Cookie=cookie, **{"Accept-Encoding": "gzip"}) as packed:
        assert packed.headers["Content-Encoding"] == "gzip"
        assert packed.headers["Cache-Control"] == "max-age=86400"
        size = len(packed.read())
    with school.get(plotly, Cookie=cookie) as plain:  # for clients that cannot unpack it
        assert plain.headers["Content-Encoding"] is None
        assert len(plain.read()) > 3 * size
    caches = [request.cache for request in school.nginx.log() if request.path == plotly]
    assert caches.count("MISS") == 1
    assert caches.count("HIT") == len(caches) - 1

    with school.get("/vit/") as index:
        (script,) = re.findall(r'src="\./(static/js/index\.[^"]+)"', index.read().decode())
    with school.get(f"/vit/{script}", **{"Accept-Encoding": "gzip"}) as compressed:
        assert compressed.headers["Content-Encoding"] == "gzip"
        assert "immutable" in compressed.headers["Cache-Control"]
