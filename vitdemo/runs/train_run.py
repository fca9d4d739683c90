"""Train a run and keep it on disk: the one way to do so, for the queue and for the shell."""

from collections.abc import Iterator
from dataclasses import replace

import torch

from ..config import ConfigError
from ..data.cifar10 import Data, load_cifar10
from ..model import VisionTransformer
from ..training.loop import EpochEnd, Event, TrainingDiverged, check_trainable, train
from .run import Run, epoch_record, load_run, save_run
from .snapshots import take_snapshot


def train_run(run: Run, data: Data) -> Iterator[tuple[Run, Event]]:
    """Train a run on the calling thread, from where it stands to its end.

    After each epoch, run, weights and the state to resume from are written; snapshots are taken on the way. Closing the
    generator stops the run; it keeps what was measured at the end of its last complete epoch. A run that finished, was
    stopped or failed is on disk as such when the generator has ended: read it with `load_run`.

    Args:
        run: new, stopped or interrupted.
        data: as from `load_data`.

    Yields:
        The run as it stands, and what happened.

    Raises:
        ConfigError: the run cannot be trained; then nothing is written.
        TrainingDiverged: the loss stopped being finite; the run is saved as failed.
    """
    check_trainable(run.model, data, run.training)
    model = VisionTransformer(run.model, seed=run.training.seed)
    now = replace(run, state="running", threads=torch.get_num_threads(), message="")
    save_run(now)
    try:
        for event in train(model, data, run.training, run.state_file):
            if isinstance(event, EpochEnd):
                history = (*now.history[: event.epoch - 1], epoch_record(event))
                now = replace(now, threads=torch.get_num_threads(), history=history)
                save_run(now, model)
            take_snapshot(now, model, event, data)
            yield now, event
    except ConfigError:  # it cannot resume: leave it as it was
        save_run(run)
        raise
    except TrainingDiverged as error:
        _save_end(now, str(error))
        raise
    except Exception as error:
        _save_end(now, f"The run failed: {error or type(error).__name__}")
        raise
    except BaseException:  # the generator was closed, or Ctrl-C pressed
        _save_end(now)
        raise
    _save_end(now)


def _save_end(run: Run, message: str = "") -> None:
    """Save the run as failed, with a message, or as finished or stopped."""
    finished = len(run.history) == run.training.epochs
    state = "failed" if message else "finished" if finished else "stopped"
    save_run(replace(run, state=state, message=message))
    if finished:
        run.state_file.unlink(missing_ok=True)


def load_data(run: Run) -> Data:
    """Return the images that a run is trained and validated on.

    Raises:
        ConfigError: they are not on this machine.
    """
    training = run.training
    return load_cifar10(training.train_images, training.validation_images, training.validation_from)


def resumable_run(run_id: str) -> Run:
    """Return a stopped or interrupted run that can be resumed.

    Raises:
        ConfigError: there is no such run, it has finished, or it was stopped in its first epoch.
    """
    run = load_run(run_id)
    if not run.state_file.exists():
        raise ConfigError(
            f"Run {run.id} cannot be resumed: it has finished, or was stopped before its first epoch ended. Start a new run."
        )
    return run
