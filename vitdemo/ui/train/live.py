"""A training run in progress: status, speed, time left, and every metric by epoch."""

import streamlit as st

from ...background.status import Status
from ...background.training_queue import QUEUE
from ...config import ConfigError
from ...runs.run import DAMAGED, Run, load_run
from ...runs.train_run import can_resume
from ...training.diagnosis import diagnose
from ...training.metrics import METRICS
from ..announcement import announce
from ..fragments import fragment
from ..metrics import curves
from ..progress import progress
from ..visitor import visitor
from ..wording import plain
from .damaged import show_damaged

POLL_SECONDS = 3.0  # a browser that draws takes processor time from a run on the same machine
STOPPING_SECONDS = 0.25  # the same while a run stops
PAUSED = "The teacher has paused all runs."
PATIENCE = 0.2  # seconds that Stop waits for the end of the run before it shows that it stops


def show_run(status: Status) -> None:
    """Show status and curves; while the run is active, this part of the page redraws itself."""
    if status.run.state == DAMAGED:
        show_damaged(status.run)
        return
    poll = STOPPING_SECONDS if status.stopping else POLL_SECONDS
    run_every = poll if status.run.active else None
    fragment(_watch, run_every=run_every)(status)
    training = status.run.training
    mixes_images = training.mixup > 0 or training.cutmix > 0
    caption = (
        ":blue[●] Solid: training. :orange[◆] Dashed: validation. Thin dotted line: chance level. "
        "Where the validation loss rises while the training loss still falls, the model overfits: "
        "it memorizes its training images."
    )
    if status.run.origin == "shipped":
        caption += " This run ships with the app. Click Train to start your own."
    if mixes_images:
        caption += (
            " This run mixes its training images (mixup or CutMix), which makes its training "
            "metrics look worse."
        )
    st.caption(caption)
    with st.expander("How to read this", icon=":material/help:"):
        st.markdown(_reading(mixes_images))


def _reading(mixes_images: bool) -> str:
    """Return what the caption leaves out, as a Markdown list."""
    points = [
        "Training metrics are measured during the epoch, while the weights still change. "
        "Validation metrics are measured after the epoch, on images that the model is not trained "
        "on. A gap between the two is normal and is not yet overfitting.",
        "If you try many settings and keep the one with the best validation accuracy, that "
        "accuracy is too optimistic: the settings were chosen on the images that measure it.",
        "Recall (averaged over the classes, weighted by class size) and top-1 accuracy are equal "
        "to accuracy.",
        "Hover over a chart to read one epoch in all charts. Drag to zoom in, double-click to zoom "
        "out.",
        *(f"**{name}**: {meaning}" for name, meaning in METRICS.values()),
    ]
    if mixes_images:
        points.insert(
            1,
            "With mixup or CutMix, an image mixed from two counts as correct only if the model "
            "predicts the class of the first.",
        )
    return "\n".join(f"- {point}" for point in points)


def _watch(at_start: Status) -> None:
    status = _now(at_start)
    run = status.run
    with st.container():  # of its own: if the charts changed their place, they would be drawn anew
        with st.container(horizontal=True, vertical_alignment="center"):
            _show_status(status)
            _buttons(status)
        _show_problem()
        if run.unsaved:
            st.warning(_unsaved_text(run), icon=":material/save:")
    started = st.session_state.get("started")  # in the browser it scrolls into sight, once
    curves(
        run.history,
        run.training.epochs,
        run.model.num_classes,
        live=run.active,
        reveal=run.id if run.id == started else "",
    )
    announce(_announcement(run), key="announcement")
    seen = diagnose(run.history, run.model, run.training)
    if seen:  # below the curves that it is about, which stay in sight
        st.warning(seen, icon=":material/troubleshoot:")
    if (run.active, status.stopping) != (at_start.run.active, at_start.stopping):
        st.rerun()  # the whole page: it polls at another rate, and results appear or go


def _unsaved_text(run: Run) -> str:
    """Return what it means that a run is not saved, as Markdown."""
    why = f"This run is not saved ({plain(run.unsaved)}). "
    if run.active:
        return why + "It goes on in memory, and every epoch tries to save it again."
    return why + "Its metrics are gone when the app ends, and its model cannot be opened."


def _announcement(run: Run) -> str:
    """Return what is spoken when a run starts or ends; it does not change in between."""
    done, epochs = len(run.history), run.training.epochs
    if run.state == "failed":
        return f"Run failed. {run.message}"
    if run.active or not run.history:
        return f"Run {run.state}."
    accuracy = run.history[-1]["validation"]["accuracy"]
    return f"Run {run.state}: {done} of {epochs} epochs. Validation accuracy {accuracy:.1%}."


def _now(at_start: Status) -> Status:
    """Return the present status of the run."""
    run = at_start.run
    if run.origin != "local":
        return at_start
    try:
        return QUEUE.status_of(load_run(run.id))
    except ConfigError:  # not on disk before it starts
        return QUEUE.snapshot(run.id) or at_start


