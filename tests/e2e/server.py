"""A server of the app, started with `streamlit run app.py`."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def free_port() -> int:
    """Return a port of this machine that nobody uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Server:
    """A server on a free port.

    Args:
        home: folder for its runs, data and log.
        script: script that it runs, from the project's folder.
        options: further options of `streamlit run`.
        path: path of the app in its URL, such as "/vit".
    """

    def __init__(
        self, home: Path, script: str = "app.py", options: tuple[str, ...] = (), path: str = ""
    ):
        self.home = home
        self.script = script
        self.options = options
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}{path}"
        self.process = None

    def start(self) -> None:
        """Start the server and return when it answers."""
        command = [
            sys.executable,
            "-m",
            "streamlit",
            "run",
            self.script,
            *self.options,
            "--server.headless",
            "true",
            "--server.port",
            str(self.port),
        ]
        self.log = (self.home / "server.log").open("a")
        self.process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=os.environ | {"VITDEMO_HOME": str(self.home)},
            stdout=self.log,
            stderr=self.log,
        )
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1)
                return
            except OSError:
                assert self.process.poll() is None, self.logged()
        raise AssertionError(f"the server did not answer within a minute:\n{self.logged()}")

    def kill(self) -> None:
        """Kill the server, as a power failure would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.log.close()

    def logged(self) -> str:
        """Return what the server printed."""
        return (self.home / "server.log").read_text()

    def failures(self) -> list[str]:
        """Return every traceback in the log that goes through a file of this project.

        Others are Streamlit's own: two of its script threads can collide in the session state.
        """
        tracebacks = self.logged().split("Traceback (most recent call last)")[1:]
        return [text for text in tracebacks if f'File "{PROJECT}' in text]


@contextmanager
def stopped(server):
    """Let the server answer nothing for a while."""
    server.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server.process.send_signal(signal.SIGCONT)
