"""Which run is looked at: those of this process, those on disk, and the checkpoints that ship."""

import time

import streamlit as st

from ..jobs import QUEUE, Snapshot
from ..runs import Run, list_runs, load_weights, shipped_runs
from . import address

ACTIVE = ("waiting", "running")


def all_snapshots() -> dict[str, Snapshot]:
    """Run id -> where it stands: this process's, then saved ones, newest first, then shipped ones."""
    snapshots = {snapshot.run.id: snapshot for snapshot in QUEUE.list()}
    for run in (*list_runs(), *shipped_runs()):
        snapshots.setdefault(run.id, Snapshot(run, progress=1.0))
    return snapshots


def pick_run(label: str, with_weights: bool = False) -> Snapshot | None:
    """A picker over all runs; the choice stands in the session, and in the address as `run`.

    Args:
        label: of the picker.
        with_weights: offer only runs whose model can be loaded.
    """
    snapshots = all_snapshots()
    if with_weights:
        snapshots = {run_id: snapshot for run_id, snapshot in snapshots.items() if snapshot.run.weights.is_file()}
    ids = list(snapshots)
    asked = st.session_state.get("run") or st.query_params.get("run")
    if asked and asked not in ids:
        address.note(f"There is no run {asked[:40]} here to show: choose one from the list.")
    if not ids:
        return None
    if asked not in ids:
        asked = default_run(snapshots)
    st.session_state["run"] = asked
    key = f"run-{asked}"  # a picker for each choice: an old one's value cannot come back

    def choose():
        st.session_state["run"] = st.session_state[key]

    st.selectbox(
        label,
        ids,
        index=ids.index(asked),
        key=key,
        on_change=choose,
        format_func=lambda run_id: run_name(snapshots[run_id].run),
        help="Trainings of this session and saved ones, the newest first, and the checkpoints that ship with the app.",
    )
    return snapshots[asked]


def default_run(snapshots: dict[str, Snapshot]) -> str:
    """The shipped checkpoint, or the newest where none ships."""
    shipped = [run.id for run in shipped_runs() if run.id in snapshots]
    return shipped[-1] if shipped else next(iter(snapshots))


def run_name(run: Run) -> str:
    """One line that tells runs apart."""
    model, last = run.model, run.history[-1] if run.history else None
    parts = [
        f"depth {model.depth}",
        f"{model.num_heads} heads",
        f"patch {model.patch_size}",
        f"{run.training.train_images:,} images",
    ]
    # While it is active the page around the picker stands still, so a finer word would soon be wrong.
    state = "" if run.state == "finished" else " under way" if run.state in ACTIVE else f" {run.state}"
    reached = f" {last['validation']['accuracy']:.1%}" if last else ""
    return f"{_when(run.id)}{state}{reached} · {' · '.join(parts)}"


def _when(run_id: str) -> str:
    try:
        return time.strftime("%d %b %H:%M:%S", time.strptime(run_id[:15], "%Y%m%d-%H%M%S"))
    except ValueError:
        return f"Ships with the app ({run_id})"


@st.cache_resource(max_entries=16, show_spinner=False)
def _model(run_id: str, changed: float, _run: Run):
    return load_weights(_run)


def model_of(run: Run):
    """The run's model; loaded anew when its weights on disk have changed.

    Raises:
        ConfigError: it has no weights, or they are damaged.
    """
    changed = run.weights.stat().st_mtime if run.weights.is_file() else 0.0
    return _model(run.id, changed, run)
