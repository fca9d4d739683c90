"""Nodes of a Ray cluster on this machine: processes of their own, as `ray start` makes them."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

RAY = Path(sys.executable).parent / "ray"
TIMEOUT = 60  # seconds


class Node:
    """A node with one core. Its processes are one session, which ends with `kill`.

    Args:
        arguments: of `ray start`.
        log: file for what it prints.
    """

    def __init__(self, *arguments: str, log: Path):
        command = [RAY, "start", "--block", "--num-cpus", "1", "--disable-usage-stats"]
        command += ["--object-store-memory", str(100 * 2**20), *arguments]
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                command, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
            )

    def processes(self) -> dict[int, str]:
        """Return the ids and the titles of its processes, which are one session."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has just ended
                if os.getsid(int(folder.name)) == self.process.pid:
                    words = (folder / "cmdline").read_bytes().split(b"\0")
                    found[int(folder.name)] = words[0].decode().strip()
        return found

    def trainers(self, doing: str = "") -> list[int]:
        """Return the ids of its trainers' processes: those that are idle, or call this method."""
        wanted = f"ray::Trainer.{doing}" if doing else "ray::Trainer"
        return [process for process, title in self.processes().items() if title == wanted]

    def kill(self) -> None:
        """End the node at once, with all that runs on it, as a power failure does."""
        while processes := self.processes():
            for process in processes:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            self.process.poll()
        self.process.wait(TIMEOUT)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
