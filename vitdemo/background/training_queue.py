"""The queue of training runs: in the background, for many users on one machine.

Each run trains on its own thread and publishes a frozen status that pages read. The torch threads
of all runs together never exceed the cores: a single run uses all of them, and gives some up after
an epoch in which others arrived.
"""

import sys
import threading
import traceback
from collections import OrderedDict
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace

import torch

from ..config import ConfigError, ModelConfig, TrainConfig
from ..costs import run_bytes
from ..files import runs_folder
from ..machine import available_cores, check_disk, release_memory
from ..runs.run import Run, load_run, new_run
from ..runs.train_run import failure_message, load_data, resumable_run, save_failed, train_run
from ..training.loop import EpochEnd, TrainingDiverged, check_trainable
from .status import Clock, Status

MAX_WAITING = 100
KEPT = 100  # ended runs whose status is kept in memory; all are on disk
# Seconds after which the interpreter lets a waiting thread run; the default is 5 ms. A training run
# gives the interpreter lock away at each of its many small operations, so beside a busy page it
# would almost stop. Measured in tests/benchmarks/beside_a_busy_page.py.
SWITCH_INTERVAL = 0.0002


class TrainingQueue:
    """Submit, resume, watch, stop and list training runs."""

    def __init__(self, cores: int | None = None):
        self.cores = cores or available_cores()
        self._lock = threading.Lock()
        self._statuses: OrderedDict[str, Status] = OrderedDict()
        self._waiting: list[str] = []
        self._threads: dict[str, int] = {}  # torch threads of each running run or task
        self._stopping: set[str] = set()
        self._ended = threading.Condition(self._lock)

    def submit(self, model: ModelConfig, training: TrainConfig) -> str:
        """Queue a new run and return its id. It starts as soon as a core is free.

        Raises:
            ConfigError: it cannot be trained (too many images, too little memory, a full disk), or
                the queue is full.
        """
        return self._enqueue(new_run(model, training))

    def resume(self, run_id: str) -> str:
        """Queue a stopped or interrupted run. It resumes after its last complete epoch.

        Raises:
            ConfigError: it cannot be resumed, or the queue is full.
        """
        with self._lock:
            self._check_absent(run_id)
        return self._enqueue(replace(resumable_run(run_id), state="waiting", message=""))

    def _enqueue(self, run: Run) -> str:
        check_trainable(run.model, load_data(run), run.training)
        check_disk(runs_folder(), run_bytes(run.model))
        with self._lock:
            self._check_absent(run.id)  # again, as two visitors may resume a run at the same time
            if len(self._waiting) >= MAX_WAITING:
                raise ConfigError(
                    f"{MAX_WAITING} runs are waiting already. Try again when some have finished."
                )
            self._waiting.append(run.id)
            self._statuses[run.id] = Status(run)
            self._statuses.move_to_end(run.id)
            self._start_waiting()
        return run.id

    def _check_absent(self, run_id: str) -> None:
        """Refuse a run that is waiting or training. The lock must be held."""
        if run_id in self._waiting or run_id in self._threads:
            raise ConfigError(f"Run {run_id} is in the queue already.")

    def snapshot(self, run_id: str) -> Status | None:
        """Return the latest status of a run, or None if it is not in this queue."""
        with self._lock:
            status = self._statuses.get(run_id)
            if status and run_id in self._waiting:
                return replace(status, place=self._waiting.index(run_id) + 1)
            if status and run_id in self._stopping:
                return replace(status, stopping=True)
            return status

    def status_of(self, saved: Run) -> Status:
        """Return the status of a run that was just read from disk.

        Its metrics are those on disk, which belong to the weights on disk. Its state is that of
        this queue while it waits or trains here; otherwise another process may train it by now.
        """
        status = self.snapshot(saved.id)
        if status and status.run.active:
            run = status.run
            return replace(status, run=replace(saved, state=run.state, message=run.message))
        return Status(saved, progress=1.0, elsewhere=saved.active)

    def list(self) -> list[Status]:
        """Return the status of the runs of this process, newest first: all that are active, and the
        last KEPT that have ended."""
        with self._lock:
            newest_first = [*reversed(self._statuses)]
        statuses = (self.snapshot(run_id) for run_id in newest_first)
        return [status for status in statuses if status]

    def stop(self, run_id: str) -> None:
        """Stop a run within one batch, or take it off the queue if it is waiting.

        Its last complete epoch is kept.
        """
        with self._lock:
            if run_id in self._waiting:
                self._waiting.remove(run_id)
                status = self._statuses[run_id]
                self._statuses[run_id] = replace(status, run=replace(status.run, state="stopped"))
                self._ended.notify_all()
            elif run_id in self._threads:
                self._stopping.add(run_id)

    def wait(self, run_id: str, timeout: float | None = None) -> Status:
        """Wait until the run has ended, at most `timeout` seconds, and return its status."""
        with self._ended:
            self._ended.wait_for(
                lambda: run_id not in self._threads and run_id not in self._waiting, timeout
            )
            status = self._statuses.get(run_id)
        return status or Status(load_run(run_id), progress=1.0)  # if KEPT others have ended since

    def threads_in_use(self) -> int:
        """Return the torch threads of all runs and tasks; never more than `cores`."""
        with self._lock:
            return sum(self._threads.values())

    def busy(self) -> bool:
        """Whether a run is training or waiting."""
        with self._lock:
            return bool(self._waiting) or any(run_id in self._statuses for run_id in self._threads)

    def spare_cores(self) -> int:
        """Return the cores for other work: all, or one while a run is training or waiting."""
        return 1 if self.busy() else self.cores

    def when_idle(self, task: Callable[[], None]) -> bool:
        """Run a short `task` in the background with all cores, unless a run or task is active.

        Returns:
            Whether it was started.
        """

        def work():
            torch.set_num_threads(self.cores)
            sys.setswitchinterval(SWITCH_INTERVAL)
            try:
                task()
            finally:
                self._release(name)

        name = "idle task"
        with self._lock:
            if self._threads or self._waiting:
                return False
            self._threads[name] = self.cores
        threading.Thread(target=work, name=name, daemon=True).start()
        return True

    def _release(self, name: str) -> None:
        """Give the threads of a run or task to waiting runs, and its memory to the system."""
        release_memory()
        with self._ended:
            del self._threads[name]
            self._stopping.discard(name)
            ended = [run_id for run_id, status in self._statuses.items() if not status.run.active]
            for run_id in ended[:-KEPT]:
                del self._statuses[run_id]
            self._start_waiting()
            self._ended.notify_all()

    def _start_waiting(self) -> None:
        """Start waiting runs on free cores, first come, first served. The lock must be held."""
        while self._waiting and (free := self.cores - sum(self._threads.values())):
            threads = max(1, free // len(self._waiting))
            run_id = self._waiting.pop(0)
            self._threads[run_id] = threads
            name = f"training-{run_id}"
            threading.Thread(target=self._work, args=(run_id,), name=name, daemon=True).start()

    def _share(self, run_id: str) -> int:
        """Return the threads of a run's next epoch: with free ones, or fewer if others wait."""
        with self._lock:
            free = self.cores - sum(self._threads.values()) + self._threads[run_id]
            fair = max(1, self.cores // (len(self._threads) + len(self._waiting)))
            self._threads[run_id] = min(free, fair) if self._waiting else free
            self._start_waiting()
            return self._threads[run_id]

    def _publish(self, status: Status) -> None:
        with self._lock:
            self._statuses[status.run.id] = status

    def _work(self, run_id: str) -> None:
        """Train one run to its end, on the calling thread."""
        torch.set_num_threads(self._threads[run_id])
        sys.setswitchinterval(SWITCH_INTERVAL)
        run = replace(self._statuses[run_id].run, state="running", threads=self._threads[run_id])
        self._publish(Status(run))
        try:
            self._train(run)
            run = load_run(run_id)
        except TrainingDiverged:
            run = load_run(run_id)
        except Exception as error:
            traceback.print_exc()
            run = replace(
                self._statuses[run_id].run, state="failed", message=failure_message(error)
            )
            with suppress(OSError):  # a disk that is full or read-only may be why it failed
                save_failed(run)
        finally:
            self._publish(replace(self._statuses[run_id], run=run, seconds_left=None))
            self._release(run_id)

    def _train(self, run: Run) -> None:
        data = load_data(run)
        clock = Clock(run, data)
        with closing(train_run(run, data)) as events:
            for trained, event in events:
                if isinstance(event, EpochEnd):
                    torch.set_num_threads(self._share(run.id))
                now = replace(trained, threads=torch.get_num_threads())
                self._publish(clock.read(now, event))
                if run.id in self._stopping and not isinstance(event, EpochEnd):
                    return  # not at an EpochEnd, after which the state is saved


QUEUE = TrainingQueue()  # of this process
