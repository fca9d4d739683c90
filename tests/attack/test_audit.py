"""The audit of dependencies in `.ci/run`: it fails on a finding, and says where it cannot look."""

import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.e2e.server import PROJECT


class Database(BaseHTTPRequestHandler):
    """A database that knows nothing."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        """Print nothing."""


@pytest.fixture
def database():
    with HTTPServer(("127.0.0.1", 0), Database) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def audit(tmp_path, database: str, status: int) -> subprocess.CompletedProcess:
    """Run the audit with a pip-audit that ends with this status."""
    tool = tmp_path / "pip-audit"
    tool.write_text(f"#!/bin/sh\necho audited\nexit {status}\n")
    tool.chmod(0o755)
    environment = os.environ | {"DATABASE": database, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    return subprocess.run([PROJECT / ".ci/audit"], env=environment, capture_output=True, text=True)


def test_database_out_of_reach_is_named_and_passes(tmp_path):
    done = audit(tmp_path, "http://127.0.0.1:1", 1)
    assert done.returncode == 0
    assert "could not reach the vulnerability database" in done.stdout
    assert "audited" not in done.stdout


@pytest.mark.parametrize("status", [0, 1])
def test_finding_fails(tmp_path, database, status):
    done = audit(tmp_path, database, status)
    assert done.returncode == status
    assert done.stdout == "audited\n"


def test_audit_without_end_is_named_and_passes(tmp_path, database):
    done = audit(tmp_path, database, 124)
    assert done.returncode == 0
    assert "not done after 15 seconds" in done.stdout


def test_ci_audits():
    assert "\n.ci/audit\n" in (PROJECT / ".ci" / "run").read_text()
