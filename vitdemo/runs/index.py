"""The index of saved runs: which there are, and what lists show of each.

A page that lists thirty of thousands of runs asks the index, and reads only files that have
changed. The folders are the truth: the index learns of new and deleted runs from the folder around
them, and compares the stamps of a run's files whenever it lists the run. All other runs are
compared in the background. The index may be deleted at any time.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from math import inf
from pathlib import Path

from ..files import home, index_file, runs_folder, stamp
from . import changes, lock
from . import index_table as table
from .database import Database, Result, fact, set_fact
from .index_table import Wanted
from .run import names_of_runs, read_cached, read_files, stamps_of
from .summary import RunSummary, row_of, summary_in, summary_of

OFFERED = 30  # runs in a picker: the newest, and as many that are pinned
PATIENCE = 0.25  # seconds that a picker waits for runs that were never read, as after an upgrade
ROUNDS = 5  # of selecting, as a run whose files have changed may be wanted no more
UNSURE = 3 * 10**9  # ns after a change of a folder in which another may leave the same time
UNSURE_FILE = 5 * 10**7  # the same for a file, which has a size and an inode, too
COMPARED_EVERY = 30.0  # seconds, while pages list runs
STEP = 50  # runs compared at a time in the background
MOST_EMPTY = 100  # folders without a run that are looked at each time
EVERY_RUN = Wanted()


class RunIndex:
    """The index of the runs in the present home folder."""

    def __init__(self):
        self.home, self.folder = home(), runs_folder()
        self.database = Database(index_file(), table.SCHEMA, table.VERSION)
        self._sweeping = threading.Lock()  # held while all runs are compared
        self._swept = -inf  # when that was done

    def offered(self, wanted: Wanted = EVERY_RUN) -> list[RunSummary]:
        """Return what a picker offers: the newest runs and those that are pinned, newest first.

        Runs that were never read are left out after PATIENCE. The background reads them.
        """
        values = wanted.values(OFFERED)

        def select() -> list[str]:
            chosen = {*self._ids(table.NEWEST, values), *self._ids(table.PINNED, values)}
            return sorted(chosen, reverse=True)

        def find() -> list[RunSummary]:
            self._listed(self._ids(table.NOT_READ, {"count": OFFERED}), PATIENCE)
            if wanted != EVERY_RUN:  # what is wanted may be new to them
                self._listed(self._ids(table.NEWEST, EVERY_RUN.values(OFFERED)))
            return self._settled(select)

        return self._found(find)

    def page(
        self, wanted: Wanted = EVERY_RUN, number: int = 1, rows: int = 20
    ) -> tuple[list[RunSummary], int]:
        """Return page `number`, from 1, of the wanted runs, newest first, and their number."""
        values = wanted.values(rows, (number - 1) * rows)

        def find() -> tuple[list[RunSummary], int]:
            runs = self._settled(lambda: self._ids(table.PAGE, values))
            return runs, self.database.do(lambda connection: table.count_of(connection, values))

        return self._found(find)

    def everything(self, pauses: bool = True) -> list[RunSummary]:
        """Return all runs, newest first, each compared with its files now.

        Args:
            pauses: whether to leave half of the time to other threads.
        """

        def find() -> list[RunSummary]:
            with self._sweeping:
                self._sweep(pauses)
            return self._listed(self._ids(table.ALL, {}))

        return self._found(find)

    def _found(self, find: Callable[[], Result]) -> Result:
        """Return what `find` finds; again if the database was replaced and is empty since then."""
        for _ in range(ROUNDS):
            connected = self.database.connected
            self._catch_up()
            found = find()
            if self.database.connected == connected:
                break
        return found

    def not_read(self) -> int:
        """Return how many runs the background has still to read."""
        return len(self._ids(table.NOT_READ, {"count": -1}))

    def _ids(self, statement: str, values: dict) -> list[str]:
        return self.database.do(lambda connection: table.ids_of(connection, statement, values))

    def _settled(self, select: Callable[[], Sequence[str]]) -> list[RunSummary]:
        """Return the runs that are selected once their rows are as their files are.

        They are selected again until the same ones are: the rows may change meanwhile, here or in
        the background.
        """
        chosen = select()
        for _ in range(ROUNDS):
            listed, before = self._listed(chosen), chosen
            chosen = select()
            if chosen == before:
                break
        return listed

    def _catch_up(self) -> None:
        """Learn which runs there are, and read again those that this process has changed."""
        before, now = stamp(self.folder), time.time_ns()
        if self.database.do(lambda connection: fact(connection, "folder")) != repr(before):
            ids = names_of_runs()
            sure = before is not None and max(before[:2]) < now - UNSURE

            def store(connection) -> None:
                table.set_ids(connection, ids)
                set_fact(connection, "folder", repr(before) if sure else "")

            self.database.do(store)
        self._listed([*changes.take(), *self._ids(table.NO_RUNS, {"count": MOST_EMPTY})])
        due = time.monotonic() > self._swept + COMPARED_EVERY
        if (due or self._ids(table.NOT_READ, {"count": 1})) and not self._sweeping.locked():
            threading.Thread(target=self._sweep_once, name="index", daemon=True).start()

    def _listed(
        self, ids: Sequence[str], patience: float = inf, keep: bool = True
    ) -> list[RunSummary]:
        """Return these runs as they are on disk now.

        Args:
            ids: those of rows; a folder that is no run is left out.
            patience: seconds after which those that have changed are left out, but the first.
            keep: whether what is read stays in memory for the page that shows the run.
        """
        until, listed, stored = time.monotonic() + patience, [], []
        rows = self.database.do(lambda connection: table.rows_of(connection, ids)) if ids else {}
        for run_id in filter(rows.get, ids):
            row, stamps = rows[run_id], stamps_of(self.folder / run_id)
            run, changed = None, row["stamps"] != repr(stamps)
            if not changed and row["state"] != table.NO_RUN:
                run = _decoded(row)
                changed = run is None
            if changed:
                if stored and time.monotonic() > until:
                    continue
                run, now = self._read(run_id, stamps, keep)
                stored.append(now)
            if run and run.active:
                is_held = lock.is_held(self.folder / run_id)
                run = replace(run, state="running" if is_held else "stopped")
            if run:
                listed.append(run)
        if stored:
            self.database.do(lambda connection: table.store(connection, stored))
        return listed

    def _read(self, run_id: str, stamps: tuple, keep: bool) -> tuple[RunSummary | None, dict]:
        """Read the files of a run, and return it with the new values of its row."""
        if not any(stamps):
            return None, {"id": run_id, "stamps": repr(stamps), "state": table.NO_RUN}
        newest = max(stamp[1] for stamp in stamps if stamp)
        sure = newest < time.time_ns() - UNSURE_FILE
        folder = self.folder / run_id
        run = summary_of(read_cached(folder, stamps) if keep and sure else read_files(folder))
        return run, row_of(run) | {"stamps": repr(stamps) if sure else ""}

    def _sweep_once(self) -> None:
        if self._sweeping.acquire(blocking=False):
            try:
                self._sweep(pauses=True)
            finally:
                self._sweeping.release()

    def _sweep(self, pauses: bool) -> None:
        """Compare all runs with their files, newest first, and read those that have changed."""
        ids = self._ids(table.ALL, {})
        for first in range(0, len(ids), STEP):
            step = ids[first : first + STEP]
            rows = self.database.do(lambda connection, step=step: table.rows_of(connection, step))
            for run_id, row in sorted(rows.items(), reverse=True):
                if home() != self.home:  # only in tests
                    return
                if row["stamps"] != repr(stamps_of(self.folder / run_id)):
                    started = time.perf_counter()
                    self._listed([run_id], keep=False)
                    time.sleep((time.perf_counter() - started) if pauses else 0)
            time.sleep(0.005 if pauses else 0)
        self._swept = time.monotonic()


def _decoded(row) -> RunSummary | None:
    """Return the run in a row, or None if the row cannot be used."""
    try:
        return summary_in(row)
    except (ValueError, KeyError, TypeError):
        return None


def run_index() -> RunIndex:
    """Return the index of the runs in the present home folder."""
    return _index_of(home())


@lru_cache(maxsize=1)
def _index_of(home: Path) -> RunIndex:
    return RunIndex()
