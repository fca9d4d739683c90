"""An SQLite file that may be deleted, damaged, locked or refused by the disk at any time.

Several processes and threads share it. All in it can be computed again, so a damaged file is
replaced, and where there can be no file, the process goes on with a database in its memory.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from ..files import lock

PATIENCE = 2.0  # seconds that a transaction waits for those of other processes
FACTS = "CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)"
REFUSED = (  # kinds of errors that another file would not cure
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
)
Result = TypeVar("Result")


class Database:
    """One connection for all threads of a process. The table `facts` is always there.

    Args:
        path: the file, in a folder of its own.
        schema: statements that drop all other tables and make them.
        version: changes with the tables and what is in them; those of another version are dropped.
    """

    def __init__(self, path: Path, schema: tuple[str, ...], version: str):
        self.path, self.schema, self.version = path, schema, version
        self.in_memory = False
        self.connected = 0  # times; what was written before the last time may be gone
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple | None = None  # process and file of the connection

    def do(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run `work` as one transaction and return its result. It may be tried up to four times.

        Raises:
            sqlite3.Error: it fails in memory, too.
        """
        with self._lock:
            try:
                return self._attempt(work)
            except (sqlite3.DatabaseError, OSError) as error:
                self._close()
                damaged = _is_damage(error)
            if damaged and not self.in_memory:
                with _one_at_a_time(self.path.parent):
                    with suppress(sqlite3.DatabaseError, OSError):
                        return self._attempt(work)  # another connection may have replaced the file
                    self._close()
                    self._delete()
                    with suppress(sqlite3.DatabaseError, OSError):
                        return self._attempt(work)
                    self._close()
            self.in_memory = True
            return self._attempt(work)

    def _attempt(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        with self._current() as connection:  # commits, or rolls back after an error
            connection.execute("BEGIN IMMEDIATE")
            return work(connection)

    def _current(self) -> sqlite3.Connection:
        """Return the connection; a new one after a fork, and after the file was deleted."""
        if self._connection is None or self._opened != self._place():
            self._close()
            self._connection = self._connect()
            self._opened = self._place()
            self.connected += 1
        return self._connection

    def _place(self) -> tuple:
        """Return what identifies the process and the file that a connection belongs to."""
        if self.in_memory:
            return (os.getpid(),)
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return (os.getpid(), None)
        return os.getpid(), status.st_dev, status.st_ino

    def _connect(self) -> sqlite3.Connection:
        if not self.in_memory:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            ":memory:" if self.in_memory else self.path,
            timeout=PATIENCE,
            isolation_level=None,  # transactions begin and end where this file says so
            check_same_thread=False,  # `_lock` keeps threads apart
        )
        connection.row_factory = sqlite3.Row
        with suppress(sqlite3.OperationalError):  # another process sets the same at this moment
            connection.execute("PRAGMA journal_mode = WAL")  # readers and a writer at once
        connection.execute("PRAGMA synchronous = NORMAL")
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(FACTS)
            if fact(connection, "version") != self.version:
                for statement in self.schema:
                    connection.execute(statement)
                connection.execute("DELETE FROM facts")
                set_fact(connection, "version", self.version)
        return connection

    def _close(self) -> None:
        if self._connection is not None and self._opened and self._opened[0] == os.getpid():
            with suppress(sqlite3.Error):
                self._connection.close()  # that of the process before a fork is left alone
        self._connection = None

    def _delete(self) -> None:
        for end in ("", "-wal", "-shm"):
            with suppress(OSError):
                Path(f"{self.path}{end}").unlink()


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Let no other connection replace the file in this folder, unless it takes too long."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        yield
        return
    try:
        end = time.monotonic() + PATIENCE
        while lock(descriptor) is False and time.monotonic() < end:
            time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)


def _is_damage(error: Exception) -> bool:
    """Whether what is in a file is wrong; otherwise it is locked, or the disk refuses it."""
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY_DBMOVED:
        return True  # another connection is replacing it
    code = getattr(error, "sqlite_errorcode", None)  # in its last byte, the kind of error
    return isinstance(error, sqlite3.DatabaseError) and (code is None or code & 0xFF not in REFUSED)


def fact(connection: sqlite3.Connection, name: str) -> str | None:
    """Return a value by its name, if it is there."""
    row = connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
    return row["value"] if row else None


def set_fact(connection: sqlite3.Connection, name: str, value: str) -> None:
    """Set a value by its name."""
    connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))
