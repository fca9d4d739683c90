"""Settings of the server as Streamlit recommends them, and the headers it sends."""

import tomllib

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.e2e.server import PROJECT
from tests.http_requests import send
from vitdemo.runs.own_models import MAX_BYTES

WANTED = {  # set here or left at Streamlit's default, which a new version might change
    "server.enableXsrfProtection": True,
    "server.enableCORS": True,
    "server.xsrfCookieSameSite": "lax",
    "server.fileWatcherType": "none",
    "server.runOnSave": False,
    "server.enableStaticServing": False,
    "server.enableAgentApi": False,
    "server.scriptHealthCheckEnabled": False,
    "server.trustedUserHeaders": {},
    "server.corsAllowedOrigins": [],
    "server.maxUploadSize": MAX_BYTES // 2**20,
    "client.showErrorDetails": "none",
    "client.showErrorLinks": False,
    "client.toolbarMode": "minimal",
    "browser.gatherUsageStats": False,
    "global.developmentMode": False,
}


@pytest.mark.parametrize(("name", "value"), WANTED.items(), ids=WANTED)
def test_setting(name, value, monkeypatch):
    from streamlit import config

    monkeypatch.chdir(PROJECT)
    config.get_config_options(force_reparse=True)
    assert config.get_option(name) == value


def test_settings_file_keeps_no_secret():
    settings = tomllib.loads((PROJECT / ".streamlit" / "config.toml").read_text())
    assert "cookieSecret" not in settings["server"]
    assert not (PROJECT / ".streamlit" / "secrets.toml").exists()


def test_cookie_is_for_this_site(server):
    cookie = send(server.url, "GET", "/_stcore/health").headers["set-cookie"]
    assert "SameSite=Lax" in cookie


def test_pages_of_other_sites_read_nothing(server):
    for path in ("/", "/_stcore/health", "/_stcore/host-config", "/media/x"):
        answer = send(server.url, "GET", path, headers={"Origin": "https://example.com"})
        assert answer.headers.get("access-control-allow-origin") in (None, "http://localhost")


def test_pages_of_other_sites_open_no_session(server):
    url = server.url.replace("http", "ws") + "/_stcore/stream"
    with pytest.raises(InvalidStatus), connect(url, origin="https://example.com"):
        pass


def test_headers_say_no_more_than_the_server_must(server):
    answer = send(server.url, "GET", "/")
    assert answer.status == 200
    assert not {"x-powered-by", "x-debug", "x-streamlit-version"} & set(answer.headers)
