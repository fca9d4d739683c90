"""The trainers of a Ray cluster, one on each core, as nodes come and go."""

import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from ..files import PROJECT
from .ray_trainer import Trainer, versions

PATIENCE = 60.0  # seconds that a run waits for a cluster without any trainer
ANSWER = 10.0  # seconds in which an idle trainer answers if it is alive


class TrainersLost(RuntimeError):
    """The trainers of a run were lost, or there are none."""


@dataclass(eq=False)
class Place:
    """A core of the cluster: its trainer, and what is there."""

    actor: object
    busy: bool = False
    runs: set[str] = field(default_factory=set)  # keys


class Pool:
    """The trainers of the cluster at an address, host:port, of which this machine is a node."""

    def __init__(self, address: str):
        import ray

        host, _, port = address.rpartition(":")
        socket.create_connection((host, int(port)), timeout=3).close()
        package = {"py_modules": [str(PROJECT / "vitdemo")], "excludes": ["*.png", "__pycache__"]}
        ray.init(address, runtime_env=package, log_to_driver=False, logging_level="ERROR")
        self.address = address
        self._changed = threading.Condition()  # for all that follows
        self._places: list[Place] = []
        self._problem = ""  # why there may be fewer trainers than cores

    def take(self, key: str, own: Place | None, may_move: bool) -> Place:
        """Wait for a free trainer: the run's own, or another if the run may move, and return it.

        The queue lets no more runs train than there are cores, so one is free soon.
        """
        import ray

        until = time.monotonic() + PATIENCE
        while True:
            with self._changed:
                while (place := self._free(own, may_move)) is None:
                    if self._places:
                        until = time.monotonic() + PATIENCE
                    elif time.monotonic() > until:
                        raise TrainersLost(
                            f"the Ray cluster at {self.address} has had no core for it for "
                            f"{PATIENCE:.0f} s. {self._problem}".strip()
                        )
                    self._changed.wait(1.0)
                place.busy = True
                place.runs.add(key)
            try:
                ray.get(place.actor.process.remote(), timeout=ANSWER)
            except ray.exceptions.RayError:  # it ended while it was idle
                self.remove(place)
                continue
            if place is not own:
                self.leave(key, own)
            return place

    def _free(self, own: Place | None, may_move: bool) -> Place | None:
        """Return the free trainer to take, if there is one. The lock must be held."""
        free = [place for place in self._places if not place.busy]
        if own in free:
            return own
        if own in self._places and not may_move:
            return None
        return min(free, key=lambda place: len(place.runs), default=None)

    def give_back(self, place: Place | None) -> None:
        """Let other runs have a trainer, if it has not ended."""
        if place:
            with self._changed:
                place.busy = False
                self._changed.notify_all()

    def leave(self, key: str, place: Place | None) -> None:
        """Let the trainer of a run forget it."""
        if place and key in place.runs:
            place.runs.discard(key)
            place.actor.drop.remote(key)

    def remove(self, place: Place) -> None:
        """Forget a trainer that has ended."""
        import ray

        with self._changed:
            if place in self._places:
                self._places.remove(place)
            self._changed.notify_all()
        with suppress(ray.exceptions.RayError):
            ray.kill(place.actor)  # it may only be out of reach

    def resources(self) -> tuple[int, int]:
        """Return the cores of the cluster, at least 1, and half of its memory in bytes."""
        import ray

        found = ray.cluster_resources()
        return max(1, int(found.get("CPU", 0))), int(found.get("memory", 2**31)) // 2

    def keep(self, control: Connection) -> None:
        """Keep a trainer on each core, as nodes come and go; never returns.

        Args:
            control: sends the resources of the cluster whenever they change.
        """
        import ray

        remote = ray.remote(num_cpus=1, max_restarts=0)(Trainer)
        starting, refused, known = {}, [], None  # starting: answer to come -> trainer
        while True:
            resources = self.resources()
            if resources != known:
                known = resources
                control.send(known)
            with self._changed:
                present = len(self._places) + len(starting) + len(refused)
            for _ in range(known[0] - present):
                actor = remote.remote()
                starting[actor.versions.remote()] = actor
            if not starting:
                time.sleep(1.0)
                continue
            answers, _ = ray.wait(list(starting), timeout=1.0)
            for answer in answers:
                actor = starting.pop(answer)
                try:
                    found = ray.get(answer)
                except ray.exceptions.RayError as error:
                    self._problem = f"A worker could not start: {first_line(error)}."
                    continue
                if found != versions():
                    refused.append(actor)
                    self._problem = f"A node has {found}, and this app {versions()}."
                    continue
                with self._changed:
                    self._places.append(Place(actor))
                    self._changed.notify_all()


def first_line(error: Exception) -> str:
    """Return the first line of a message, which in Ray may have dozens."""
    return str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
