"""What is too large to ship, fetched in the background so that a page can show how far it is."""

import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from ..config import ConfigError
from ..data.cifar10 import download_full_set
from ..files import data_folder, full_set_on_disk
from ..runs.pretrained import PRETRAINED, arrived, fetch_weights, megabytes_of, weights_file

FULL_SET = "cifar10"
ARCHIVE = "cifar-10-python.tar.gz"
ARCHIVE_BYTES = 170_498_071


@dataclass(frozen=True)
class Fetch:
    """Where a download stands."""

    state: str  # "absent", "running", "done" or "failed"
    fraction: float = 0.0  # of its bytes
    message: str = ""  # why it failed


_lock = threading.Lock()
_threads: dict[str, threading.Thread] = {}
_errors: dict[str, str] = {}


def start_fetch(what: str) -> None:
    """Begin a download, unless it runs.

    Args:
        what: FULL_SET, or a name of PRETRAINED.
    """
    work = download_full_set if what == FULL_SET else lambda: fetch_weights(what)
    with _lock:
        if _running(what):
            return
        _errors.pop(what, None)
        _threads[what] = threading.Thread(
            target=_work, args=(what, work), name=f"fetch-{what}", daemon=True
        )
        _threads[what].start()


def fetch_status(what: str) -> Fetch:
    """How far it is now."""
    if _running(what):
        return Fetch("running", min(1.0, _fraction(what)))
    if what in _errors:
        return Fetch("failed", message=_errors[what])
    there = full_set_on_disk() if what == FULL_SET else weights_file(what).is_file()
    return Fetch("done", 1.0) if there else Fetch("absent")


def _running(what: str) -> bool:
    return what in _threads and _threads[what].is_alive()


def _fraction(what: str) -> float:
    if what in PRETRAINED:
        return arrived(what) / (megabytes_of(what) * 2**20)
    archive = data_folder() / ARCHIVE
    return archive.stat().st_size / ARCHIVE_BYTES if archive.exists() else 0.0


def _work(what: str, work: Callable[[], None]) -> None:
    try:
        work()
    except ConfigError as error:
        _errors[what] = str(error)
    except Exception as error:
        traceback.print_exc()
        _errors[what] = f"The download broke off: {error or type(error).__name__}"
