"""Train the runs of the queue on a Ray cluster.

The trainers of the cluster take the steps of runs; this process does all else: the turns, the lock,
and the files of a run, for which it gets weights and state after each epoch. So a run continues on
another node if its own fails, and from its files if this process does.

Ray ends the process that speaks with a cluster when the cluster fails. That is therefore a process
of its own, see `ray_driver`, and `ray` is never imported here.
"""

import importlib.util
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from multiprocessing.connection import Client, Connection
from pathlib import Path

from ..config import ConfigError, TrainConfig
from ..data.cifar10 import Data
from ..files import PROJECT, is_plain, write_atomically
from ..model import VisionTransformer
from ..training.loop import Event, Saving
from .ray_driver import MOST_LOSSES, Order
from .ray_pool import TrainersLost
from .ray_trainer import arrays_of, set_weights, weights_of

VERSION = "2.60.0"  # of ray, as in tests/requirements.txt
HEAD_AWAY = "15"  # seconds without the head of the cluster after which Ray ends the driver
PATIENCE = 40.0  # seconds in which the driver says whether it has joined the cluster


class RayExecutor:
    """The cluster at an address, host:port, of which this machine is a node."""

    threads, is_here = 1, False

    def __init__(self, address: str):
        self.address = address
        self.cores, self.memory = 1, 2**30  # until the driver tells them
        self._lock = threading.Lock()
        self._driver: Driver | None = None

    def connect(self) -> None:
        """Start the driver, unless there is one, and wait until it has joined the cluster.

        Raises:
            ConfigError: the cluster cannot be used; the message says what to do.
        """
        with self._lock:
            if self._driver and self._driver.process.poll() is None:
                return
            self._check_settings()
            driver = Driver(self.address)
            control = driver.pipe()
            problem = "no Ray answers there"
            with suppress(EOFError):
                if control and control.poll(PATIENCE):
                    problem = control.recv()
            if problem:
                driver.end()
                raise ConfigError(
                    f"The Ray cluster at {self.address} cannot be used ({problem}). Start it as "
                    ".hosting/README.md says, or unset VITDEMO_RAY_ADDRESS."
                )
            self.cores, self.memory = control.recv()
            self._driver = driver
            threading.Thread(target=self._listen, args=(control,), daemon=True).start()

    def close(self) -> None:
        """End the driver and with it the trainers, as the end of this process does."""
        with self._lock:
            if self._driver:
                self._driver.end()

    def train(
        self,
        model: VisionTransformer,
        data: Data,
        config: TrainConfig,
        state_file: Path | None = None,
        saving: Saving = nullcontext,
    ) -> Iterator[Event]:
        """Train as `training.loop.train`, with the same arguments, events, files and errors.

        The steps are taken by a trainer of the cluster. `model` has the weights of the last step at
        the end of each epoch and wherever a snapshot is due, and others in between.

        Raises:
            TrainersLost: its trainers or the cluster failed again and again.
        """
        saved = state_file.read_bytes() if state_file and is_plain(state_file) else b""
        order = Order(model.config, weights_of(model), model.is_new, config, arrays_of(data), saved)
        losses = 0
        try:
            while True:
                try:
                    with self._pipe_for_a_run() as pipe:
                        pipe.send(order)
                        while steps := _received(pipe):
                            for step in steps:
                                if step.weights:
                                    set_weights(model, step.weights)
                                if step.state:
                                    order, losses = order.after(step.state), 0
                                yield step.event
                                if step.state and state_file:  # as the caller has stored the epoch
                                    with saving("state"):
                                        write_atomically(state_file, step.state)
                            pipe.send("next")
                        return
                except (EOFError, ConnectionError):  # the driver has ended
                    losses += 1
                    if losses == MOST_LOSSES:
                        raise TrainersLost(f"the Ray cluster at {self.address} failed") from None
        finally:
            model.eval()

    def _check_settings(self) -> None:
        """Refuse a missing package, or an address of another form.

        Raises:
            ConfigError: the message says what to do.
        """
        if importlib.util.find_spec("ray") is None:
            raise ConfigError(
                "VITDEMO_RAY_ADDRESS is set, and the package ray is not installed. Run pip install "
                f"ray=={VERSION}, or unset VITDEMO_RAY_ADDRESS."
            )
        host, _, port = self.address.rpartition(":")
        if not host or "/" in host or not port.isdecimal():
            raise ConfigError(
                f"VITDEMO_RAY_ADDRESS is {self.address!r}, and not of the form host:port."
            )

    def _pipe_for_a_run(self) -> Connection:
        """Return a pipe to the driver.

        Raises:
            TrainersLost: the cluster cannot be used.
            EOFError: the driver has ended.
        """
        try:
            self.connect()
        except ConfigError as error:
            raise TrainersLost(str(error)) from None
        pipe = self._driver.pipe()
        if pipe is None:
            raise EOFError
        return pipe

    def _listen(self, control: Connection) -> None:
        """Learn the cores and the memory of the cluster as nodes come and go."""
        with suppress(EOFError, OSError):
            while True:
                self.cores, self.memory = control.recv()


class Driver:
    """The process that speaks with the cluster at an address."""

    def __init__(self, address: str):
        self._folder = tempfile.TemporaryDirectory(prefix="vitdemo-ray-")
        self._socket, self._key = f"{self._folder.name}/driver", secrets.token_bytes(32)
        command = [sys.executable, "-m", "vitdemo.background.ray_driver", address, self._socket]
        environment = os.environ | {"RAY_gcs_rpc_server_reconnect_timeout_s": HEAD_AWAY}
        self.process = subprocess.Popen(
            command, cwd=PROJECT, env=environment, stdin=subprocess.PIPE
        )
        self.process.stdin.write(self._key)
        self.process.stdin.close()

    def pipe(self) -> Connection | None:
        """Return a new pipe to the process, or None if it has ended. Waits for its start."""
        while self.process.poll() is None:
            with suppress(OSError, EOFError):
                return Client(self._socket, authkey=self._key)
            time.sleep(0.05)
        return None

    def end(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        self._folder.cleanup()


def _received(pipe: Connection) -> list:
    """Return the next steps of a run; none at its end.

    Raises:
        EOFError: the driver has ended.
        Exception: whatever the training has raised.
    """
    received = pipe.recv()
    if isinstance(received, Exception):
        raise received
    return received
