"""Train a run and store it on disk, for the queue of the app and for the command line."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import replace

import torch

from ..config import ConfigError
from ..costs import run_bytes
from ..data.cifar10 import Data, load_cifar10
from ..data.classes import name_each
from ..files import reason, runs_folder
from ..machine import ADVICE, ERRORS, check_disk
from ..model import VisionTransformer
from ..training.loop import (
    EpochEnd,
    Event,
    Saving,
    TrainingDiverged,
    check_trainable,
    train,
)
from ..training.precision import working_precision
from . import lock
from .about import NO_OWNER, write_about
from .run import Run, epoch_record, load_run, save_run
from .snapshots import take_snapshot


def train_run(
    run: Run,
    data: Data,
    saving: Saving = nullcontext,
    train_with: Callable[..., Iterator[Event]] | None = None,
) -> Iterator[tuple[Run, Event]]:
    """Train a run on the calling thread, from its last complete epoch to its end.

    After each epoch, the run, its weights and the state to resume from are written. Snapshots are
    saved in between. Closing the generator stops the run, which keeps its last complete epoch. At
    the end, the run is on disk as finished, stopped or failed: read it with `load_run`.

    Args:
        run: a new, stopped or interrupted run.
        data: images from `load_data`, or one's own; the run keeps the names of their classes.
        saving: entered wherever something is written, with what it is. If it swallows the errors of
            a disk that is full or read-only, the run goes on in memory.
        train_with: takes the steps in place of `train`, with the same arguments and events.

    Yields:
        The run so far, and the event of its training.

    Raises:
        ConfigError: the run cannot be trained, or not be resumed, or another process trains it, or
            the disk is full; its files stay as they were.
        TrainingDiverged: the loss is no longer finite; the run is saved as failed.
    """
    check_trainable(run.model, data, run.training)
    with ExitStack() as stack:
        alive: Callable[[], None] | None = None
        with saving("lock"):
            check_disk(runs_folder(), run_bytes(run.model))
            alive = stack.enter_context(lock.hold(run.folder))
        yield from _train(run, data, saving, train_with or train, alive or (lambda: None))


def _train(
    run: Run,
    data: Data,
    saving: Saving,
    train_with: Callable[..., Iterator[Event]],
    alive: Callable[[], None],
) -> Iterator[tuple[Run, Event]]:
    """Train as `train_run`, and call `alive` after each step."""
    model = VisionTransformer(run.model, seed=run.training.seed)
    precision = run.precision or working_precision(run.training)
    now = replace(run, state="running", threads=torch.get_num_threads(), message="")
    classes = name_each(data.classes, run.model.num_classes)
    now = replace(now, precision=precision, classes=classes)
    recipe = replace(run.training, precision=precision)
    with saving("run"):
        save_run(now)
    try:
        for event in train_with(model, data, recipe, run.state_file, saving):
            alive()
            if isinstance(event, EpochEnd):
                history = (*now.history[: event.epoch - 1], epoch_record(event))
                now = replace(now, threads=torch.get_num_threads(), history=history)
                with saving("run"):
                    save_run(now, model)
            with saving("snapshot"):
                take_snapshot(now, model, event, data)
            yield now, event
    except ConfigError:  # it cannot be resumed and stays as it was
        with saving("end"):
            save_run(run)
        raise
    except TrainingDiverged as error:
        _save_end(as_ended(now, str(error)), saving)
        raise
    except Exception as error:
        _save_end(as_ended(now, failure_message(error)), saving)
        raise
    except BaseException:  # the generator was closed, or the process interrupted
        _save_end(as_ended(now), saving)
        raise
    _save_end(as_ended(now), saving)


def as_ended(run: Run, message: str = "") -> Run:
    """Return the run as failed if there is a message, otherwise as finished or stopped."""
    if message:
        state = "failed"
    else:
        state = "finished" if len(run.history) == run.training.epochs else "stopped"
    return replace(run, state=state, message=message)


def _save_end(run: Run, saving: Saving) -> None:
    with saving("end"):
        save_run(run)
        if len(run.history) == run.training.epochs:
            run.state_file.unlink(missing_ok=True)


def failure_message(error: Exception) -> str:
    """Return why a run failed, in words that a page can show."""
    if isinstance(error, ConfigError):
        return str(error)
    if isinstance(error, OSError) and error.errno in ERRORS:
        return f"The run failed: {reason(error)}. {ADVICE}"
    return f"The run failed: {reason(error)}"


def save_waiting(run: Run) -> None:
    """Save a new run before it begins, so that it outlives the process that it waits in."""
    save_run(run)
    if run.about != NO_OWNER:
        write_about(run.folder, run.about)


def save_failed(run: Run) -> None:
    """Save a failed run, unless another process trains it by now."""
    if not lock.is_held(run.folder):
        save_run(run)


def load_data(run: Run) -> Data:
    """Return the training and validation images of a run.

    Raises:
        ConfigError: they are not all on this machine.
    """
    training = run.training
    return load_cifar10(training.train_images, training.validation_images, training.validation_from)


def resumable_run(run_id: str) -> Run:
    """Return a stopped or interrupted run that can be resumed.

    Without a complete epoch, or a state after its first one, it starts from the beginning.

    Raises:
        ConfigError: there is no such run, it is in training, it has finished, or its images are not
            those of CIFAR-10.
    """
    run = load_run(run_id)
    if run.active:
        raise ConfigError(
            f"Run {run.id} is being trained by another process, for example in the shell. "
            "Wait until it ends, or stop it there."
        )
    if not run.sees_own_classes:
        raise ConfigError(
            f"Run {run.id} was trained on other images than those of CIFAR-10. Resume it in Python "
            "with train_run and these images."
        )
    if not can_resume(run):
        raise ConfigError(
            f"Run {run.id} cannot be resumed: it has finished, or its state to resume from is "
            "gone. Start a new run."
        )
    return run


def can_resume(run: Run) -> bool:
    """Whether a run that is not active has something left to do.

    One that was killed right after its first epoch may have no state yet: it repeats this epoch.
    """
    begins_again = len(run.history) <= 1 and run.state != "finished"
    return run.origin == "local" and not run.unsaved and (run.has_state or begins_again)
