"""The app as the Dockerfile starts it: as user 1000, in the folders of the image, by its command.

No image is built. Its files are copied to a folder that stands for `/` in the image, its packages
are those of this environment, and its port is a free one.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.server import free_port
from tests.hosting.dockerfile import HOME, PORT, arguments, copy_context

UID = arguments("USER")[0]
AS_USER = ("setpriv", "--reuid", UID, "--regid", UID, "--clear-groups")
# Lets the user read this environment wherever it lies, as anybody may in the image; not write.
READS_ALL = (*AS_USER, "--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search")
PATH = f"{Path(sys.executable).parent}:/usr/bin:/bin"
pytestmark = [
    pytest.mark.skipif(os.name == "nt" or os.getuid() != 0, reason="only root can be user 1000"),
    pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv, which Linux has"),
    pytest.mark.slow,
]


@pytest.fixture
def as_user():
    """Return the start of a command that runs as user 1000 and can read this environment."""
    for start in (READS_ALL, AS_USER):
        command = [*start, "/bin/sh", "-c", "python -c 'import streamlit'"]
        if not subprocess.run(command, env={"PATH": PATH}, capture_output=True).returncode:
            return start
    pytest.skip("user 1000 cannot read the folder of this Python")


@pytest.fixture
def root():
    """Return a folder that user 1000 can enter, which it cannot with root's `tmp_path`."""
    folder = Path(tempfile.mkdtemp(prefix="image-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


class Container:
    """The app, started by the command of the Dockerfile.

    Args:
        root: folder that stands for `/` in the image.
        as_user: start of a command that runs as user 1000.
        environment: variables that the host sets, such as SPACE_ID.
    """

    def __init__(self, root: Path, as_user: tuple[str, ...], **environment: str):
        self.root = root
        self.as_user = as_user
        self.home = root / HOME[1:]
        self.app = root / arguments("WORKDIR")[0][1:]
        self.port = str(free_port())
        self.url = f"http://localhost:{self.port}"
        variables = dict(pair.split("=") for pair in arguments("ENV"))
        self.environment = environment | {
            "PATH": PATH,
            "HOME": str(self.home),
            "TMPDIR": str(root / "tmp"),
            **{name: value.replace(HOME, str(self.home)) for name, value in variables.items()},
        }
        self.app.mkdir(parents=True)
        copy_context(self.app)
        (root / "tmp").mkdir()
        for path in (root / "tmp", self.home, *self.home.rglob("*")):
            os.chown(path, int(UID), int(UID))
        command, where = self.command("RUN")
        subprocess.run(command, **where, check=True)

    def command(self, instruction: str) -> tuple[list[str], dict]:
        """Return the last command of an instruction for user 1000, and where it runs."""
        shell = arguments(instruction)[-1].removeprefix("CMD ").replace(PORT, self.port)
        return [*self.as_user, "/bin/sh", "-c", shell], {"cwd": self.app, "env": self.environment}

    def healthy(self) -> bool:
        """Return whether the health check succeeds."""
        command, where = self.command("HEALTHCHECK")
        return subprocess.run(command, **where, stderr=subprocess.DEVNULL).returncode == 0

    def start(self) -> None:
        """Start the app and return when it is healthy."""
        command, where = self.command("CMD")
        with (self.root / "log").open("w") as log:
            self.process = subprocess.Popen(command, **where, stdout=log, stderr=log)
        until = time.monotonic() + 60
        while not self.healthy():
            assert self.process.poll() is None, self.logged()
            assert time.monotonic() < until, self.logged()

    def stop(self) -> None:
        """End the app as `docker stop` does, which kills what has not ended after 10 s."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def logged(self) -> str:
        """Return what the app printed."""
        return (self.root / "log").read_text()


def written_since(start: float, *folders: Path) -> set[str]:
    """Return all files of user 1000 on this machine that changed since then, outside of folders."""
    skipped = " -o ".join(f"-path {folder}" for folder in ("/proc", "/sys", *folders)).split()
    changed = ("-uid", UID, "-newerct", f"@{start}", "-print")
    found = subprocess.run(
        ["find", "/", "(", *skipped, ")", "-prune", "-o", *changed],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # files that are gone by the time that they are looked at
        text=True,
    )
    return set(found.stdout.split("\n")) - {""}


def test_in_a_space_user_1000_trains_and_writes_only_to_its_home(root, as_user, page):
    container = Container(root, as_user, SPACE_ID="somebody/vit")
    assert not container.healthy()
    before = {path for path in container.app.rglob("*") if path.is_file()}
    assert (container.home / "vitdemo").stat().st_uid == int(UID)
    start = time.time()
    container.start()
    try:
        status = Path(f"/proc/{container.process.pid}/status").read_text()
        assert re.search(r"^Uid:(.*)$", status, re.MULTILINE)[1].split() == [UID] * 4
        page.goto(
            f"{container.url}/?depth=1&num_heads=1&embed_dim=16&epochs=1&warmup_epochs=0"
            "&train_images=100&validation_images=100"
        )
        page.get_by_role("button", name="Train", exact=True).click()
        page.get_by_text("Finished after 1 of 1 epochs").wait_for()
        page.get_by_role("link", name="View attention").click()
        page.get_by_role("img", name=re.compile("^Attention of CLS over the patches")).wait_for()
        expect(page.get_by_text("Nothing can be saved here")).to_have_count(0)
        assert container.healthy()
    finally:
        container.stop()

    (run,) = (container.home / "vitdemo/runs").iterdir()
    assert (run / "config.json").stat().st_uid == int(UID)
    assert written_since(start, container.home, container.root / "tmp") == set()
    after = {path for path in container.app.rglob("*") if path.is_file()}
    assert {path for path in after - before if path.suffix != ".pyc"} == set()
    assert "Traceback" not in container.logged()
