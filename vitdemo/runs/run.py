"""Training runs on disk, each in its own folder.

The configuration is JSON, the metrics are JSON lines, the weights are a safetensors file. Shipped
and pretrained models are read-only runs.
"""

import json
import math
import os
import re
import time
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

from ..config import ConfigError, ModelConfig, TrainConfig, config_from_dict
from ..data.cifar10 import CLASSES
from ..data.classes import name_each
from ..files import (
    SHIPPED,
    is_plain,
    json_text,
    own_models_folder,
    pretrained_folder,
    read_small,
    reason,
    runs_folder,
    stamp,
    write_atomically,
)
from ..model import VisionTransformer
from ..training.loop import EpochEnd
from . import changes, checks, lock
from .about import FILE as ABOUT
from .about import NO_OWNER, About, read_about
from .checkpoint import load_checkpoint, read_header_now, save_checkpoint

ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")
TIME = "%Y%m%d-%H%M%S"  # format of the first 15 characters of an id
FILES = ("config.json", "metrics.jsonl", "weights.safetensors", ABOUT)
MAX_JSON = 16 * 2**20  # bytes of config.json or metrics.jsonl; 1,000 epochs need less than one
ACTIVE = ("waiting", "running")
STATES = (*ACTIVE, "finished", "stopped", "failed")
DAMAGED = "damaged"  # state of a run whose files cannot be used; it is in no file


@dataclass(frozen=True)
class Run:
    """A training run: its configuration, its state, and the metrics of its epochs."""

    id: str  # of a local run: starts with date and time; otherwise the name of the model
    model: ModelConfig
    training: TrainConfig
    state: str = "waiting"  # one of STATES, or DAMAGED: then only the id and the message count
    threads: int = 0  # torch threads in the last epoch
    precision: str = ""  # of its training steps, once decided: "float32" or "bfloat16"
    message: str = ""  # why it failed, or what is damaged
    history: tuple[dict, ...] = ()  # one `epoch_record` per epoch
    # "local": trained on this machine; "shipped": comes with the app; "imagenet": from torchvision;
    # "own": a visitor's file
    origin: str = "local"
    classes: tuple[str, ...] = ()  # names of the outputs, one for each
    about: About = NO_OWNER
    unsaved: str = ""  # why its last epochs are in memory alone; it is in no file

    def __post_init__(self):
        """Name every class. Runs without names are those of CIFAR-10, if they have its classes."""
        K = self.model.num_classes
        default = () if len(CLASSES) > K else CLASSES
        object.__setattr__(self, "classes", name_each(self.classes or default, K))

    @property
    def active(self) -> bool:
        """Whether it is waiting or running."""
        return self.state in ACTIVE

    @property
    def accuracy(self) -> float | None:
        """Validation accuracy after the last complete epoch, if there is one."""
        return self.history[-1]["validation"]["accuracy"] if self.history else None

    @property
    def folder(self) -> Path:
        """Folder of a local run."""
        return runs_folder() / self.id

    @property
    def weights(self) -> Path:
        """Checkpoint of the last complete epoch."""
        if self.origin == "local":
            return self.folder / "weights.safetensors"
        folders = {"shipped": SHIPPED, "imagenet": pretrained_folder(), "own": own_models_folder()}
        return folders[self.origin] / f"{self.id}.safetensors"

    @property
    def has_weights(self) -> bool:
        """Whether the checkpoint exists and can be used: it belongs to the metrics."""
        is_there = is_plain if self.origin == "local" else Path.is_file
        return self.state != DAMAGED and not self.unsaved and is_there(self.weights)

    @property
    def snapshots_folder(self) -> Path:
        """Folder of the models saved during training."""
        return self.folder / "snapshots" if self.origin == "local" else self.weights.with_suffix("")

    @property
    def has_state(self) -> bool:
        """Whether there is a training state to resume from."""
        return is_plain(self.state_file)

    @property
    def state_file(self) -> Path:
        """Training state to resume from; a finished run has none."""
        return self.folder / "state.pt"

    @cached_property  # a page, and the tasks it starts, keep to the weights that they began with
    def version(self) -> tuple:
        """Cache key that changes with the weights."""
        return self.id, stamp(self.weights)

    @property
    def sees_own_classes(self) -> bool:
        """Whether CIFAR-10, which the pages show, has the classes that the model was trained on."""
        of_cifar10 = self.classes[: len(CLASSES)] == CLASSES
        return of_cifar10 and (self.model.in_channels, self.model.image_size) == (3, 32)


