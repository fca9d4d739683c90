"""The app in a frame of another site, as on the page of a Hugging Face Space."""

import http.server
import re
import subprocess
import threading
import urllib.request

import pytest
from PIL import Image

from tests.e2e.conftest import CHROMIUM, FLAGS
from tests.e2e.server import PROJECT, Server

RECORDS = """async video => {
    while (!video.videoWidth) await new Promise(requestAnimationFrame);
}"""
CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]


def command_in_container(**environment: str) -> tuple[str, ...]:
    """Return the script and the options that the Dockerfile gives to `streamlit run`."""
    command = (PROJECT / "Dockerfile").read_text().split("\nCMD ")[1]
    shown = command.replace("exec python -m streamlit run", "printf '%s\\n'")
    words = subprocess.run(
        ["sh", "-c", shown], env=environment, capture_output=True, text=True, check=True
    )
    return tuple(words.stdout.split())


@pytest.fixture
def other_site():
    """Return the URL of a page of another site, in which a frame shows the URL in its query."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            framed = self.path.partition("?")[2]
            frame = f'<iframe src="{framed}" allow="camera" width=1200 height=760></iframe>'
            self.wfile.write(frame.encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/page"
    server.shutdown()


@pytest.fixture
def space(tmp_path):
    """Return a server of the app as it runs in a Space."""
    script, *options = command_in_container(SPACE_ID="somebody/vit")
    server = Server(tmp_path, script, tuple(options))
    server.start()
    yield server
    server.kill()
    assert server.failures() == []


@pytest.fixture
def visitor(browser):
    """Return a page in a browser with a camera."""
    # Browsers accept a Secure cookie over HTTP from localhost, as they do over HTTPS elsewhere.
    chromium = browser.browser_type.launch(executable_path=CHROMIUM, args=FLAGS + CAMERA)
    page = chromium.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(60_000)
    yield page
    chromium.close()


def framed(other_site: str, server: Server) -> str:
    app = server.url.replace("127.0.0.1", "localhost")  # another site than 127.0.0.1
    return f"{other_site}?{app}/attention?run=vit"


def upload(visitor, url: str, folder):
    """Upload a picture to the app in the frame, and return the server's response."""
    Image.new("RGB", (90, 90), "teal").save(folder / "picture.png")
    visitor.goto(url)
    app = visitor.frame_locator("iframe")
    app.get_by_text("Upload", exact=True).click()
    with visitor.expect_response(re.compile("upload_file")) as uploaded:
        app.locator("input[type=file]").set_input_files(folder / "picture.png")
    return uploaded.value


def test_upload_and_camera_work_in_a_frame_of_another_site(other_site, space, visitor, tmp_path):
    assert upload(visitor, framed(other_site, space), tmp_path).ok
    app = visitor.frame_locator("iframe")
    app.get_by_role("img", name=re.compile("^your picture. Token: CLS")).wait_for()

    app.get_by_text("Camera", exact=True).click()
    app.locator("video").evaluate(RECORDS)
    with visitor.expect_response(re.compile("upload_file")) as taken:
        app.get_by_role("button", name="Take Photo").click()
    assert taken.value.ok


def test_other_sites_cannot_use_the_cookie_where_the_app_is_not_in_a_frame(
    other_site, server, visitor, tmp_path
):
    """The default that a Space has to give up: the cookie stays in the app's own site."""
    assert upload(visitor, framed(other_site, server), tmp_path).status == 403


def test_upload_needs_the_token_in_a_space_and_elsewhere(space, server):
    for running in (space, server):
        upload = urllib.request.Request(
            f"{running.url}/_stcore/upload_file/session/file", b"content", method="PUT"
        )
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(upload)


def test_only_a_space_relaxes_the_cookie():
    script, *options = command_in_container(SPACE_ID="somebody/vit")
    assert script == "vitdemo/ui/space.py"
    assert options[:2] == ["--server.xsrfCookieSameSite", "none"]
    assert command_in_container() == ("app.py", *options[2:])
    assert "samesite" not in (PROJECT / ".streamlit/config.toml").read_text().lower()
