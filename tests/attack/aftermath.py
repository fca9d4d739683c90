"""What must hold after each attack: nothing leaked, nobody else harmed, nothing left behind."""

import re
from pathlib import Path

from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests.e2e.server import PROJECT
from tests.http_requests import send
from tests.protocol import Visitor

MEMORY = 600 * 2**20  # bytes that the server may need at most beyond what its pages take
SKIPPED = {"__pycache__", ".git", ".pytest_cache", ".ruff_cache", "node_modules", ".hypothesis"}
REDACTED = "This app has encountered an error."


def exceptions_in(messages: list[ForwardMsg]) -> list:
    """Return the exceptions that a page shows."""
    shown = [message.delta.new_element for message in messages if message.HasField("delta")]
    return [element.exception for element in shown if element.WhichOneof("type") == "exception"]


def assert_nothing_leaked(messages: list[ForwardMsg], *secrets: str) -> None:
    """Check that no text in these messages has a path of this machine, a traceback or a secret.

    Streamlit itself sends the path of its main script with each new session.
    """
    needles = [str(PROJECT), str(Path.home()) + "/", "Traceback (most recent", "site-packages"]
    for message in messages:
        raw = message.SerializeToString()
        if message.HasField("new_session"):
            raw = raw.replace(message.new_session.main_script_path.encode(), b"")
        for needle in [*needles, *secrets]:
            assert needle.encode() not in raw, f"{needle} in a {message.WhichOneof('type')}"
        assert message.WhichOneof("type") != "session_event"  # an error while compiling
    for exception in exceptions_in(messages):
        assert not exception.stack_trace
        assert not exception.message or exception.message.startswith(REDACTED)


def assert_unharmed(visitor: Visitor, *secrets: str) -> None:
    """Check that a visitor was shown no error, and was told nothing of this machine."""
    visitor.catch_up()
    assert exceptions_in(visitor.received) == []
    assert_nothing_leaked(visitor.received, str(visitor.home), *secrets)
    assert is_healthy(visitor.url)
    visitor.received.clear()


def is_healthy(url: str) -> bool:
    """Return whether the server answers."""
    return send(url, "GET", "/_stcore/health").status == 200


def assert_renders(url: str) -> None:
    """Check that a new visitor sees a whole page."""
    with Visitor(url, "transformer") as other:
        other.run()
        other.catch_up()
        assert exceptions_in(other.received) == []
        assert len(list(other.page.all("markdown"))) > 10


def most_memory_of(process: int) -> int:
    """Return the most bytes of memory that a process has used so far, on Linux."""
    status = Path(f"/proc/{process}/status").read_text()
    return 1024 * int(re.search(r"VmHWM:\s+(\d+)", status)[1])


def files_in(*folders: Path) -> dict[str, tuple]:
    """Return size and time of change of every file in these folders, but of no caches."""
    found = {}
    for folder in folders:
        for path in folder.rglob("*"):
            if not SKIPPED & set(path.parts) and path.is_file():
                found[str(path)] = (path.stat().st_size, path.stat().st_mtime_ns)
    return found
