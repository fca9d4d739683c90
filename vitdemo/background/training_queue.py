"""Trainings in the background: a queue, many people, one machine. No user interface.

A training runs on a thread of its own and publishes frozen snapshots; whoever watches reads the latest. The threads
that torch may use in all of them together never exceed the cores: a training that is alone takes all of them, and gives
some up after an epoch in which others came.
"""

import sys
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from ..config import ConfigError, ModelConfig, TrainConfig
from ..costs import check_memory
from ..data.cifar10 import Data, load_cifar10
from ..machine import available_cores, release_memory
from ..model import VisionTransformer
from ..runs.run import Run, epoch_record, new_run, save_run
from ..training.loop import BatchEnd, EpochEnd, TrainingDiverged, ValidationBatchEnd, check_fit, train

MAX_WAITING = 100
# By default the interpreter lets a waiting thread in after 5 ms. A training hands over between all its small
# operations, so beside a busy page it would come to a halt. What this brings: tests/benchmarks/beside_a_busy_page.py.
SWITCH_INTERVAL = 0.0002


@dataclass(frozen=True)
class Snapshot:
    """Where a training stands at one moment."""

    run: Run
    place: int = 0  # in the queue, from 1; 0 when it does not wait
    epoch: int = 0  # the one it is in, from 1
    phase: str = ""  # "training" or "validation"
    batch: int = 0
    batches: int = 0
    images_per_second: float = 0.0  # of the training pass
    progress: float = 0.0  # 0 to 1
    seconds_left: float | None = None