def new_run(model: ModelConfig, training: TrainConfig, about: About = NO_OWNER) -> Run:
    """Return a waiting run with an id of its own."""
    second, nanoseconds = divmod(time.time_ns(), 10**9)
    started = time.strftime(TIME, time.localtime(second))
    fraction = nanoseconds // 60  # in units of 60 ns, which fit into 6 hex digits
    return Run(f"{started}-{fraction:06x}", model, training, about=about)  # ids sort by time


def epoch_record(event: EpochEnd) -> dict:
    """Return an epoch's metrics and times as JSON can hold them."""
    metrics = {"train": storable(event.train), "validation": storable(event.validation)}
    return asdict(event) | metrics


def storable(metrics: dict[str, float]) -> dict[str, float | None]:
    """Return metrics as JSON can hold them: NaN becomes None."""
    return {key: value if math.isfinite(value) else None for key, value in metrics.items()}


def save_run(run: Run, model: VisionTransformer | None = None) -> None:
    """Write the run, and weights if given. A kill at any moment leaves each file old or new.

    The checkpoint holds the metrics that were measured with its weights, and these count when the
    run is read: a kill between two files leaves no weights with the metrics of others.
    """
    if model is not None:
        save_checkpoint(run.weights, model, card_of(run))
    lines = "".join(json_text(record) + "\n" for record in run.history)
    write_atomically(run.folder / "metrics.jsonl", lines.encode())
    config = {"state": run.state, "threads": run.threads, "precision": run.precision}
    config |= {"message": run.message}
    config |= {"model": asdict(run.model), "training": asdict(run.training)}
    config |= {"classes": run.classes}
    write_atomically(run.folder / "config.json", json_text(config, indent=2).encode())
    changes.note(run.id)


def card_of(run: Run) -> dict:
    """Return the model card of a local run: how its weights were trained."""
    return {
        "run": run.id,
        "classes": run.classes,
        "training": asdict(run.training),
        "threads": run.threads,
        "precision": run.precision,
        "seconds": round(sum(record["seconds"] for record in run.history), 1),
        "history": run.history,
    }


def load_run(run_id: str) -> Run:
    """Return the local run with this id. A run whose trainer was killed is read as stopped.

    Raises:
        ConfigError: there is no such run, or its files are damaged.
    """
    if not ID.fullmatch(run_id):
        raise ConfigError(
            f"{run_id[:40]!r} is not the id of a run. An id looks like 20260131-120000-0a1b2c."
        )
    run = saved_run(run_id)
    if run is None:
        raise ConfigError(f"There is no run {run_id} on this machine. Choose one from the list.")
    if run.state == DAMAGED:
        raise ConfigError(run.message)
    return run


def list_runs() -> list[Run]:
    """Return all local runs, newest first, with those that are damaged.

    This reads the files of every run: `runs.index` finds some among many.
    """
    found = [_saved(runs_folder() / run_id) for run_id in sorted(names_of_runs(), reverse=True)]
    return [run for run in found if run is not None]


def names_of_runs() -> list[str]:
    """Return the names of all folders that may be those of runs."""
    try:
        return [name for name in os.listdir(runs_folder()) if ID.fullmatch(name)]
    except OSError:  # there are none yet
        return []


def saved_run(run_id: str) -> Run | None:
    """Return a local run as it is on disk now, damaged or not, or None if there is none."""
    return _saved(runs_folder() / run_id) if ID.fullmatch(run_id) else None


