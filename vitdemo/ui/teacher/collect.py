"""All runs of the class in one file: a table, or their metrics and settings."""

import csv
import io
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import asdict

import streamlit as st

from ...files import is_plain, runs_folder
from ...runs.about import FILE as ABOUT
from ...runs.index import run_index
from ...runs.summary import RunSummary

STEP = 200  # runs that are read at a time
FILES = ("config.json", "metrics.jsonl", ABOUT)
LARGEST = 2**24  # bytes of a file in the archive


def show_collect() -> None:
    """Draw the two downloads; a file is made when its button is clicked."""
    row = st.container(horizontal=True)
    row.download_button(
        "All runs (CSV)",
        runs_csv,
        "runs.csv",
        "text/csv",
        on_click="ignore",
        help="One line for each saved run: who, settings, state, epochs and accuracy.",
    )
    row.download_button(
        "All runs (ZIP)",
        runs_zip,
        "runs.zip",
        "application/zip",
        on_click="ignore",
        help="The settings and the metrics by epoch of each saved run, without weights.",
    )


def _all_runs() -> Iterator[RunSummary]:
    """Yield all saved runs, newest first."""
    number, count = 1, 1
    while (number - 1) * STEP < count:
        runs, count = run_index().page(number=number, rows=STEP)
        yield from runs
        number += 1


def runs_csv() -> str:
    """Return one line for each run."""
    file = io.StringIO()
    writer = None
    for run in _all_runs():
        about = run.about
        row = {
            "run": run.id,
            "owner": about.owner,
            "nickname": _cell(about.nickname),
            "name": _cell(about.name),
            "tags": _cell(" ".join(about.tags)),
            "state": run.state,
            "epochs_done": run.epochs,
            "accuracy": run.accuracy,
            **{f"model_{name}": value for name, value in asdict(run.model).items()},
            **{f"training_{name}": value for name, value in asdict(run.training).items()},
        }
        if writer is None:
            writer = csv.DictWriter(file, list(row))
            writer.writeheader()
        writer.writerow(row)
    return file.getvalue()


def _cell(text: str) -> str:
    """Return a text that no spreadsheet reads as a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t")) else text


def runs_zip() -> bytes:
    """Return an archive with a folder for each run."""
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for run in _all_runs():
                folder = runs_folder() / run.id
                for path in (folder / name for name in FILES):
                    if is_plain(path) and path.stat().st_size <= LARGEST:
                        archive.write(path, f"{run.id}/{path.name}")
        file.seek(0)
        return file.read()
