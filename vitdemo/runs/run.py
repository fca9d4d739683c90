"""Training runs on disk, each in its own folder.

The configuration is JSON, the metrics are JSON lines, the weights are a safetensors file. Shipped
and pretrained models are read-only runs.
"""

import json
import math
import re
import time
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path

from ..config import ConfigError, ModelConfig, TrainConfig, config_from_dict
from ..data.cifar10 import CLASSES, SAMPLE
from ..files import SHIPPED, json_text, pretrained_folder, runs_folder, write_atomically
from ..model import VisionTransformer
from ..training.loop import EpochEnd
from .checkpoint import load_checkpoint, read_header, save_checkpoint
from .pretrained import PRETRAINED

ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")
RECORD = {field.name for field in fields(EpochEnd)}
ACTIVE = ("waiting", "running")
STATES = (*ACTIVE, "finished", "stopped", "failed")
RENAMED = {  # fields and values in runs saved by earlier versions -> now
    "weight_averaging": "ema_decay",
    "erasing": "cutout",
    "first_filters": "patch_embed_init",
    "flip_and_shift": "flip_and_translate",
}


@dataclass(frozen=True)
class Run:
    """A training run: its configuration, its state, and the metrics of its epochs."""

    id: str  # of a local run: starts with date and time; otherwise the name of the model
    model: ModelConfig
    training: TrainConfig
    state: str = "waiting"  # one of STATES
    threads: int = 0  # torch threads in the last epoch
    message: str = ""  # why it failed
    history: tuple[dict, ...] = ()  # one `epoch_record` per epoch
    # "local": trained on this machine; "shipped": comes with the app; "imagenet": from torchvision
    origin: str = "local"
    classes: tuple[str, ...] = CLASSES  # names of the outputs

    @property
    def active(self) -> bool:
        """Whether it is waiting or running."""
        return self.state in ACTIVE

    @property
    def folder(self) -> Path:
        """Folder of a local run."""
        return runs_folder() / self.id

    @property
    def weights(self) -> Path:
        """Checkpoint of the last complete epoch."""
        if self.origin == "local":
            return self.folder / "weights.safetensors"
        folder = SHIPPED if self.origin == "shipped" else pretrained_folder()
        return folder / f"{self.id}.safetensors"

    @property
    def has_weights(self) -> bool:
        """Whether the checkpoint exists."""
        return self.weights.is_file()

    @property
    def snapshots_folder(self) -> Path:
        """Folder of the models saved during training."""
        return self.folder / "snapshots" if self.origin == "local" else self.weights.with_suffix("")

    @property
    def state_file(self) -> Path:
        """Training state to resume from; a finished run has none."""
        return self.folder / "state.pt"

    @cached_property  # a page, and the tasks it starts, keep to the weights that they began with
    def version(self) -> tuple:
        """Cache key that changes with the weights."""
        return self.id, self.weights.stat().st_mtime if self.has_weights else 0.0

    @property
    def sees_own_classes(self) -> bool:
        """Whether the validation images show classes that the model was trained on."""
        return self.origin != "imagenet"


def new_run(model: ModelConfig, training: TrainConfig) -> Run:
    """Return a waiting run with an id of its own."""
    second, nanoseconds = divmod(time.time_ns(), 10**9)
    started = time.strftime("%Y%m%d-%H%M%S", time.localtime(second))
    fraction = nanoseconds // 60  # in units of 60 ns, which fit into 6 hex digits
    return Run(f"{started}-{fraction:06x}", model, training)  # ids sort by time


def epoch_record(event: EpochEnd) -> dict:
    """Return an epoch's metrics and times as JSON can hold them."""
    metrics = {"train": storable(event.train), "validation": storable(event.validation)}
    return asdict(event) | metrics


def storable(metrics: dict[str, float]) -> dict[str, float | None]:
    """Return metrics as JSON can hold them: NaN becomes None."""
    return {key: None if math.isnan(value) else value for key, value in metrics.items()}


