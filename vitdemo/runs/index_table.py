"""The table of the index of runs: one row per folder that may be that of a run."""

import json
import sqlite3
import zlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields

from ..config import ModelConfig, TrainConfig
from .about import About
from .summary import RunSummary

NO_RUN = "none"  # state of a row without a run; it is empty as long as the run was not read
MOST_WORDS = 4  # of a search; more are ignored

SCHEMA = (
    "DROP TABLE IF EXISTS runs",
    """CREATE TABLE runs (
        id TEXT PRIMARY KEY,
        stamps TEXT NOT NULL DEFAULT '',  -- of its files when they were read; empty: read again
        state TEXT NOT NULL DEFAULT '',  -- on disk
        owner TEXT NOT NULL DEFAULT '',
        published INTEGER NOT NULL DEFAULT 0,
        pinned INTEGER NOT NULL DEFAULT 0,
        has_weights INTEGER NOT NULL DEFAULT 0,
        words TEXT NOT NULL DEFAULT '',  -- what a search looks at, casefolded
        accuracy REAL,
        epochs INTEGER NOT NULL DEFAULT 0,
        message TEXT NOT NULL DEFAULT '',
        model TEXT NOT NULL DEFAULT '',
        training TEXT NOT NULL DEFAULT '',
        about TEXT NOT NULL DEFAULT ''
    ) WITHOUT ROWID""",
    # All that a search needs but the words, so that it reads a twentieth of the table.
    "CREATE INDEX listed ON runs (id DESC, owner, published, has_weights, state)",
    "CREATE INDEX owned ON runs (owner, id)",
    "CREATE INDEX pinned ON runs (id) WHERE pinned",
    "CREATE INDEX not_read ON runs (id) WHERE state = ''",
    "CREATE INDEX no_run ON runs (id) WHERE state = 'none'",
)
COLUMNS = [SCHEMA, *([f.name for f in fields(kind)] for kind in (RunSummary, About))]
COLUMNS += [[f.name for f in fields(kind)] for kind in (ModelConfig, TrainConfig)]
VERSION = str(zlib.crc32(repr(COLUMNS).encode()))  # of the table and of what is in it

# Who may see a run: everyone where there are no owners, its owner, everyone if it is published,
# and whoever was given its id.
_VISIBLE = """
    state <> 'none'
    AND (has_weights OR NOT :models)
    AND (:owner IS NULL OR owner = :owner OR published
         OR id IN (SELECT value FROM json_each(:also)))
"""
_FOUND = """
    AND instr(words, :word1) AND instr(words, :word2)
    AND instr(words, :word3) AND instr(words, :word4)
"""
_NEWEST = " ORDER BY id DESC LIMIT :count OFFSET :skipped"
NEWEST = "SELECT id FROM runs WHERE state <> '' AND" + _VISIBLE + _NEWEST
PINNED = "SELECT id FROM runs WHERE pinned AND" + _VISIBLE + _NEWEST
PAGE = "SELECT id FROM runs WHERE" + _VISIBLE + _FOUND + _NEWEST
COUNT = "SELECT count(*) FROM runs WHERE" + _VISIBLE + _FOUND
NOT_READ = "SELECT id FROM runs WHERE state = '' ORDER BY id DESC LIMIT :count"
NO_RUNS = "SELECT id FROM runs WHERE state = 'none' ORDER BY id DESC LIMIT :count"
ALL = "SELECT id FROM runs ORDER BY id DESC"
ROWS = """
    SELECT id, stamps, state, owner, published, pinned, has_weights, words, accuracy, epochs,
        message, model, training, about
    FROM runs WHERE id IN (SELECT value FROM json_each(:ids))
"""
ADD = "INSERT OR IGNORE INTO runs (id, words) VALUES (?, ?)"
REMOVE = "DELETE FROM runs WHERE id = ?"
STORE = """
    UPDATE runs SET stamps = :stamps, state = :state, owner = :owner, published = :published,
        pinned = :pinned, has_weights = :has_weights, words = :words, accuracy = :accuracy,
        epochs = :epochs, message = :message, model = :model, training = :training, about = :about
    WHERE id = :id
"""
STORE_NO_RUN = "UPDATE runs SET stamps = :stamps, state = 'none' WHERE id = :id"


@dataclass(frozen=True)
class Wanted:
    """Which runs are asked for.

    Args:
        owner: whose runs, as in `About`; published ones are among them. None: those of everyone.
        also: ids of further runs that may be seen, by their link.
        models: whether only runs with weights are wanted.
        text: words, each of which is in the id, the name, a tag or the nickname of the owner.
    """

    owner: str | None = None
    also: tuple[str, ...] = ()
    models: bool = False
    text: str = ""

    def values(self, count: int = -1, skipped: int = 0) -> dict:
        """Return the values that the statements name."""
        text = self.text.encode("utf-8", "replace").decode()  # half of a surrogate pair is no text
        words = [*text.casefold().split()[:MOST_WORDS], *[""] * MOST_WORDS]
        values = {f"word{number}": words[number - 1] for number in range(1, MOST_WORDS + 1)}
        values |= {"owner": self.owner, "also": json.dumps(self.also), "models": self.models}
        return values | {"count": count, "skipped": skipped}


def ids_of(connection: sqlite3.Connection, statement: str, values: dict) -> list[str]:
    """Return the ids that a statement selects."""
    return [row["id"] for row in connection.execute(statement, values)]


def rows_of(connection: sqlite3.Connection, ids: Iterable[str]) -> dict[str, sqlite3.Row]:
    """Return those of the rows with these ids that are there."""
    rows = connection.execute(ROWS, {"ids": json.dumps(list(ids))})
    return {row["id"]: row for row in rows}


def set_ids(connection: sqlite3.Connection, ids: Collection[str]) -> None:
    """Keep the rows of these ids, drop all others, and add those that are missing."""
    known = set(ids_of(connection, ALL, {}))
    connection.executemany(REMOVE, [(run_id,) for run_id in known - set(ids)])
    connection.executemany(ADD, [(run_id, run_id) for run_id in set(ids) - known])


def store(connection: sqlite3.Connection, rows: Iterable[dict]) -> None:
    """Write rows that are there already; one of a folder that is no run has no other values."""
    for row in rows:
        connection.execute(STORE_NO_RUN if row["state"] == NO_RUN else STORE, row)


def count_of(connection: sqlite3.Connection, values: dict) -> int:
    """Return how many runs there are on all pages."""
    return connection.execute(COUNT, values).fetchone()[0]
