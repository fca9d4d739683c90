"""A class at one server: who is there, and which page the teacher has sent everyone to."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

AWAY = 45.0  # seconds without a sign of life after which somebody has left


@dataclass(frozen=True)
class Call:
    """A page that everyone shall see."""

    page: str  # its path in the URL; empty for the first page
    query: Mapping[str, str] = field(default_factory=dict)
    made: float = 0.0  # time.monotonic(); tells one call from the next


class Classroom:
    """The people who have a page open now, and the last call of the teacher."""

    def __init__(self):
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[float, str]] = {}  # owner -> when, nickname
        self._call: Call | None = None

    def enter(self, owner: str, nickname: str) -> None:
        """Note that somebody has a page open. Pages say so every few seconds."""
        now = time.monotonic()
        with self._lock:
            self._seen[owner] = (now, nickname)
            for other in [o for o, (when, _) in self._seen.items() if when < now - AWAY]:
                del self._seen[other]

    def present(self) -> dict[str, str]:
        """Return the nicknames of those who are there, by owner."""
        since = time.monotonic() - AWAY
        with self._lock:
            return {owner: name for owner, (when, name) in self._seen.items() if when >= since}

    def call(self, page: str, query: Mapping[str, str]) -> None:
        """Send everyone to a page."""
        self._call = Call(page, dict(query), time.monotonic())

    def called(self, since: float) -> Call | None:
        """Return the last call if it was made after a moment, in time.monotonic()."""
        call = self._call
        return call if call and call.made > since else None


CLASSROOM = Classroom()  # of this process
