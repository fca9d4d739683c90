"""The process that speaks with a Ray cluster: it keeps trainers and hands runs to them.

    python -m vitdemo.background.ray_driver ADDRESS SOCKET

`ray_executor` starts it, writes a key to its input, and connects to its socket.
"""

import hashlib
import os
import shutil
import sys
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from math import ceil
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, Listener
from uuid import uuid4

import numpy as np

from ..config import ModelConfig, TrainConfig
from ..runs.snapshots import snapshot_steps
from .ray_pool import Pool, TrainersLost, first_line
from .ray_trainer import Step, Work

MOST_LOSSES = 3  # times in a row that a run may lose its trainer without completing an epoch
KEPT_DATA = 4  # data sets in Ray's object store
_data: OrderedDict[str, object] = OrderedDict()  # digest -> reference in the object store
_storing = threading.Lock()


@dataclass(frozen=True)
class Order:
    """A run that the app wants to be trained."""

    model: ModelConfig
    weights: dict[str, np.ndarray]  # before the first epoch
    is_new: bool  # whether these are the initial weights
    recipe: TrainConfig
    data: list[np.ndarray]  # `arrays_of` the data
    state: bytes  # after the last complete epoch, as in its state file; empty: from the start

    def after(self, state: bytes) -> "Order":
        """Return the order for the rest of the run, after the epoch with this state."""
        return replace(self, state=state)


def main(address: str, path: str) -> None:
    """Join a cluster and train runs until the app ends.

    The first pipe sends why the cluster cannot be used, or an empty text; then the cores and the
    memory of the cluster whenever they change. Each other one is for a run.

    Args:
        address: host:port of the cluster.
        path: of the socket.
    """
    listener = Listener(path, authkey=sys.stdin.buffer.read())
    control = listener.accept()
    threading.Thread(target=_end_with_the_app, args=(control, path), daemon=True).start()
    try:
        pool = Pool(address)
    except Exception as error:  # of the network, or of Ray, which documents none
        control.send(first_line(error))
        return
    control.send("")
    control.send(pool.resources())
    threading.Thread(target=pool.keep, args=(control,), daemon=True).start()
    while True:
        try:
            pipe = listener.accept()
        except (EOFError, ConnectionError, AuthenticationError):  # who came left, or has no key
            continue
        threading.Thread(target=_serve, args=(pool, pipe), daemon=True).start()


def _end_with_the_app(control: Connection, path: str) -> None:
    with suppress(EOFError, OSError):
        control.recv()  # the app sends nothing
    shutil.rmtree(os.path.dirname(path), ignore_errors=True)  # the app may have been killed
    os._exit(0)  # Ray ends the trainers


def _serve(pool: Pool, pipe: Connection) -> None:
    """Train the run that comes through a pipe, until the app closes it."""
    with pipe, suppress(EOFError, OSError):
        order = pipe.recv()
        try:
            with closing(train(pool, order)) as batches:
                for steps in batches:
                    pipe.send(steps)
                    pipe.recv()  # the app wants more
            pipe.send([])
        except (EOFError, OSError):
            raise
        except Exception as error:
            pipe.send(error)


def train(pool: Pool, order: Order) -> Iterator[list[Step]]:
    """Train a run, on one trainer after another if need be, and yield its steps in batches.

    Raises:
        TrainersLost: its trainers ended again and again, or the cluster has none.
    """
    import ray

    steps_per_epoch = ceil(len(order.data[0]) / order.recipe.batch_size)
    snapshots = frozenset(snapshot_steps(order.recipe.epochs, steps_per_epoch))
    given = (order.model, order.weights, order.is_new, order.recipe, snapshots, order.state)
    work, key, data = Work(*given), uuid4().hex, _stored(order.data)
    place, losses = None, 0
    between_epochs = True  # `work` holds all of the run then
    try:
        while True:
            before, place = place, pool.take(key, place, between_epochs)
            begins = (work, data) if place is not before else ()
            try:
                steps = ray.get(place.actor.advance.remote(key, *begins))
            except ray.exceptions.RayTaskError as error:  # raised by the training itself
                raise error.cause from None
            except ray.exceptions.RayError:
                pool.remove(place)
                place, between_epochs, losses = None, True, losses + 1
                if losses == MOST_LOSSES:
                    raise TrainersLost(_loss(losses)) from None
                continue
            finally:
                pool.give_back(place)
            if not steps:
                return
            between_epochs = bool(steps[-1].state)
            if between_epochs:
                work, losses = replace(work, state=steps[-1].state), 0
            yield steps
    finally:
        pool.leave(key, place)


def _stored(arrays: list[np.ndarray]) -> object:
    """Return the reference of the data in Ray's object store, and put them there if need be."""
    import ray

    digest = hashlib.blake2b(repr([array.shape for array in arrays]).encode())
    for array in arrays:
        digest.update(array.data)
    with _storing:
        reference = _data.pop(digest.hexdigest(), None) or ray.put(arrays)
        _data[digest.hexdigest()] = reference
        while len(_data) > KEPT_DATA:
            _data.popitem(last=False)
    return reference


def _loss(losses: int) -> str:
    return (
        f"it lost its worker on the Ray cluster {losses} times before it completed an epoch. Its "
        "nodes may lack memory: choose a smaller model or batch"
    )


if __name__ == "__main__":
    # By its full name, which pickle finds in both processes.
    from vitdemo.background.ray_driver import main

    main(*sys.argv[1:])