def _show_status(status: Status) -> None:
    """Show where the run stands, as one element."""
    run = status.run
    if run.state == "waiting":
        st.info(_waiting_text(status), icon=":material/hourglass_top:")
    elif status.elsewhere:
        done, epochs = len(run.history), run.training.epochs
        text = (
            f"In training by another process, for example in the shell · {done} of {epochs} epochs"
        )
        progress(done / epochs, text)
    elif run.state == "running" and not status.epoch:
        word = "Stopping" if status.stopping else "Preparing data and model"
        progress(0.0, f"{word} …")
    elif run.state == "running":
        progress(status.progress, _progress_text(status))
    elif run.state == "failed":
        st.error(plain(run.message), icon=":material/error:")
    elif not run.history:
        st.info(
            "Stopped before the end of the first epoch. There are no metrics to show.",
            icon=":material/stop_circle:",
        )
    else:
        done, epochs = len(run.history), run.training.epochs
        word = "Finished" if run.state == "finished" else "Stopped"
        seconds = sum(record["seconds"] for record in run.history)
        threads = "1 thread" if run.threads == 1 else f"{run.threads} threads"
        text = f"{word} after {done} of {epochs} epochs · {duration(seconds)} on {threads}"
        progress(done / epochs, text)


def _waiting_text(status: Status) -> str:
    """Return when a run is expected to start and to end."""
    if status.paused:
        return PAUSED
    if _others_of_its_owner(status.run):
        text = "This run waits for your other run: one of each person trains at a time."
    else:
        text = f"Position {status.place} in the queue."
    if status.starts is None or status.ends is None:
        return text
    start, end = duration(max(1, status.starts)), duration(max(1, status.ends))
    return f"{text} It starts in about {start} and ends in about {end}."


def _others_of_its_owner(run: Run) -> tuple[str, ...]:
    """Return the ids of the runs of the same person that came before it."""
    owner = run.about.owner
    theirs = QUEUE.active_of(owner) if owner else ()
    return theirs[: theirs.index(run.id)] if run.id in theirs else ()


def _progress_text(status: Status) -> str:
    parts = [f"Epoch {status.epoch} of {status.run.training.epochs}"]
    if status.stopping:
        parts.insert(0, "Stopping after this batch")
    elif status.place and status.paused:
        return f"{parts[0]} · {PAUSED}"
    elif status.place:
        parts.append("others have their turn")
        if status.starts is not None:
            parts.append(f"goes on in about {duration(max(1, status.starts))}")
        if status.ends is not None:
            parts.append(f"ends in about {duration(max(1, status.ends))}")
        return " · ".join(parts)
    if status.batches:
        parts.append(f"{status.phase} batch {status.batch} of {status.batches}")
    parts.append(f"{status.images_per_second:,.0f} images/s")
    left = status.seconds_left if status.ends is None else status.ends
    if left is not None:
        parts.append(f"{duration(left)} left")
    return " · ".join(parts)


def _buttons(status: Status) -> None:
    """Draw Stop, Resume where it is possible, and a link to the attention of this model."""
    run = status.run
    is_theirs = visitor().may_change(run.about)
    can_stop = is_theirs and run.active and not status.stopping and not status.elsewhere
    others = _others_of_its_owner(run) if is_theirs and run.state == "waiting" else ()
    with st.container(horizontal=True, vertical_alignment="center", width="content"):
        if is_theirs:
            st.button("Stop", on_click=_stop, args=(run.id,), disabled=not can_stop)
        if others:
            st.button(
                "Train this one instead",
                on_click=_stop_all,
                args=(others,),
                help="Stops your other runs, which keep their complete epochs.",
            )
        if is_theirs and run.state == "stopped" and can_resume(run):
            st.button(
                "Resume",
                on_click=_resume,
                args=(run.id,),
                help="Continue this run after its last complete epoch, with its original settings. "
                "Without a complete epoch, it starts again.",
            )
        if run.has_weights:  # after the first epoch, while the run goes on
            st.page_link(
                "pages/attention.py",
                label="View attention",
                icon=":material/center_focus_strong:",
                help="What this model attends to, after its last complete epoch.",
            )


def _stop(run_id: str) -> None:
    QUEUE.stop(run_id)
    QUEUE.wait(run_id, PATIENCE)


def _stop_all(run_ids: tuple[str, ...]) -> None:
    for run_id in run_ids:
        QUEUE.stop(run_id)


def _resume(run_id: str) -> None:
    try:
        QUEUE.resume(run_id)
    except ConfigError as error:
        st.session_state["resume_problem"] = str(error)


def _show_problem() -> None:
    """Show why the run cannot be resumed."""
    problem = st.session_state.pop("resume_problem", "")
    if problem:
        st.error(plain(problem), icon=":material/error:")


def duration(seconds: float) -> str:
    """Return a duration as `45 s`, `3 min 5 s` or `2 h 10 min`."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"