def save_run(run: Run, model: VisionTransformer | None = None) -> None:
    """Write the run, and weights if given. A kill at any moment leaves each file old or new."""
    if model is not None:
        save_checkpoint(run.weights, model, card_of(run))
    lines = "".join(json_text(record) + "\n" for record in run.history)
    write_atomically(run.folder / "metrics.jsonl", lines.encode())
    config = {"state": run.state, "threads": run.threads, "message": run.message}
    config |= {"model": asdict(run.model), "training": asdict(run.training)}
    write_atomically(run.folder / "config.json", json_text(config, indent=2).encode())


def card_of(run: Run) -> dict:
    """Return the model card of a local run: how its weights were trained."""
    return {
        "run": run.id,
        "training": asdict(run.training),
        "threads": run.threads,
        "seconds": round(sum(record["seconds"] for record in run.history), 1),
        "history": run.history,
    }


def load_run(run_id: str) -> Run:
    """Return the local run with this id.

    Raises:
        ConfigError: there is no such run, or its files are damaged.
    """
    if not ID.fullmatch(run_id):
        raise ConfigError(
            f"{run_id[:40]!r} is not the id of a run. An id looks like 20260131-120000-0a1b2c."
        )
    folder = runs_folder() / run_id
    if not (folder / "config.json").is_file():
        raise ConfigError(f"There is no run {run_id} on this machine. Choose one from the list.")
    try:
        config = json.loads((folder / "config.json").read_text())
        lines = (folder / "metrics.jsonl").read_text().splitlines()
        history = tuple(json.loads(line) for line in lines)
        if config["state"] not in STATES or not all(set(record) >= RECORD for record in history):
            raise ValueError("unknown state or incomplete metrics")
        return Run(
            run_id,
            config_from_dict(ModelConfig, config["model"]),
            config_from_dict(TrainConfig, _renamed(config["training"])),
            config["state"],
            config["threads"],
            config["message"],
            history,
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError(
            f"The files of run {run_id} are damaged ({error}). Delete its folder."
        ) from error


def _renamed(training: dict) -> dict:
    """Return the fields of a TrainConfig under their present names."""
    renamed = {}
    for name, value in training.items():
        if isinstance(value, str):
            value = RENAMED.get(value, value)
        renamed[RENAMED.get(name, name)] = value
    return renamed


def list_runs() -> list[Run]:
    """Return all local runs, newest first. A run interrupted by a kill is listed as stopped."""
    runs = []
    for folder in sorted(runs_folder().glob("*"), reverse=True):
        try:
            run = load_run(folder.name)
        except ConfigError:
            continue
        runs.append(replace(run, state="stopped") if run.active else run)
    return runs


def shipped_runs() -> list[Run]:
    """Return the models that ship with the project, as the runs that trained them."""
    runs = []
    for path in sorted(SHIPPED.glob("*.safetensors")):
        try:
            model, card = read_header(path)
            training = config_from_dict(TrainConfig, card["training"])
            history, threads = tuple(card["history"]), card["threads"]
        except (ConfigError, KeyError, TypeError):  # not one of ours
            continue
        run = Run(path.stem, model, training, "finished", threads, history=history)
        runs.append(replace(run, origin="shipped"))
    return runs


def pretrained_runs() -> list[Run]:
    """Return torchvision's ImageNet models, downloaded or not; they validate on the sample."""
    training, runs = TrainConfig(validation_images=SAMPLE["test"]), []
    for name, shape in PRETRAINED.items():
        run = Run(name, shape, training, "finished", origin="imagenet", classes=())
        runs.append(replace(run, classes=_classes_of(run)) if run.has_weights else run)
    return runs


def _classes_of(run: Run) -> tuple[str, ...]:
    try:
        _, card = read_header(run.weights)
    except ConfigError:  # damaged; loading the model reports it
        return ()
    return tuple(card.get("classes", map(str, range(run.model.num_classes))))


def load_weights(run: Run) -> VisionTransformer:
    """Return the run's model in evaluation mode.

    Raises:
        ConfigError: it has no weights yet, or they are damaged.
    """
    if not run.has_weights:
        raise ConfigError(
            f"Run {run.id} has no weights yet. They are saved at the end of each epoch."
        )
    model, _ = load_checkpoint(run.weights)
    return model
