"""A run on disk: configuration as JSON, metrics as JSON lines, weights as safetensors, in one folder a run."""

import json
import math
import re
import time
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from ..config import ConfigError, ModelConfig, TrainConfig, config_from_dict
from ..data.cifar10 import CLASSES, SAMPLE
from ..files import SHIPPED, runs_folder, write_atomically
from ..model import VisionTransformer
from ..training.loop import EpochEnd
from .checkpoint import load_checkpoint, read_header, save_checkpoint
from .pretrained import PRETRAINED, classes_of, weights_file

ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")
RECORD = {field.name for field in fields(EpochEnd)}
MOMENTS = 9  # at most so many models are kept of a run besides its last
STATES = ("waiting", "running", "finished", "stopped", "failed")


@dataclass(frozen=True)
class Run:
    """One training: what was asked for, how far it came, and what it reached.

    A pretrained model stands as a run that others made: it has no history, and `training` says only what it is shown.
    """

    id: str  # begins with the date and time of its start; of a shipped or pretrained model, its name
    model: ModelConfig
    training: TrainConfig
    state: str = "waiting"  # one of STATES
    threads: int = 0  # of torch, in its last epoch
    message: str = ""  # why it failed
    history: tuple[dict, ...] = ()  # a record an epoch, as made by `epoch_record`

    @property
    def folder(self) -> Path:
        """Where it lies on disk."""
        return runs_folder() / self.id

    @property
    def shipped(self) -> bool:
        """Whether it is the run of a checkpoint that ships with the project."""
        return not self.pretrained and not ID.fullmatch(self.id)

    @property
    def version(self) -> tuple:
        """That no other run has, nor this one with other weights."""
        return self.id, self.weights.stat().st_mtime if self.weights.is_file() else 0.0

    @property
    def pretrained(self) -> bool:
        """Whether it is a model that others have trained on ImageNet."""
        return self.id in PRETRAINED

    @property
    def classes(self) -> tuple[str, ...]:
        """What its outputs stand for."""
        return classes_of(self.id) if self.pretrained else CLASSES

    @property
    def weights(self) -> Path:
        """The checkpoint of its last epoch (of its last step where it was stopped)."""
        if self.pretrained:
            return weights_file(self.id)
        return SHIPPED / f"{self.id}.safetensors" if self.shipped else self.folder / "weights.safetensors"


def new_run(model: ModelConfig, training: TrainConfig) -> Run:
    """A run that waits, with an id of its own."""
    second, rest = divmod(time.time_ns(), 10**9)
    started = time.strftime("%Y%m%d-%H%M%S", time.localtime(second))
    return Run(f"{started}-{rest // 60:06x}", model, training)  # 60 ns apart: ids are in the order of their making


def epoch_record(event: EpochEnd) -> dict:
    """What is kept of an epoch; a metric without a value (NaN) becomes None, as JSON has no NaN."""
    record = asdict(event)
    for part in ("train", "validation"):
        record[part] = {key: None if math.isnan(value) else value for key, value in record[part].items()}
    return record


def save_run(run: Run, model: VisionTransformer | None = None) -> None:
    """Write the run, and its weights if given; a kill at any moment leaves each file as it was or as it shall be."""
    if model is not None:
        save_checkpoint(run.weights, model, card_of(run))
        _save_moment(run, model)
    lines = "".join(json.dumps(record) + "\n" for record in run.history)
    write_atomically(run.folder / "metrics.jsonl", lines.encode())
    config = {"state": run.state, "threads": run.threads, "message": run.message}
    config |= {"model": asdict(run.model), "training": asdict(run.training)}
    write_atomically(run.folder / "config.json", json.dumps(config, indent=2).encode())


def _save_moment(run: Run, model: VisionTransformer) -> None:
    done = len(run.history)
    path = run.folder / "moments" / f"{done}.safetensors"
    if done in moment_epochs(run.training.epochs) and not path.exists():
        card = {"epochs": done, "validation": run.history[-1]["validation"]}
        save_checkpoint(path, model, card, half=True)


