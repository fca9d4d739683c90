"""A training run on disk: configuration as JSON, metrics as JSON lines, weights as safetensors, in a folder of its own.

Shipped and pretrained models are runs, too: made elsewhere, and read only.
"""

import json
import math
import re
import time
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from ..config import ConfigError, ModelConfig, TrainConfig, config_from_dict
from ..data.cifar10 import CLASSES, SAMPLE
from ..files import SHIPPED, pretrained_folder, runs_folder, write_atomically
from ..model import VisionTransformer
from ..training.loop import EpochEnd
from .checkpoint import load_checkpoint, read_header, save_checkpoint
from .pretrained import PRETRAINED

ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")
RECORD = {field.name for field in fields(EpochEnd)}
ACTIVE = ("waiting", "running")
STATES = (*ACTIVE, "finished", "stopped", "failed")
ORIGINS = ("local", "shipped", "imagenet")
RENAMED = {  # fields and values of runs that were saved by earlier versions
    "weight_averaging": "ema_decay",
    "erasing": "cutout",
    "first_filters": "patch_embed_init",
    "flip_and_shift": "flip_and_translate",
}


@dataclass(frozen=True)
class Run:
    """One training run: what was asked for, how far it came, and what it reached."""

    id: str  # of a local run, begins with the date and time of its start; else the model's name
    model: ModelConfig
    training: TrainConfig
    state: str = "waiting"  # one of STATES
    threads: int = 0  # of torch, in its last epoch
    message: str = ""  # why it failed
    history: tuple[dict, ...] = ()  # a record for each epoch, as made by `epoch_record`
    origin: str = "local"  # "local": trained here; "shipped" with the app; "imagenet": torchvision's, trained on ImageNet
    classes: tuple[str, ...] = CLASSES  # what its outputs stand for

    @property
    def active(self) -> bool:
        """Whether it waits or runs."""
        return self.state in ACTIVE

    @property
    def folder(self) -> Path:
        """Where a local run lies on disk."""
        return runs_folder() / self.id

    @property
    def weights(self) -> Path:
        """The checkpoint of its last complete epoch."""
        if self.origin == "local":
            return self.folder / "weights.safetensors"
        folder = SHIPPED if self.origin == "shipped" else pretrained_folder()
        return folder / f"{self.id}.safetensors"

    @property
    def has_weights(self) -> bool:
        """Whether there is a model to ask."""
        return self.weights.is_file()

    @property
    def snapshots_folder(self) -> Path:
        """Where models from along its training are kept."""
        return self.folder / "snapshots" if self.origin == "local" else self.weights.with_suffix("")

    @property
    def state_file(self) -> Path:
        """What its training resumes from; there is none once it has finished."""
        return self.folder / "state.pt"

    @property
    def version(self) -> tuple:
        """Cache key that changes with the weights."""
        return self.id, self.weights.stat().st_mtime if self.has_weights else 0.0

    @property
    def sees_own_classes(self) -> bool:
        """Whether the validation images show classes that it was trained on, so that its predictions are right or wrong."""
        return self.origin != "imagenet"


def new_run(model: ModelConfig, training: TrainConfig) -> Run:
    """Return a waiting run with an id of its own."""
    second, rest = divmod(time.time_ns(), 10**9)
    started = time.strftime("%Y%m%d-%H%M%S", time.localtime(second))
    return Run(f"{started}-{rest // 60:06x}", model, training)  # 60 ns apart: ids sort by time


def epoch_record(event: EpochEnd) -> dict:
    """Return what is kept of an epoch, as JSON can hold it."""
    metrics = {"train": storable(event.train), "validation": storable(event.validation)}
    return asdict(event) | metrics


def storable(metrics: dict[str, float]) -> dict[str, float | None]:
    """Return metrics as JSON can hold them: one without a value (NaN) becomes None."""
    return {key: None if math.isnan(value) else value for key, value in metrics.items()}


def save_run(run: Run, model: VisionTransformer | None = None) -> None:
    """Write the run, and its weights if given; a kill at any moment leaves each file old or new."""
    if model is not None:
        save_checkpoint(run.weights, model, card_of(run))
    lines = "".join(json.dumps(record) + "\n" for record in run.history)
    write_atomically(run.folder / "metrics.jsonl", lines.encode())
    config = {"state": run.state, "threads": run.threads, "message": run.message}
    config |= {"model": asdict(run.model), "training": asdict(run.training)}
    write_atomically(run.folder / "config.json", json.dumps(config, indent=2).encode())


def card_of(run: Run) -> dict:
    """Return how the weights were trained, to be stored with them."""
    return {
        "run": run.id,
        "training": asdict(run.training),
        "threads": run.threads,
        "seconds": round(sum(record["seconds"] for record in run.history), 1),
        "history": run.history,
    }


def load_run(run_id: str) -> Run:
    """Return the local run of that id.

    Raises:
        ConfigError: there is none, or its files are damaged.
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
        history = tuple(
            json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()
        )
        model = config_from_dict(ModelConfig, config["model"])
        training = config_from_dict(TrainConfig, _renamed(config["training"]))
        if config["state"] not in STATES or not all(set(record) >= RECORD for record in history):
            raise ValueError("not as a run is written")
        return Run(
            run_id, model, training, config["state"], config["threads"], config["message"], history
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError(
            f"The files of run {run_id} are damaged ({error}). Delete its folder."
        ) from error


def _renamed(training: dict) -> dict:
    return {
        RENAMED.get(name, name): RENAMED.get(value, value) if isinstance(value, str) else value
        for name, value in training.items()
    }


def list_runs() -> list[Run]:
    """Return every complete local run, newest first. One that a kill interrupted is listed as stopped."""
    runs = []
    for folder in sorted(runs_folder().glob("*"), reverse=True):
        try:
            run = load_run(folder.name)
        except ConfigError:
            continue
        runs.append(replace(run, state="stopped") if run.active else run)
    return runs


def shipped_runs() -> list[Run]:
    """Return the models that ship with the project, each as the run that made it."""
    runs = []
    for path in sorted(SHIPPED.glob("*.safetensors")):
        try:
            model, card = read_header(path)
            training = config_from_dict(TrainConfig, card["training"])
            history = tuple(card["history"])
            runs.append(
                Run(path.stem, model, training, "finished", card["threads"], "", history, "shipped")
            )
        except (ConfigError, KeyError, TypeError):  # made by somebody else
            continue
    return runs


def pretrained_runs() -> list[Run]:
    """Return torchvision's ImageNet models, downloaded or not, with the shipped test images to validate on."""
    training, runs = TrainConfig(validation_images=SAMPLE["test"]), []
    for name, shape in PRETRAINED.items():
        run = Run(name, shape, training, "finished", origin="imagenet", classes=())
        runs.append(replace(run, classes=_classes_of(run)) if run.has_weights else run)
    return runs


def _classes_of(run: Run) -> tuple[str, ...]:
    try:
        _, card = read_header(run.weights)
    except ConfigError:  # damaged: said when the model is loaded
        return ()
    return tuple(card.get("classes", map(str, range(run.model.num_classes))))


def load_weights(run: Run) -> VisionTransformer:
    """Return the run's model, ready to predict.

    Raises:
        ConfigError: it has no weights yet, or they are damaged.
    """
    if not run.has_weights:
        raise ConfigError(
            f"Run {run.id} has no weights yet. They are saved at the end of each epoch."
        )
    model, _ = load_checkpoint(run.weights)
    return model
