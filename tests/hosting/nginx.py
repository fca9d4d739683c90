"""nginx with the configuration for a school's own server, and what it logged."""

import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.hosting.dockerfile import PROJECT

CONFIGURATION = PROJECT / ".hosting/nginx.conf"
UNIT = PROJECT / ".hosting/vit@.service"
PORTS = (8501, 8502)  # of the two processes in the configuration
# Debian puts it where only root finds it.
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
AROUND = """
daemon off;
pid nginx.pid;
error_log error.log;
{user}
events {{}}
http {{
    types {{ text/html html; }}
    log_format fields "$request_method\t$uri\t$status\t$upstream_addr\t$upstream_cache_status"
        "\t$vit_visitor";
    access_log access.log fields;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include vit.conf;
}}
"""


@dataclass(frozen=True)
class Request:
    """A request as nginx logged it, after its response."""

    method: str
    path: str
    status: int
    process: str  # address of the process that answered, or "-"
    cache: str  # "HIT", "MISS" or "-"
    visitor: str  # value of the cookie that tells visitors apart


def replaced(text: str, old: str, new: str) -> str:
    """Return the text with another value, which it must have had."""
    assert old in text, f"{CONFIGURATION.name} has no {old!r}"
    return text.replace(old, new)


class Nginx:
    """nginx in front of the processes of the app, with its files in a folder.

    Args:
        folder: for its configuration, logs and cache.
        port: port of the site.
        processes: ports of the two processes of the app.
    """

    def __init__(self, folder: Path, port: int, processes: list[int]):
        self.folder = folder
        self.address = f"127.0.0.1:{port}"
        site = replaced(CONFIGURATION.read_text(), "listen 80;", f"listen {self.address};")
        site = replaced(site, "/var/lib/nginx/vit", "cache")
        for expected, actual in zip(PORTS, processes, strict=True):
            site = replaced(site, f"server 127.0.0.1:{expected} ", f"server 127.0.0.1:{actual} ")
        (folder / "vit.conf").write_text(site)
        user = "user root;" if os.getuid() == 0 else ""  # to write to a folder of root's
        (folder / "nginx.conf").write_text(AROUND.format(user=user))

    def command(self, *options: str) -> list[str]:
        """Return the command that runs nginx in the folder."""
        return [NGINX, "-p", str(self.folder), "-e", "error.log", "-c", "nginx.conf", *options]

    def start(self) -> None:
        """Start nginx. It listens before it starts the processes that answer."""
        self.process = subprocess.Popen(self.command(), stderr=subprocess.PIPE, text=True)
        until = time.monotonic() + 10
        while not (self.folder / "nginx.pid").exists():
            assert self.process.poll() is None, self.process.stderr.read()
            assert time.monotonic() < until, (self.folder / "error.log").read_text()

    def stop(self) -> None:
        """Stop nginx and the processes that it started."""
        self.process.terminate()
        self.process.wait(10)

    def log(self) -> list[Request]:
        """Return all requests that have been answered."""
        lines = (self.folder / "access.log").read_text().splitlines()
        fields = (line.split("\t") for line in lines)
        return [Request(method, path, int(code), *rest) for method, path, code, *rest in fields]

    def logged(self, wanted) -> list[Request]:
        """Return the requests for which `wanted` is true, when there are any."""
        until = time.monotonic() + 10
        while not (found := [request for request in self.log() if wanted(request)]):
            assert time.monotonic() < until, self.log()
        return found