def moment_epochs(epochs: int) -> list[int]:
    """After which of a run's epochs its model is kept besides its last: at first often, then ever more rarely."""
    return sorted({round(epochs ** (i / MOMENTS)) for i in range(MOMENTS)} - {epochs})


@dataclass(frozen=True)
class Moment:
    """A run's model as it was at some time of its training."""

    epochs: float  # done by then
    accuracy: float  # on the validation images
    weights: Path


def moments(run: Run) -> list[Moment]:
    """Every model that was kept of a run, the first first; the last is that of `run.weights`."""
    folder = SHIPPED / run.id if run.shipped else run.folder / "moments"
    found = []
    for path in folder.glob("*.safetensors"):
        try:
            _, card = read_header(path)
            found.append(Moment(card["epochs"], card["validation"]["accuracy"], path))
        except (ConfigError, KeyError, TypeError):  # cut off, or of somebody else
            continue
    if run.weights.is_file() and run.history:
        found = [moment for moment in found if moment.epochs < len(run.history)]
        found.append(Moment(len(run.history), run.history[-1]["validation"]["accuracy"], run.weights))
    return sorted(found, key=lambda moment: moment.epochs)


def card_of(run: Run) -> dict:
    """How the weights came to be, to go with them."""
    return {
        "run": run.id,
        "training": asdict(run.training),
        "threads": run.threads,
        "seconds": round(sum(record["seconds"] for record in run.history), 1),
        "history": run.history,
    }


def shipped_runs() -> list[Run]:
    """The checkpoints that ship with the project, each as the run that made it."""
    runs = []
    for path in sorted(SHIPPED.glob("*.safetensors")):
        try:
            model, card = read_header(path)
            training = config_from_dict(TrainConfig, card["training"])
            runs.append(Run(path.stem, model, training, "finished", card["threads"], "", tuple(card["history"])))
        except (ConfigError, KeyError, TypeError):  # of somebody else
            continue
    return runs


def pretrained_runs() -> list[Run]:
    """The models of PRETRAINED, fetched or not, to be shown the test images that ship."""
    shown = TrainConfig(validation_images=SAMPLE["test"])
    return [Run(name, shape, shown, "finished") for name, shape in PRETRAINED.items()]


def load_run(run_id: str) -> Run:
    """The run of that id.

    Raises:
        ConfigError: there is none, or its files are damaged.
    """
    if not ID.fullmatch(run_id):
        raise ConfigError(f"{run_id[:40]!r} is not the id of a run: an id looks like 20260131-120000-0a1b2c.")
    folder = runs_folder() / run_id
    if not (folder / "config.json").is_file():
        raise ConfigError(f"There is no run {run_id} on this machine: choose one from the list.")
    try:
        config = json.loads((folder / "config.json").read_text())
        history = tuple(json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines())
        model = config_from_dict(ModelConfig, config["model"])
        training = config_from_dict(TrainConfig, config["training"])
        if config["state"] not in STATES or not all(set(record) >= RECORD for record in history):
            raise ValueError("not as a run is written")
        return Run(run_id, model, training, config["state"], config["threads"], config["message"], history)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError(f"The files of run {run_id} are damaged ({error}): delete its folder.") from error


def list_runs() -> list[Run]:
    """Every whole run on disk, the newest first. One that was cut off by a kill is listed as stopped."""
    runs = []
    for folder in sorted((runs_folder()).glob("*"), reverse=True):
        try:
            run = load_run(folder.name)
        except ConfigError:
            continue
        runs.append(replace(run, state="stopped") if run.state in ("waiting", "running") else run)
    return runs


def load_weights(run: Run) -> VisionTransformer:
    """The run's model, ready to predict.

    Raises:
        ConfigError: it has no weights yet, or they are damaged.
    """
    if not run.weights.is_file():
        raise ConfigError(f"Run {run.id} has no weights yet: they are kept from its first epoch on.")
    model, _ = load_checkpoint(run.weights)
    return model
