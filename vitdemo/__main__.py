"""The shell commands: `python -m vitdemo train` and `python -m vitdemo evaluate`."""

import argparse
import json
import shutil
import sys
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

from .config import PRESETS, SETTINGS, ConfigError, ModelConfig, TrainConfig
from .config.settings import settings_of


def parser() -> argparse.ArgumentParser:
    """Return the parser; every field of ModelConfig and TrainConfig is an option that overrides the preset."""
    top = argparse.ArgumentParser(
        prog="python -m vitdemo", description="Train and evaluate a Vision Transformer."
    )
    commands = top.add_subparsers(dest="command", required=True)
    _add_train(commands.add_parser("train", help="train a model; the app lists the run, too"))
    evaluate = commands.add_parser("evaluate", help="evaluate a checkpoint on test images")
    evaluate.add_argument("checkpoint", type=Path, help="a .safetensors file of this project")
    evaluate.add_argument(
        "--validation-images",
        type=int,
        default=1000,
        metavar="N",
        help="use the first N test images (default: 1000)",
    )
    evaluate.add_argument(
        "--full",
        action="store_true",
        help="use all 10,000 test images; downloads CIFAR-10 (170 MB) if needed",
    )
    evaluate.add_argument(
        "--json", type=Path, metavar="FILE", help="write the metrics to FILE as JSON"
    )
    return top


def _add_train(train: argparse.ArgumentParser) -> None:
    add = train.add_argument
    add(
        "--preset",
        choices=PRESETS,
        default="recommended",
        help="values of all settings that are not given",
    )
    add("--full", action="store_true", help="use all of CIFAR-10; downloads it (170 MB) if needed")
    add("--resume", metavar="RUN", help="resume the run with this id after its last complete epoch")
    add(
        "--threads",
        type=int,
        metavar="N",
        help="torch threads (default: all cores, or those of the resumed run)",
    )
    add("--json", type=Path, metavar="FILE", help="write one JSON line per epoch to FILE")
    add(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="save weights and model card as FILE (.safetensors)",
    )
    add("--half", action="store_true", help="save that checkpoint in half precision")
    add(
        "--snapshots",
        type=Path,
        metavar="FOLDER",
        help="copy the snapshots taken along the run to FOLDER",
    )
    for kind in (ModelConfig, TrainConfig):
        group = train.add_argument_group(kind.__name__)
        for name, setting in settings_of(kind).items():
            group.add_argument(
                "--" + name.replace("_", "-"),
                dest=name,
                type=setting.type,
                choices=setting.choices or None,
                metavar=None if setting.choices else setting.type.__name__.upper(),
                help=setting.help.replace("%", "%%"),
            )


def configs(options: argparse.Namespace) -> tuple[ModelConfig, TrainConfig]:
    """Return the preset with what was given on the command line."""
    model, training = PRESETS[options.preset]
    if options.full:
        training = replace(training, train_images=50_000, validation_images=10_000)
    given = {name: value for name in SETTINGS if (value := getattr(options, name)) is not None}
    model = replace(model, **{name: given[name] for name in asdict(model) if name in given})
    return model, replace(
        training, **{name: given[name] for name in asdict(training) if name in given}
    )


def run_train(options: argparse.Namespace) -> None:
    """Train a new run, or resume one, with a progress bar."""
    settings = configs(options)  # what is wrong in them is said before torch is loaded

    import torch

    from .data.cifar10 import download_full_set
    from .machine import available_cores
    from .runs.run import load_run, new_run
    from .runs.train_run import load_data

    if options.full:
        download_full_set()
    run = _resumed(options) if options.resume else new_run(*settings)
    torch.set_num_threads(options.threads or run.threads or available_cores())
    data = load_data(run)
    for path in filter(None, (options.json, options.checkpoint)):
        path.parent.mkdir(parents=True, exist_ok=True)
    if options.snapshots:
        options.snapshots.mkdir(parents=True, exist_ok=True)
    if options.json:
        _write_lines(options.json, run.history)
    try:
        _train(run, data, options.json)
    except KeyboardInterrupt:
        print("Stopped. Complete epochs are kept.")
        if run.state_file.exists():
            print(f"Resume with --resume {run.id}.")
    run = load_run(run.id)
    if options.checkpoint:
        _save_checkpoint(run, options.checkpoint, options.half)
    if options.snapshots and run.snapshots_folder.exists():
        shutil.copytree(run.snapshots_folder, options.snapshots, dirs_exist_ok=True)
    print(f"run {run.id}: {run.folder}")


