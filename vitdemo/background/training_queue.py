"""The queue of training runs: in the background, for many users on one machine.

Each run trains on its own thread and publishes a frozen status that pages read. The torch threads
of all runs together never exceed the cores. A single run uses all of them; when more runs want to
train than there are cores, they take turns, as `turns` says. A run keeps its memory between its
turns as long as there is room for it; otherwise it continues from its files. Where the disk refuses
to take a run, it trains in memory alone.
"""

import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

import torch

from ..config import ConfigError, ModelConfig, TrainConfig
from ..files import reason
from ..machine import available_cores, release_memory
from ..runs.about import NO_OWNER, About
from ..runs.delete import delete_run
from ..runs.run import Run, load_run, new_run
from ..runs.train_run import load_data, resumable_run, save_waiting
from ..runs.trim import trim
from ..training.loop import EpochEnd, Event, check_trainable
from . import pace
from .events import log_event
from .executor import EXECUTOR, Executor
from .job import Job
from .limits import LIMITS, check_budget
from .status import Status
from .turns import SLICE, Claim, eligible, forecast, order, yields
from .work import SWITCH_INTERVAL, work_on

MAX_WAITING = 100
KEPT = 100  # ended runs whose status is kept in memory; all are on disk
FORECAST_SECONDS = 1.0  # for which a forecast counts


