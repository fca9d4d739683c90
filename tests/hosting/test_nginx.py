"""The configuration for a school's own server fits the app and the service beside it."""

import re
import subprocess
import tomllib

import pytest

from tests.hosting.nginx import CONFIGURATION, NGINX, PORTS, UNIT, Nginx
from vitdemo.files import PROJECT
from vitdemo.runs.own_models import MAX_BYTES
from vitdemo.ui.chart import _URLS

SITE = CONFIGURATION.read_text()
SERVICE = UNIT.read_text()


@pytest.mark.skipif(not NGINX, reason="needs nginx: apt-get install nginx")
def test_nginx_accepts_the_configuration(tmp_path):
    nginx = Nginx(tmp_path, 8080, list(PORTS))
    checked = subprocess.run(nginx.command("-t"), capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    assert "[warn]" not in checked.stderr


def test_largest_upload_passes():
    settings = tomllib.loads((PROJECT / ".streamlit/config.toml").read_text())
    megabytes = int(re.search(r"client_max_body_size (\d+)m;", SITE)[1])
    assert megabytes > settings["server"]["maxUploadSize"] >= MAX_BYTES / 2**20


def test_service_and_site_agree_on_path_and_ports():
    assert "--server.baseUrlPath vit " in SERVICE
    assert set(re.findall(r"location (?:= )?/(\w+)", SITE)) == {"vit"}
    assert tuple(map(int, re.findall(r"server 127\.0\.0\.1:(\d+) ", SITE))) == PORTS
    assert "--server.address 127.0.0.1 --server.port %i" in SERVICE
    assert all(f"vit@{port}" in SERVICE for port in PORTS)


def test_site_caches_the_folder_of_plotly():
    assert f"location /vit/{_URLS['plotly'].rsplit('/', 1)[0]}/ {{" in SITE