def stamps_of(folder: Path) -> tuple:
    """Return a cache key that changes with the files of a run; all None without files."""
    start = f"{folder}/"  # made once, as pages compare many runs at each rerun
    stamps = tuple(stamp(start + name) for name in FILES)
    if any(stamps) and os.path.islink(folder):  # which leads to the same files as before
        stamps = (*stamps, stamp(folder))
    return stamps


def _saved(folder: Path) -> Run | None:
    """Return a local run as it is on disk now, or None if its folder has no file of a run."""
    if not any(os.path.lexists(folder / name) for name in FILES):
        return None
    run = read_cached(folder, stamps_of(folder))
    if run.active:
        return replace(run, state="running" if lock.is_held(folder) else "stopped")
    return run


@lru_cache(maxsize=32)  # those that pages show now: a run of 200 epochs takes half a megabyte
def read_cached(folder: Path, stamps: tuple) -> Run:
    """Return the run whose files have these stamps, as `read_files`."""
    return read_files(folder)


def read_files(folder: Path) -> Run:
    """Read and check the files of a run, all at once. Its state is that on disk."""
    try:
        return _checked(folder)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        missing = isinstance(error, KeyError)
        problem = f"{error.args[0]!r} is missing" if missing else reason(error).rstrip(".")
        message = (
            f"The files of run {folder.name} are damaged ({problem}). Delete it on the Train page, "
            "or delete its folder."
        )
        run = Run(folder.name, ModelConfig(), TrainConfig(), DAMAGED, message=message)
        return replace(run, about=_whatever_is_said(folder))


def _whatever_is_said(folder: Path) -> About:
    """Return whose a damaged run is, so that its owner can delete it."""
    if folder.is_symlink():
        return NO_OWNER
    try:
        return read_about(folder)
    except (OSError, ValueError, RecursionError):
        return NO_OWNER


def _checked(folder: Path) -> Run:
    """Return the run in a folder, with everything in its files checked."""
    try:
        time.strptime(folder.name[:15], TIME)
    except ValueError as error:
        raise ValueError("its name is not a date and time") from error
    if folder.is_symlink():
        raise ValueError("its folder is a link to another place")
    for name in FILES:
        if os.path.lexists(folder / name) and not is_plain(folder / name):
            raise ValueError(f"{name} is not a file")
    config = json.loads(read_small(folder / "config.json", MAX_JSON))
    checks.mapping(config, "config.json")
    if config["state"] not in STATES:
        raise ValueError("its state is unknown")
    model = config_from_dict(ModelConfig, config["model"])
    run = Run(
        folder.name,
        model,
        config_from_dict(TrainConfig, checks.renamed(config["training"])),
        config["state"],
        checks.count(config["threads"], "threads"),
        checks.precision(config.get("precision", "")),  # missing in runs of earlier versions
        checks.text(config["message"], "message"),
        classes=checks.classes(config.get("classes"), model.num_classes),
        about=read_about(folder),
    )
    if run.has_weights:
        of_weights, card = read_header_now(run.weights)
        if of_weights != run.model:
            raise ValueError("its weights belong to another model")
        records, threads = card["history"], card["threads"]
    else:
        lines = read_small(folder / "metrics.jsonl", MAX_JSON).splitlines()
        records, threads = [json.loads(line) for line in lines], run.threads
    history = checks.history(records, run.training.epochs)
    return replace(run, history=history, threads=checks.count(threads, "threads"))


def load_weights(run: Run) -> VisionTransformer:
    """Return the run's model in evaluation mode.

    Raises:
        ConfigError: it has no weights, or they are damaged.
    """
    if not run.has_weights:
        if run.active:
            raise ConfigError(
                f"Run {run.id} has no weights yet. They are saved at the end of each epoch."
            )
        raise ConfigError(f"Run {run.id} ended before its first epoch did, so it has no weights.")
    model, _ = load_checkpoint(run.weights)
    if model.config != run.model:
        raise ConfigError(f"{run.weights.name} holds another model than {run.id}. Delete it.")
    return model