class TrainingQueue:
    """Submit, resume, watch, stop and list training runs.

    Args:
        cores: torch threads of all runs together; as many as there are if not given.
        memory: bytes that runs may take together, if more than one runs; by default half of what
            there is.
        executor: where runs train; by default as `executor` chooses.
    """

    def __init__(
        self,
        cores: int | None = None,
        memory: int | None = None,
        executor: Executor | None = None,
    ):
        self.executor = executor or EXECUTOR
        self._cores, self._memory = cores, memory
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)  # somebody's turn, or the end of a run
        self._statuses: OrderedDict[str, Status] = OrderedDict()
        self._jobs: dict[str, Job] = {}  # active runs, in the order in which they came
        self.paused = False
        self._idle_task = 0  # torch threads of a task of `when_idle`
        self._turn = 0  # number of the next turn
        self._forecast: tuple[float, dict] = (-FORECAST_SECONDS, {})  # when it was made

    @property
    def cores(self) -> int:
        """Torch threads of all runs together. On a cluster they change as nodes come and go."""
        return self._cores or self.executor.cores

    @property
    def memory(self) -> int:
        """Bytes that runs may take together, if more than one runs."""
        return self._memory or self.executor.memory

    @property
    def most_threads(self) -> int:
        """Torch threads of a run that trains alone."""
        return self.executor.threads or self.cores

    def submit(self, model: ModelConfig, training: TrainConfig, about: About = NO_OWNER) -> str:
        """Queue a new run and return its id. It starts as soon as a core is free.

        Raises:
            ConfigError: it cannot be trained (too many images, too little memory), or the queue is
                full.
        """
        return self._enqueue(new_run(model, training, about))

    def resume(self, run_id: str) -> str:
        """Queue a stopped or interrupted run. It resumes after its last complete epoch.

        Raises:
            ConfigError: it cannot be resumed, or the queue is full.
        """
        with self._lock:
            self._check_absent(run_id)
        return self._enqueue(replace(resumable_run(run_id), state="waiting", message=""))

    def _enqueue(self, run: Run) -> str:
        if run.about.owner:
            check_budget(run.model, run.training)
        check_trainable(run.model, load_data(run), run.training)
        self.executor.connect()
        is_new = not run.folder.exists()
        if is_new:
            try:
                save_waiting(run)
            except OSError as error:
                run = replace(run, unsaved=reason(error))
        try:
            with self._lock:
                self._check_absent(run.id)  # again, as two visitors may resume it at the same time
                self._check_room(run.about.owner)
                self._jobs[run.id] = Job(run, time.monotonic(), len(run.history))
                self._statuses[run.id] = Status(run)
                self._statuses.move_to_end(run.id)
                self._give_turns()
        except ConfigError:
            if is_new:
                delete_run(run.id)
            raise
        log_event("submitted", run, 0.0)
        return run.id

    def _check_absent(self, run_id: str) -> None:
        """Refuse a run that is waiting or training. The lock must be held."""
        if run_id in self._jobs:
            raise ConfigError(f"Run {run_id} is in the queue already.")

    def _check_room(self, owner: str) -> None:
        """Refuse a run where too many wait already. The lock must be held."""
        waiting = [job for job in self._jobs.values() if not job.used and not job.threads]
        theirs = [job for job in waiting if owner and job.run.about.owner == owner]
        if len(theirs) >= LIMITS.waiting:
            raise ConfigError(
                f"{LIMITS.waiting} of your runs are waiting already. Stop one of them, or try "
                "again when one has started."
            )
        if len(waiting) >= MAX_WAITING:
            raise ConfigError(
                f"{MAX_WAITING} runs are waiting already. Try again when some have finished."
            )

    def snapshot(self, run_id: str) -> Status | None:
        """Return the latest status of a run, or None if it is not in this queue."""
        with self._lock:
            expected = self._expected()
            return self._status(run_id, expected, self._places(expected))

    def _status(self, run_id: str, expected: dict, places: dict[str, int]) -> Status | None:
        """Return the status of a run with its place and times. The lock must be held."""
        status, job = self._statuses.get(run_id), self._jobs.get(run_id)
        if not status or not job:
            return status
        starts, ends = expected.get(run_id, (None, None))
        return replace(
            status,
            stopping=job.stopping,
            paused=self.paused,
            starts=starts,
            ends=ends,
            place=places.get(run_id, 0),
        )

    def _places(self, expected: dict) -> dict[str, int]:
        """Return the places, from 1, of the runs that wait for a turn. The lock must be held."""
        last = (float("inf"), 0.0)
        waiting = [run_id for run_id, job in self._jobs.items() if not job.threads]
        waiting.sort(key=lambda run_id: expected.get(run_id, last)[0])
        return {run_id: place for place, run_id in enumerate(waiting, start=1)}

    def _expected(self) -> dict[str, tuple[float, float]]:
        """Return in how many seconds each run gets a turn, and ends. The lock must be held."""
        now = time.monotonic()
        made, found = self._forecast
        if now - made > FORECAST_SECONDS or found.keys() != self._jobs.keys():
            running, waiting = self._claims()
            found = {} if self.paused else forecast(running, waiting, self.cores, now, self._turn)
            made, self._forecast = now, (now, found)
        past = now - made
        return {
            run_id: (max(0.0, start - past), max(0.0, end - past))
            for run_id, (start, end) in found.items()
        }

    def expected_of(self, model: ModelConfig, training: TrainConfig, owner: str = "") -> tuple:
        """Return in how many seconds a run would start and end if it were submitted now."""
        now, name = time.monotonic(), "new"
        seconds = pace.epoch_seconds(model, training)
        new = Claim(name, training.epochs, seconds, waiting_since=now, owner=owner)
        with self._lock:
            running, waiting = self._claims()
            turn = self._turn
        return forecast(running, [*waiting, new], self.cores, now, turn)[name]

    def _claims(self) -> tuple[Sequence[Claim], Sequence[Claim]]:
        """Return what the running and the waiting runs claim. The lock must be held."""
        running, waiting = [], []
        for job in self._jobs.values():
            if not job.stopping and not job.leaves:
                claim = job.claim(self._statuses[job.run.id].progress)
                (running if job.threads else waiting).append(claim)
        return running, waiting

    def status_of(self, saved: Run) -> Status:
        """Return the status of a run that was just read from disk.

        Its metrics are those on disk, which belong to the weights on disk, unless the disk refuses
        them. Its state is that of this queue while it waits or trains here; otherwise another
        process may train it by now.
        """
        status = self.snapshot(saved.id)
        if status and status.run.unsaved:
            return status
        if status and status.run.active:
            run = status.run
            return replace(status, run=replace(saved, state=run.state, message=run.message))
        return Status(saved, progress=1.0, elsewhere=saved.active)

    def list(self) -> list[Status]:
        """Return the status of the runs of this process, newest first: all that are active, and the
        last KEPT that have ended."""
        with self._lock:
            expected = self._expected()
            places = self._places(expected)
            return [self._status(run_id, expected, places) for run_id in reversed(self._statuses)]

    def active_of(self, owner: str) -> tuple[str, ...]:
        """Return the ids of the runs of an owner that wait or train, in the order they came."""
        with self._lock:
            jobs = [job for job in self._jobs.values() if job.run.about.owner == owner]
            return tuple(job.run.id for job in jobs)

    def stop(self, run_id: str) -> None:
        """Stop a run within one batch, or take it off the queue if it has not begun.

        Its last complete epoch is kept.
        """
        with self._lock:
            job = self._jobs.get(run_id)
            if job and job.in_memory:
                job.stopping = True
            elif job:
                self._end(job, replace(self._statuses[run_id].run, state="stopped"))
            self._changed.notify_all()
        if job and not job.in_memory and not job.run.history:
            with suppress(ConfigError):  # it was deleted meanwhile
                delete_run(run_id)  # it never began, so there is nothing to see

    def pause(self, paused: bool) -> None:
        """Let no run train until it is called again: each rests at the end of its epoch."""
        with self._lock:
            self.paused = paused
            self._give_turns()

    def wait(self, run_id: str, timeout: float | None = None) -> Status:
        """Wait until the run has ended, at most `timeout` seconds, and return its status."""
        with self._changed:
            self._changed.wait_for(lambda: run_id not in self._jobs, timeout)
            status = self._statuses.get(run_id)
        return status or Status(load_run(run_id), progress=1.0)  # if KEPT others have ended since

    def threads_in_use(self) -> int:
        """Return the torch threads of all runs and tasks; never more than `cores`."""
        with self._lock:
            return self.cores - self._free()

    def _free(self) -> int:
        return self.cores - self._idle_task - sum(job.threads for job in self._jobs.values())

    def busy(self) -> bool:
        """Whether a run is training or waiting."""
        with self._lock:
            return bool(self._jobs)

    def spare_cores(self) -> int:
        """Return the cores of this machine for other work: one while a run trains or waits here."""
        if not self.executor.is_here:
            return available_cores()
        return 1 if self.busy() else self.cores

    def when_idle(self, task: Callable[[], None]) -> bool:
        """Run a short `task` in the background with all cores, unless a run or task is active.

        Returns:
            Whether it was started.
        """

        def work():
            torch.set_num_threads(self.most_threads)
            sys.setswitchinterval(SWITCH_INTERVAL)
            try:
                task()
            finally:
                release_memory()
                with self._lock:
                    self._idle_task = 0
                    self._give_turns()

        with self._lock:
            if self._idle_task or self._jobs:
                return False
            self._idle_task = self.cores
        threading.Thread(target=work, name="idle task", daemon=True).start()
        return True

    def _give_turns(self) -> None:
        """Give free cores to the runs whose turn it is. The lock must be held."""
        while (free := self._free()) > 0 and (able := self._able()):
            now = time.monotonic()
            for claim in sorted(able, key=lambda claim: order(claim, now, self._turn)):
                job = self._jobs[claim.id]
                if job.in_memory or self._has_room(job):
                    break
            else:
                return
            job.threads = min(self.most_threads, max(1, free // len(able)))
            job.turn_began = now
            self._turn += 1
            if not job.in_memory:
                job.in_memory = True
                name = f"training-{claim.id}"
                threading.Thread(target=self._work, args=(job,), name=name, daemon=True).start()
        self._changed.notify_all()

    def _able(self) -> Sequence[Claim]:
        """Return the claims of the runs that may get a turn now. The lock must be held."""
        if self.paused:
            return ()
        owners = [job.run.about.owner for job in self._jobs.values() if job.threads]
        return eligible(self._claims()[1], owners)

    def _has_room(self, new: Job) -> bool:
        """Whether there is memory for one more run, or nobody else has any. The lock must be held.

        If there is not, a run that rests between two epochs is told to leave it: the last in line.
        """
        others = [job for job in self._jobs.values() if job.in_memory]
        needed = sum(job.held for job in (*others, new)) + new.working
        needed += sum(job.working for job in others if job.threads)
        if not others or needed <= self.memory:
            return True
        resting = [job for job in others if job.rests_between_epochs]
        if resting and not any(job.leaves for job in others):
            now = time.monotonic()
            max(resting, key=lambda job: order(job.claim(), now, self._turn)).leaves = True
            self._changed.notify_all()
        return False

    def _publish(self, status: Status) -> None:
        with self._lock:
            self._statuses[status.run.id] = status

    def _work(self, job: Job) -> None:
        """Train a run until it ends or leaves the memory, on the calling thread."""
        run_id = job.run.id
        run = replace(self._statuses[run_id].run, state="running", threads=job.threads)
        self._publish(Status(run))
        log_event("started", run, time.monotonic() - job.submitted)
        run = work_on(job, run, self._publish, self._take_turns, self.executor.train)
        with self._lock:
            if job.leaves and run.state == "stopped" and not job.stopping:
                job.in_memory, job.leaves, job.threads = False, False, 0
                waiting = replace(run, state="waiting")
                self._statuses[run_id] = replace(self._statuses[run_id], run=waiting)
            else:
                self._end(job, run)
            self._give_turns()
            active = list(self._jobs)
        trim(active)

    def _end(self, job: Job, run: Run) -> None:
        """Take a run off the queue. The lock must be held."""
        run_id = job.run.id
        log_event("ended", run, time.monotonic() - job.submitted)
        del self._jobs[run_id]
        self._statuses[run_id] = replace(self._statuses[run_id], run=run, seconds_left=None)
        ended = [name for name, status in self._statuses.items() if not status.run.active]
        for name in ended[:-KEPT]:
            del self._statuses[name]
        self._changed.notify_all()

    def _take_turns(self, job: Job, event: Event) -> float:
        """Give the cores away where it is others' turn, and wait for the next turn of this run.

        Returns at once, and with other threads than before, if the run goes on; without threads if
        it was stopped or shall leave the memory.

        Returns:
            The seconds that it has waited.
        """
        at_end = isinstance(event, EpochEnd)
        with self._lock:
            now = time.monotonic()
            seconds = now - job.turn_began
            if at_end:
                job.epochs_done = event.epoch
            if not at_end and seconds < SLICE:
                return 0.0
            able = self._able()
            if self.paused or yields(job.claim(), able, now, seconds):
                return self._rest(job, seconds, at_end)
            if at_end:
                others = len([other for other in self._jobs.values() if other.threads]) + len(able)
                most = min(self.most_threads, max(1, self._free() + job.threads))
                job.threads = min(most, max(1, self.cores // others)) if able else most
                self._give_turns()
            return 0.0

    def _rest(self, job: Job, seconds: float, at_end: bool) -> float:
        """Wait for the next turn of a run; return how many seconds. The lock must be held.

        Args:
            seconds: those of the turn that ends.
            at_end: whether it ends between two epochs.
        """
        now = time.monotonic()
        job.used += seconds
        job.threads, job.waiting_since = 0, now
        job.rests_between_epochs = at_end and not job.unsaved
        self._give_turns()
        self._changed.wait_for(lambda: job.threads or job.stopping or job.leaves)
        job.rests_between_epochs = False
        return time.monotonic() - now


QUEUE = TrainingQueue()  # of this process
