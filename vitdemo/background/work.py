"""The work on one run of the queue, on a thread of its own: train it and publish its status."""

import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace

import torch

from ..machine import release_memory
from ..runs.run import Run, load_run
from ..runs.train_run import as_ended, failure_message, load_data, save_failed, train_run
from ..training.loop import EpochEnd, Event, TrainingDiverged
from . import pace
from .job import Job
from .status import Clock, Status

# Seconds after which the interpreter lets a waiting thread run; the default is 5 ms. A training run
# gives the interpreter lock away at each of its many small operations, so beside a busy page it
# would almost stop. Measured in tests/benchmarks/beside_a_busy_page.py.
SWITCH_INTERVAL = 0.0002
TakeTurns = Callable[[Job, Event], float]  # returns the seconds that the run has rested


def work_on(
    job: Job,
    run: Run,
    publish: Callable[[Status], None],
    take_turns: TakeTurns,
    train_with: Callable[..., Iterator[Event]] | None = None,
) -> Run:
    """Train a run until it ends, is stopped or shall leave the memory; return it as it is then.

    Args:
        job: its place in the queue, with cores.
        run: new, or as it was left.
        publish: called with its status after each step.
        take_turns: called after each step. Without cores afterwards, the run was stopped.
        train_with: takes the steps, if that is not done here.
    """
    torch.set_num_threads(job.threads)
    sys.setswitchinterval(SWITCH_INTERVAL)
    latest = run
    message = ""

    def show(status: Status) -> None:
        nonlocal latest
        latest = replace(status.run, unsaved=job.unsaved)
        publish(replace(status, run=latest))

    try:
        try:
            _train(job, run, show, take_turns, train_with)
        except TrainingDiverged as error:
            message = str(error)
        if job.unsaved:
            return replace(as_ended(latest, message), unsaved=job.unsaved)
        return load_run(run.id)
    except Exception as error:
        traceback.print_exc()
        failed = replace(latest, state="failed", message=failure_message(error))
        with suppress(OSError):
            save_failed(failed)
        return failed
    finally:
        release_memory()


def _train(
    job: Job,
    run: Run,
    show: Callable[[Status], None],
    take_turns: TakeTurns,
    train_with: Callable[..., Iterator[Event]] | None,
) -> None:
    data = load_data(run)
    clock, epoch_began = Clock(run, data), time.perf_counter()
    with closing(train_run(run, data, job.saving, train_with)) as events:
        for trained, event in events:
            if isinstance(event, EpochEnd):  # its seconds leave out what is saved
                seconds = time.perf_counter() - epoch_began
                pace.learn(run.model, run.training, seconds, trained.threads)
            show(clock.read(replace(trained, threads=torch.get_num_threads()), event))
            if job.stopping and not isinstance(event, EpochEnd):
                return  # not at an EpochEnd, after which the state is saved
            rested = take_turns(job, event)
            clock.started += rested
            epoch_began += rested
            if job.leaves:
                next(events, None)  # the state of the epoch is saved before the next step
                return
            if job.stopping and not job.threads:
                return
            if isinstance(event, EpochEnd):
                epoch_began = time.perf_counter()
                # Within an epoch, another number of threads could round differently.
                torch.set_num_threads(job.threads)