class TrainingQueue:
    """Submit, watch, stop and list trainings."""

    def __init__(self, cores: int | None = None):
        self.cores = cores or available_cores()
        self._lock = threading.Lock()
        self._snapshots: OrderedDict[str, Snapshot] = OrderedDict()
        self._waiting: list[str] = []
        self._threads: dict[str, int] = {}  # of each training that runs
        self._stopping: set[str] = set()
        self._finished = threading.Condition(self._lock)

    def submit(self, model: ModelConfig, training: TrainConfig) -> str:
        """Queue a training and return its run's id; it starts as soon as a core is free.

        Raises:
            ConfigError: it could not run (more images than there are, too little memory), or the queue is full.
        """
        check_memory(model, training.batch_size)
        data = _load_data(training)
        for split in (data.train, data.validation):
            check_fit(model, split)
        run = new_run(model, training)
        with self._lock:
            if len(self._waiting) >= MAX_WAITING:
                raise ConfigError(f"{MAX_WAITING} trainings are waiting already: try again when some have ended.")
            self._waiting.append(run.id)
            self._snapshots[run.id] = Snapshot(run)
            self._start_waiting()
        return run.id

    def snapshot(self, run_id: str) -> Snapshot | None:
        """The latest of a training submitted to this queue, or None."""
        with self._lock:
            snapshot = self._snapshots.get(run_id)
            if snapshot and run_id in self._waiting:
                return replace(snapshot, place=self._waiting.index(run_id) + 1)
            return snapshot

    def list(self) -> list[Snapshot]:
        """Every training of this process, the newest first."""
        with self._lock:
            newest_first = [*reversed(self._snapshots)]
        return [self.snapshot(run_id) for run_id in newest_first]

    def stop(self, run_id: str) -> None:
        """End a training within one batch, keeping what it reached; one that waits leaves the queue."""
        with self._lock:
            if run_id in self._waiting:
                self._waiting.remove(run_id)
                snapshot = self._snapshots[run_id]
                self._snapshots[run_id] = replace(snapshot, run=replace(snapshot.run, state="stopped"))
                self._finished.notify_all()
            elif run_id in self._threads:
                self._stopping.add(run_id)

    def wait(self, run_id: str, timeout: float | None = None) -> Snapshot:
        """Block until the training has ended (or `timeout` seconds passed) and return its last snapshot."""
        with self._finished:
            self._finished.wait_for(lambda: run_id not in self._threads and run_id not in self._waiting, timeout)
            return self._snapshots[run_id]

    def threads_in_use(self) -> int:
        """Torch threads of all trainings that run; never more than `cores`."""
        with self._lock:
            return sum(self._threads.values())

    def busy(self) -> bool:
        """Whether a training runs or waits."""
        with self._lock:
            return bool(self._waiting) or any(run_id in self._snapshots for run_id in self._threads)

    def spare_cores(self) -> int:
        """What a question to a model may take: all, or one while a training runs or waits."""
        return 1 if self.busy() else self.cores

    def when_idle(self, task: Callable[[], None]) -> bool:
        """Run a short `task` on a thread with all cores if nothing else runs; say whether it was begun."""

        def work():
            torch.set_num_threads(self.cores)
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
        """Hand its threads to those who wait, and its memory back."""
        release_memory()
        with self._finished:
            del self._threads[name]
            self._stopping.discard(name)
            self._start_waiting()
            self._finished.notify_all()

    def _start_waiting(self) -> None:
        """Give free cores to those who wait, first come first served. The lock is held."""
        while self._waiting and (free := self.cores - sum(self._threads.values())):
            threads = max(1, free // len(self._waiting))
            run_id = self._waiting.pop(0)
            self._threads[run_id] = threads
            worker = threading.Thread(target=self._work, args=(run_id, threads), name=f"training-{run_id}", daemon=True)
            worker.start()

    def _share(self, run_id: str) -> int:
        """Threads for a training's next epoch: it gives up those that others wait for, and takes those that are free."""
        with self._lock:
            free = self.cores - sum(self._threads.values()) + self._threads[run_id]
            fair = max(1, self.cores // (len(self._threads) + len(self._waiting)))
            self._threads[run_id] = min(free, fair) if self._waiting else free
            self._start_waiting()
            return self._threads[run_id]

    def _publish(self, snapshot: Snapshot) -> None:
        with self._lock:
            self._snapshots[snapshot.run.id] = snapshot

    def _work(self, run_id: str, threads: int) -> None:
        """One training from start to end, on this thread."""
        torch.set_num_threads(threads)
        sys.setswitchinterval(SWITCH_INTERVAL)
        snapshot = self._snapshots[run_id]
        run = replace(snapshot.run, state="running", threads=threads)
        model = None
        try:
            self._publish(Snapshot(run))
            save_run(run)
            data = _load_data(run.training)
            model = VisionTransformer(run.model, seed=run.training.seed)
            clock = _Clock(run.training.epochs, data)
            for event in train(model, data, run.training):
                if isinstance(event, EpochEnd):
                    run = replace(run, history=(*run.history, epoch_record(event)))
                    if event.epoch < run.training.epochs:
                        run = replace(run, threads=self._share(run_id))
                        torch.set_num_threads(run.threads)
                    save_run(run, model)
                self._publish(clock.read(run, event))
                if run_id in self._stopping:
                    break
            complete = len(run.history) == run.training.epochs
            run = replace(run, state="finished" if complete else "stopped")
            save_run(run, model)
        except TrainingDiverged as error:
            run = replace(run, state="failed", message=str(error))
            save_run(run)
        except Exception as error:
            traceback.print_exc()
            run = replace(run, state="failed", message=f"The training broke off: {error or type(error).__name__}")
            save_run(run)
        finally:
            self._publish(replace(self._snapshots[run_id], run=run, seconds_left=None))
            self._release(run_id)


class _Clock:
    """Turns events into progress and time left, counting a validated image as a third of a trained one."""

    def __init__(self, epochs: int, data: Data):
        self.started = time.perf_counter()
        self.epochs = epochs
        self.train, self.validation = len(data.train), len(data.validation) / 3
        self.speed = 0.0

    def read(self, run: Run, event: BatchEnd | ValidationBatchEnd | EpochEnd) -> Snapshot:
        """The snapshot after `event`."""
        in_epoch, phase, batch, batches = self.train + self.validation, "validation", 0, 0
        if isinstance(event, EpochEnd):
            done = in_epoch
            self.speed = event.images_per_second
        else:
            batch, batches = event.batch, event.batches
            done = self.train + self.validation * batch / batches
        if isinstance(event, BatchEnd):
            phase = "training"
            done = self.train * batch / batches
            self.speed = event.images_per_second
        progress = ((event.epoch - 1) * in_epoch + done) / (self.epochs * in_epoch)
        left = (time.perf_counter() - self.started) * (1 - progress) / progress
        return Snapshot(run, 0, event.epoch, phase, batch, batches, self.speed, progress, left)


def _load_data(training: TrainConfig) -> Data:
    return load_cifar10(training.train_images, training.validation_images, training.validation_from)


QUEUE = TrainingQueue()  # the one of this process
