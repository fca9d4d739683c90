"""The full CIFAR-10, fetched in the background so that a page can show how far it is."""

import threading
import traceback
from dataclasses import dataclass

from .config import ConfigError
from .data import download_full_set
from .paths import full_set_on_disk, home

ARCHIVE = "cifar-10-python.tar.gz"
ARCHIVE_BYTES = 170_498_071


@dataclass(frozen=True)
class Fetch:
    """Where the download stands."""

    state: str  # "absent", "running", "done" or "failed"
    fraction: float = 0.0  # of the archive's bytes
    message: str = ""  # why it failed


_lock = threading.Lock()
_thread: threading.Thread | None = None
_error = ""


def start_fetch() -> None:
    """Begin the download, unless it runs."""
    global _thread, _error
    with _lock:
        if _thread and _thread.is_alive():
            return
        _error = ""
        _thread = threading.Thread(target=_work, name="fetch-cifar10", daemon=True)
        _thread.start()


def fetch_status() -> Fetch:
    """How far it is now."""
    if _thread and _thread.is_alive():
        archive = home() / "data" / ARCHIVE
        size = archive.stat().st_size if archive.exists() else 0
        return Fetch("running", min(1.0, size / ARCHIVE_BYTES))
    if _error:
        return Fetch("failed", message=_error)
    return Fetch("done", 1.0) if full_set_on_disk() else Fetch("absent")


def _work() -> None:
    global _error
    try:
        download_full_set()
    except ConfigError as error:
        _error = str(error)
    except Exception as error:
        traceback.print_exc()
        _error = f"The download broke off: {error or type(error).__name__}"
