"""The command line: `python -m vitdemo train` and `python -m vitdemo evaluate`."""

import argparse
import json
import shutil
import sys
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

from .config import PRESETS, ConfigError, ModelConfig, TrainConfig
from .config.settings import settings_of


def parser() -> argparse.ArgumentParser:
    """Return the parser. Every field of ModelConfig and TrainConfig is an option."""
    top = argparse.ArgumentParser(
        prog="python -m vitdemo", description="Train and evaluate a Vision Transformer."
    )
    commands = top.add_subparsers(required=True)
    for name, add_options, run, text in (
        ("train", _add_train, run_train, "Train a model on CIFAR-10. The app lists the run, too."),
        ("evaluate", _add_evaluate, run_evaluate, "Evaluate a checkpoint on CIFAR-10 test images."),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        add_options(command)
    return top


def _add_train(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add(
        "--preset",
        choices=PRESETS,
        default="recommended",
        help="Values of all settings that are not given below: the paper's code (annotation), the "
        "same model with a better recipe (recommended), or a model on convolutions (hybrid). "
        "Default: recommended.",
    )
    add("--full", action="store_true", help="Use all of CIFAR-10; download it (170 MB) if needed.")
    add("--resume", metavar="RUN", help="Resume the run with this id after its last epoch.")
    add(
        "--threads",
        type=int,
        metavar="N",
        help="Number of torch threads. Default: all cores, or as many as the resumed run had.",
    )
    add("--json", type=Path, metavar="FILE", help="Write the metrics to FILE, one line per epoch.")
    add(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="Save the model and its model card to FILE, which ends in .safetensors.",
    )
    add("--half", action="store_true", help="Save that checkpoint in half precision (16 bits).")
    add(
        "--snapshots",
        type=Path,
        metavar="FOLDER",
        help="Copy the snapshots of the model, saved during training, to FOLDER.",
    )
    for title, kind in (("model settings", ModelConfig), ("training settings", TrainConfig)):
        group = command.add_argument_group(title)
        for name, setting in settings_of(kind).items():
            group.add_argument(
                _option(name),
                dest=name,
                type=setting.type,
                choices=setting.choices or None,
                metavar=None if setting.choices else setting.type.__name__.upper(),
                help=setting.help.replace("%", "%%"),
            )


def _add_evaluate(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("checkpoint", type=Path, help="Checkpoint of this project, a .safetensors file.")
    add(
        "--validation-images",
        type=int,
        default=1000,
        metavar="N",
        help="Use the first N test images. Default: 1000.",
    )
    add(
        "--full",
        action="store_true",
        help="Use all 10,000 test images; download CIFAR-10 (170 MB) if needed.",
    )
    add("--json", type=Path, metavar="FILE", help="Write the metrics to FILE.")


def _option(name: str) -> str:
    """Return the option of a setting: `--embed-dim` for embed_dim."""
    return "--" + name.replace("_", "-")


def configs(options: argparse.Namespace) -> tuple[ModelConfig, TrainConfig]:
    """Return the preset, changed by the options that were given."""
    model, training = PRESETS[options.preset]
    if options.full:
        training = replace(training, train_images=50_000, validation_images=10_000)
    return replace(model, **_given(options, model)), replace(training, **_given(options, training))


def _given(options: argparse.Namespace, config: ModelConfig | TrainConfig) -> dict:
    """Return the fields of a configuration that are given as options."""
    values = {name: getattr(options, name) for name in asdict(config)}
    return {name: value for name, value in values.items() if value is not None}


def run_train(options: argparse.Namespace) -> None:
    """Train a new run, or resume one, with a progress bar."""
    settings = configs(options)  # errors in them are reported before torch is loaded

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
    for path in (options.json, options.checkpoint):
        if path:
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
    """Train to the end, with a progress bar and a line per epoch."""
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
        ConfigError: it cannot be resumed, or an option differs from its settings.
    """
    from .runs.train_run import resumable_run

    run = resumable_run(options.resume)
    for config in (run.model, run.training):
        for name, value in _given(options, config).items():
            own, option = getattr(config, name), _option(name)
            if value != own:
                raise ConfigError(
                    f"Run {run.id} was started with {option} {own} and resumes with it. "
                    f"Leave out {option}."
                )
    return run


def _save_checkpoint(run, path: Path, half: bool) -> None:
    """Save the run's model with its model card to `path`."""
    from .runs.checkpoint import load_checkpoint, save_checkpoint
    from .runs.model_card import model_card
    from .runs.run import load_weights

    model = load_weights(run)
    save_checkpoint(path, model, {}, half)
    rounded, _ = load_checkpoint(path)  # the card has the metrics of the weights as saved
    save_checkpoint(path, rounded, model_card(run, rounded), half)


def run_evaluate(options: argparse.Namespace) -> None:
    """Print all metrics of a checkpoint on test images, and write them to a file if given."""
    from .data.cifar10 import download_full_set, load_cifar10
    from .runs.checkpoint import load_checkpoint
    from .training.loop import evaluate

    model, _ = load_checkpoint(options.checkpoint)
    if options.full:
        download_full_set()
    test = load_cifar10(1, 10_000 if options.full else options.validation_images).validation
    result = {"checkpoint": options.checkpoint.name, "images": len(test)} | evaluate(model, test)
    for name, value in result.items():
        shown = f"{value:.4f}" if isinstance(value, float) else value
        print(f"{name:10} {shown}")
    if options.json:
        options.json.write_text(json.dumps(result) + "\n")


def _write_lines(path: Path, history: tuple[dict, ...]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in history))


def _line(event) -> str:
    """Return the line that is printed after an epoch."""
    parts = [f"epoch {event.epoch:3}"]
    for part, metrics in (("train", event.train), ("validation", event.validation)):
        parts.append(f"{part} loss {metrics['loss']:.4f} accuracy {metrics['accuracy']:.1%}")
    return "   ".join([*parts, f"{event.images_per_second:.0f} images/s"])


def main(arguments: list[str] | None = None) -> None:
    """Run one command. Errors in its input end it with a message instead of a traceback."""
    options = parser().parse_args(arguments)
    try:
        options.run(options)
    except (ConfigError, RuntimeError, OSError) as error:
        sys.exit(f"vitdemo: {error}")


if __name__ == "__main__":
    main()
