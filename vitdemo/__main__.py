"""The command line: `python -m vitdemo train` and `python -m vitdemo evaluate`."""

import argparse
import math
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from .config import ConfigError, ModelConfig, TrainConfig
from .config.options import check_resumed, configs, parser
from .costs import run_bytes
from .files import check_output, json_text, remove_leftovers, runs_folder
from .machine import check_disk
from .training.diagnosis import diagnose

INTERRUPTED = 130  # exit status after Ctrl-C, as in other programs: 128 + SIGINT
MOST_THREADS = 256


def run_train(options: argparse.Namespace) -> None:
    """Train a new run, or resume one, with a progress bar."""
    settings = None if options.resume else configs(options)  # refused before torch is loaded
    _check_outputs(options)

    import torch

    from .machine import available_cores
    from .runs.run import load_run

    run, data = _prepare(options, settings)
    torch.set_num_threads(options.threads or run.threads or available_cores())
    if options.json:
        _write_lines(options.json, run.history)
    interrupted = False
    try:
        with _ctrl_c() as pressed:
            _train(run, data, options.json, pressed)
    except KeyboardInterrupt:
        interrupted = True
    if not run.has_weights:
        shutil.rmtree(run.folder, ignore_errors=True)
        print("Stopped before the end of the first epoch. Nothing is kept.")
        sys.exit(INTERRUPTED)
    run = load_run(run.id)
    if interrupted:
        print("Stopped. Complete epochs are kept.")
        if run.has_state:
            print(f"Resume with --resume {run.id}.")
    if options.checkpoint:
        _save_checkpoint(run, options.checkpoint, options.half)
    if options.snapshots and run.snapshots_folder.exists():
        shutil.copytree(run.snapshots_folder, options.snapshots, dirs_exist_ok=True)
    print(f"run {run.id}: {run.folder}")
    seen = diagnose(run.history, run.model, run.training)
    if seen:
        print(seen)
    if interrupted:
        sys.exit(INTERRUPTED)


def _check_outputs(options: argparse.Namespace) -> None:
    """Check all that a run will be asked for at its end, so that no training is in vain.

    Raises:
        ConfigError: a file or folder cannot be written, or options do not fit together.
    """
    if options.threads is not None and not 1 <= options.threads <= MOST_THREADS:
        raise ConfigError(
            f"--threads must be a whole number from 1 to {MOST_THREADS}, not {options.threads}."
        )
    if options.half and not options.checkpoint:
        raise ConfigError("--half has no effect without --checkpoint. Add --checkpoint FILE.")
    if options.checkpoint:
        check_output(options.checkpoint, "--checkpoint", ".safetensors")
    if options.json:
        _check_json(options.json)
    if options.snapshots:
        check_output(options.snapshots / "1.safetensors", "--snapshots")


def _check_json(path: Path) -> None:
    if path.suffix == ".safetensors":
        raise ConfigError(f"--json would overwrite a checkpoint, {path}. Give another name.")
    check_output(path, "--json")


def _prepare(options: argparse.Namespace, settings: tuple[ModelConfig, TrainConfig] | None):
    """Return the run to train, new or resumed, and its data; download them if asked to.

    Raises:
        ConfigError: it cannot be trained or resumed.
    """
    from .data.cifar10 import download_full_set
    from .runs.run import new_run
    from .runs.train_run import load_data, resumable_run

    remove_leftovers()
    if settings is None:
        run = resumable_run(options.resume)
        check_resumed(options, run)
    else:
        run = new_run(*settings)
    _check_space(options, run.model)
    if options.full:
        download_full_set()
    return run, load_data(run)


def _check_space(options: argparse.Namespace, model: ModelConfig) -> None:
    """Check that the disk takes the run, and the files that are asked for.

    Raises:
        ConfigError: the message says how much is missing.
    """
    check_disk(runs_folder(), run_bytes(model))
    for option, path in (("--checkpoint", options.checkpoint), ("--snapshots", options.snapshots)):
        if path and (free := shutil.disk_usage(path.parent).free) < run_bytes(model):
            raise ConfigError(
                f"{option} {path} may need {run_bytes(model) / 2**20:,.0f} MB, and "
                f"{free / 2**20:,.0f} MB are free. Free space, or give a path on another disk."
            )


@contextmanager
def _ctrl_c() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C wait for the end of the step; pressed again, it interrupts at once.

    An interrupt in the middle of a step can be swallowed: libraries import others when they are
    first used, and catch whatever that raises.

    Yields:
        a function that says whether it was pressed.
    """
    presses = []

    def press(number, frame) -> None:
        presses.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, press)
    try:
        yield lambda: bool(presses)
    finally:
        signal.signal(signal.SIGINT, before)


def _train(run, data, json_file: Path | None, stop: Callable[[], bool]) -> None:
    """Train to the end or until `stop`, with a progress bar and a line per epoch.

    Raises:
        KeyboardInterrupt: it was stopped.
    """
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
            if stop():
                raise KeyboardInterrupt


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
    if options.json:
        _check_json(options.json)

    from .data.cifar10 import SAMPLE, download_full_set, load_cifar10
    from .runs.checkpoint import load_checkpoint
    from .training.loop import check_fit, evaluate

    model, _ = load_checkpoint(options.checkpoint)
    check_fit(model.config, load_cifar10(1, SAMPLE["test"]).validation)
    if options.full:
        download_full_set()
    test = load_cifar10(1, 10_000 if options.full else options.validation_images).validation
    result = {"checkpoint": options.checkpoint.name, "images": len(test)} | evaluate(model, test)
    for name, value in result.items():
        shown = value
        if isinstance(value, float):
            shown = "undefined" if math.isnan(value) else f"{value:.4f}"
        print(f"{name:10} {shown}")
    if options.json:
        options.json.write_text(json_text(result) + "\n")


def _write_lines(path: Path, history: tuple[dict, ...]) -> None:
    path.write_text("".join(json_text(record) + "\n" for record in history))


def _line(event) -> str:
    """Return the line that is printed after an epoch."""
    parts = [f"epoch {event.epoch:3}"]
    for part, metrics in (("train", event.train), ("validation", event.validation)):
        parts.append(f"{part} loss {metrics['loss']:.4f} accuracy {metrics['accuracy']:.1%}")
    return "   ".join([*parts, f"{event.images_per_second:.0f} images/s"])


COMMANDS = {"train": run_train, "evaluate": run_evaluate}


def main(arguments: list[str] | None = None) -> None:
    """Run one command. Errors in its input end it with a message instead of a traceback."""
    options = parser().parse_args(arguments)
    try:
        COMMANDS[options.command](options)
    except (ConfigError, RuntimeError, OSError) as error:
        sys.exit(f"vitdemo: {error}")
    except KeyboardInterrupt:  # before the first step, or while a file is written at the end
        print("vitdemo: stopped", file=sys.stderr)
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