def _train(run, data, json_file: Path | None) -> None:
    """Train to the end and show the progress."""
    from tqdm import tqdm

    from .runs.train_run import train_run
    from .training.loop import BatchEnd, EpochEnd

    images, training = len(data.train), run.training
    done, total = len(run.history) * images, training.epochs * images
    with (
        tqdm(initial=done, total=total, unit=" images", file=sys.stderr) as bar,
        closing(train_run(run, data)) as events,
    ):
        for trained, event in events:
            if isinstance(event, BatchEnd):
                seen = (event.epoch - 1) * images + min(event.batch * training.batch_size, images)
                bar.update(seen - bar.n)
                bar.set_postfix(epoch=event.epoch, loss=f"{event.loss:.3f}")
            if isinstance(event, EpochEnd):
                bar.write(_line(event), file=sys.stdout)
                if json_file:
                    _write_lines(json_file, trained.history)


def _resumed(options: argparse.Namespace):
    """Return the run to resume.

    Raises:
        ConfigError: it cannot be resumed, or other settings are asked for.
    """
    from .runs.train_run import resumable_run

    run = resumable_run(options.resume)
    for name, value in (asdict(run.model) | asdict(run.training)).items():
        if getattr(options, name) not in (None, value):
            option = "--" + name.replace("_", "-")
            raise ConfigError(
                f"Run {run.id} was started with {option} {value} and resumes with it. Leave out {option}."
            )
    return run


def _save_checkpoint(run, path: Path, half: bool) -> None:
    """Save the run's model with its model card."""
    from .runs.checkpoint import load_checkpoint, save_checkpoint
    from .runs.model_card import model_card
    from .runs.run import load_weights

    model = load_weights(run)
    save_checkpoint(path, model, {}, half)
    rounded, _ = load_checkpoint(path)  # the card states what the file's own weights reach
    save_checkpoint(path, rounded, model_card(run, rounded), half)


def run_evaluate(options: argparse.Namespace) -> None:
    """Print, and write if asked, every metric of a checkpoint on the first test images."""
    from .data.cifar10 import download_full_set, load_cifar10
    from .runs.checkpoint import load_checkpoint
    from .training.loop import evaluate

    model, _ = load_checkpoint(options.checkpoint)
    if options.full:
        download_full_set()
    test = load_cifar10(1, 10_000 if options.full else options.validation_images).validation
    result = {"checkpoint": options.checkpoint.name, "images": len(test)} | evaluate(model, test)
    for name, value in result.items():
        print(f"{name:10} {value:.4f}" if isinstance(value, float) else f"{name:10} {value}")
    if options.json:
        options.json.write_text(json.dumps(result) + "\n")


def _write_lines(path: Path, history: tuple[dict, ...]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in history))


def _line(event) -> str:
    parts = [f"epoch {event.epoch:3}"]
    for part in ("train", "validation"):
        metrics = getattr(event, part)
        parts.append(f"{part} loss {metrics['loss']:.4f} accuracy {metrics['accuracy']:.1%}")
    return "   ".join([*parts, f"{event.images_per_second:.0f} images/s"])


def main(arguments: list[str] | None = None) -> None:
    """Run one command; a user's mistake ends it with one sentence."""
    options = parser().parse_args(arguments)
    try:
        {"train": run_train, "evaluate": run_evaluate}[options.command](options)
    except (ConfigError, RuntimeError, OSError) as error:
        sys.exit(f"vitdemo: {error}")


if __name__ == "__main__":
    main()
