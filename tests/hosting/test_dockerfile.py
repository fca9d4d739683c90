"""The Dockerfile says what a Space and other container hosts need.

No image is built here: that needs a Docker daemon and two package indexes. Its commands are run one
by one in tests/e2e/test_container.py.
"""

import http.server
import importlib.metadata
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.hosting.dockerfile import HOME, PORT, PROJECT, arguments, copy_context, steps

GPU = re.compile("nvidia-|cuda-|triton$")  # packages that only the build with CUDA needs
GPU_LIBRARIES = re.compile(r"torch/lib/lib(torch_cuda|torch_nvshmem|c10_cuda|caffe2_nvrtc)")
REQUIREMENTS = [
    Requirement(line)
    for line in (PROJECT / "requirements.txt").read_text().splitlines()
    if not line.startswith("#")
]


def test_app_runs_as_user_1000_whose_home_holds_the_app_and_its_runs():
    assert arguments("USER") == ["1000"]
    assert "--create-home --uid 1000 user" in arguments("RUN")[0]
    assert arguments("WORKDIR") == [f"{HOME}/app"]
    assert arguments("ENV") == [f"VITDEMO_HOME={HOME}/vitdemo"]
    # That user makes the folder of the runs, and no step after that is root's.
    assert steps().index(("RUN", 'mkdir "$VITDEMO_HOME"')) > steps().index(("USER", "1000"))


def test_one_port_is_exposed_served_checked_and_named_to_the_space():
    assert arguments("EXPOSE") == [PORT]
    assert f"--server.port {PORT}" in arguments("CMD")[0]
    assert f"'localhost', {PORT}" in arguments("HEALTHCHECK")[0]
    (front_matter,) = re.findall(
        r"^---\n(.*?)^---$", (PROJECT / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    settings = dict(line.split(": ") for line in front_matter.splitlines())
    assert settings["sdk"] == "docker"
    assert settings["app_port"] == PORT


def test_torch_comes_without_cuda_in_the_versions_of_the_requirements():
    cpu, rest = (command.strip() for command in arguments("RUN")[1].split("&&"))
    assert cpu.endswith("--index-url https://download.pytorch.org/whl/cpu")
    pins = [Requirement(word) for word in cpu.split() if "==" in word]
    assert {pin.name for pin in pins} == {"torch", "torchvision"}
    assert {str(pin) for pin in pins} <= {str(requirement) for requirement in REQUIREMENTS}
    # The second command then finds both installed, and fetches neither from PyPI.
    assert rest == "pip install --no-cache-dir -r requirements.txt"
    for pin in pins:
        (version,) = (specifier.version for specifier in pin.specifier)
        assert pin.specifier.contains(Version(f"{version}+cpu"))
    same = cpu.replace(" --no-cache-dir", "")  # for people, who keep the cache of pip
    for file in ("README.md", ".hosting/README.md"):
        assert same.removeprefix("pip ") in (PROJECT / file).read_text(), file


def test_image_holds_no_secret():
    text = (PROJECT / "Dockerfile").read_text()
    assert not re.search(r"secret|token|password|api_key|credential", text, re.IGNORECASE)
    assert arguments("ARG") == []


def test_image_gets_the_app_and_not_its_tests_or_history(tmp_path):
    copy_context(tmp_path)
    copied = {path.name for path in tmp_path.iterdir()}
    assert {"app.py", "pages", "vitdemo", "checkpoints", "requirements.txt", ".streamlit"} <= copied
    assert copied.isdisjoint({"tests", ".git", ".github", ".ci", ".hosting", "runs", "data"})
    ignored = set((PROJECT / ".dockerignore").read_text().splitlines())
    # What is no part of a clean copy, but may lie in a folder that someone works in.
    unwanted = set((PROJECT / ".gitignore").read_text().replace("/", "").splitlines())
    assert unwanted - {"__pycache__"} <= ignored
    assert "**/__pycache__" in ignored


def installed(requirements: list[Requirement], found: dict) -> dict:
    """Add the distributions of the requirements and of all that they need to `found`."""
    for requirement in requirements:
        name = canonicalize_name(requirement.name)
        if name in found or GPU.match(name):
            continue
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        found[name] = importlib.metadata.distribution(name)
        installed([Requirement(text) for text in found[name].requires or []], found)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="wheels of other systems have other sizes")
def test_packages_and_app_leave_the_image_below_2_5_gb(tmp_path):
    """Packages, without what CUDA needs, and the app, in 2.2 GB: 0.3 GB are for python:3.11-slim.

    With `-s` this prints the sum.
    """
    total = 0
    for distribution in installed(REQUIREMENTS, {}).values():
        for file in distribution.files or []:
            path = Path(distribution.locate_file(file))
            if path.is_file() and not GPU_LIBRARIES.match(str(file)):
                total += path.stat().st_size
    copy_context(tmp_path)
    total += sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    print(f"{total / 1e9:.2f} GB of packages and app")
    assert 0.5e9 < total < 2.2e9


@pytest.mark.skipif(not shutil.which("useradd"), reason="needs useradd, which Debian has")
def test_user_is_made_by_the_exact_command(tmp_path):
    (tmp_path / "etc").mkdir()
    for name in ("passwd", "group"):
        (tmp_path / "etc" / name).touch()
    command, *options = arguments("RUN")[0].split()
    made = subprocess.run(
        [shutil.which(command), "--prefix", tmp_path, *options], capture_output=True, text=True
    )
    if "Permission denied" in made.stderr or "cannot lock" in made.stderr:
        pytest.skip(f"useradd needs root: {made.stderr}")
    name, _, uid, _, _, home, _ = (tmp_path / "etc/passwd").read_text().split(":")
    assert (name, uid, home) == ("user", "1000", HOME)
    assert (tmp_path / HOME[1:]).is_dir()


@pytest.fixture
def app():
    """Return a stand-in for the app: its port, the paths it was asked for, the status it gives."""

    class Answer(http.server.BaseHTTPRequestHandler):
        asked: list[str] = []  # noqa: RUF012
        status = 200

        def do_GET(self):
            self.asked.append(self.path)
            self.send_response(self.status)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Answer.port = server.server_port
    yield Answer
    server.shutdown()


def check_health(port: int, **environment: str) -> int:
    """Run the exact command of the health check but for the port, and return its exit status."""
    command = arguments("HEALTHCHECK")[0].removeprefix("CMD ").replace(PORT, str(port))
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    return subprocess.run(
        ["/bin/sh", "-c", command], env={"PATH": path} | environment, stderr=subprocess.DEVNULL
    ).returncode


def test_health_check_asks_the_app_and_no_proxy(app):
    assert check_health(app.port, http_proxy="http://127.0.0.1:1") == 0
    assert app.asked == ["/_stcore/health"]


def test_health_check_follows_the_path_behind_a_reverse_proxy(app):
    assert check_health(app.port, STREAMLIT_SERVER_BASE_URL_PATH="vit") == 0
    assert app.asked == ["/vit/_stcore/health"]


def test_health_check_fails_for_an_app_that_is_not_ready_or_gone(app):
    app.status = 503
    assert check_health(app.port) == 1
    assert check_health(1) == 1
