"""The same job without a browser: `python -m vitdemo train` and `python -m vitdemo evaluate`."""

import argparse
import json
import math
import sys
from dataclasses import asdict, fields, replace
from pathlib import Path

from .config import (
    ATTENTION_SCALES,
    AUGMENTATIONS,
    FIRST_FILTERS,
    OPTIMIZERS,
    POOLINGS,
    PRECISIONS,
    PRESETS,
    SCHEDULES,
    STEMS,
    VALIDATION_SOURCES,
    ConfigError,
    ModelConfig,
    TrainConfig,
)

CHOICES = {
    "stem": STEMS,
    "pooling": POOLINGS,
    "attention_scale": ATTENTION_SCALES,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "augmentation": AUGMENTATIONS,
    "first_filters": FIRST_FILTERS,
    "precision": PRECISIONS,
    "validation_from": VALIDATION_SOURCES,
}


def parser() -> argparse.ArgumentParser:
    """Every field of ModelConfig and TrainConfig is an option, over the values of a preset."""
    top = argparse.ArgumentParser(prog="python -m vitdemo", description="Train and evaluate a Vision Transformer.")
    commands = top.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train a model; the app lists the run, too")
    train.add_argument("--preset", choices=PRESETS, default="recommended", help="where every setting not given is from")
    train.add_argument("--full", action="store_true", help="use all of CIFAR-10; fetches it (170 MB) if need be")
    train.add_argument("--resume", metavar="RUN", help="go on with the run of that id, after its last whole epoch")
    train.add_argument("--threads", type=int, help="torch threads (default: all cores, or as the run had)")
    train.add_argument("--json", type=Path, metavar="FILE", help="write one JSON line an epoch")
    train.add_argument("--checkpoint", type=Path, metavar="FILE", help="save weights and card as FILE (.safetensors)")
    train.add_argument("--half", action="store_true", help="save that checkpoint in half precision")
    train.add_argument(
        "--snapshots", type=Path, metavar="FOLDER", help="save the model at eight moments, in half precision"
    )
    for kind in (ModelConfig, TrainConfig):
        group = train.add_argument_group(kind.__name__)
        for field in fields(kind):
            option = "--" + field.name.replace("_", "-")
            group.add_argument(option, type=field.type, choices=CHOICES.get(field.name), dest=field.name)
    evaluate = commands.add_parser("evaluate", help="measure a checkpoint on test images")
    evaluate.add_argument("checkpoint", type=Path)
    evaluate.add_argument("--validation-images", type=int, default=1000, help="the first so many test images")
    evaluate.add_argument("--full", action="store_true", help="all 10,000 test images; fetches CIFAR-10 if need be")
    evaluate.add_argument("--json", type=Path, metavar="FILE", help="write the metrics as JSON")
    return top


def configs(options: argparse.Namespace) -> tuple[ModelConfig, TrainConfig]:
    """The preset with what was given on the command line put over it."""
    model, training = PRESETS[options.preset]
    if options.full:
        training = replace(training, train_images=50_000, validation_images=10_000)
    given = {name: value for name, value in vars(options).items() if value is not None}
    model = replace(model, **{name: given[name] for name in asdict(model) if name in given})
    return model, replace(training, **{name: given[name] for name in asdict(training) if name in given})


def run_train(options: argparse.Namespace) -> None:
    """Train as `configs` says, with a progress bar; save the run after every epoch."""
    settings = configs(options)

    import torch
    from tqdm import tqdm

    from .data.cifar10 import download_full_set, load_cifar10
    from .machine import available_cores
    from .model import VisionTransformer
    from .runs.checkpoint import load_checkpoint, save_checkpoint
    from .runs.model_card import long_card
    from .runs.run import epoch_record, load_run, new_run, save_run
    from .runs.snapshots import save_snapshot, snapshot_steps
    from .training.loop import BatchEnd, EpochEnd, train

    if options.full:
        download_full_set()
    run = load_run(options.resume) if options.resume else new_run(*settings)
    state_file = run.folder / "state.pt"
    if options.resume:
        _check_resumable(run, state_file, options)
    threads = options.threads or run.threads or available_cores()  # a run goes on with as many as it began with
    torch.set_num_threads(threads)
    run, training = replace(run, state="running", threads=threads, message=""), run.training
    data = load_cifar10(training.train_images, training.validation_images, training.validation_from)
    model = VisionTransformer(run.model, seed=training.seed)
    moments = snapshot_steps(training.epochs * math.ceil(len(data.train) / training.batch_size))
    for path in filter(None, (options.json, options.checkpoint)):
        path.parent.mkdir(parents=True, exist_ok=True)
    if options.snapshots:
        options.snapshots.mkdir(parents=True, exist_ok=True)
    if options.json:
        _write_lines(options.json, run.history)
    state = "stopped"
    try:
        done, total = len(run.history) * len(data.train), training.epochs * len(data.train)
        with tqdm(initial=done, total=total, unit=" images", file=sys.stderr) as bar:
            for event in train(model, data, training, state_file):
                if isinstance(event, BatchEnd):
                    seen = (event.epoch - 1) * len(data.train) + min(event.batch * training.batch_size, len(data.train))
                    bar.update(seen - bar.n)
                    bar.set_postfix(epoch=event.epoch, loss=f"{event.loss:.3f}")
                    step = (event.epoch - 1) * event.batches + event.batch
                    if options.snapshots and step in moments:
                        save_snapshot(options.snapshots, moments.index(step) + 1, model, event, data.validation)
                if isinstance(event, EpochEnd):
                    run = replace(run, history=(*run.history[: event.epoch - 1], epoch_record(event)))
                    save_run(run, model)
                    bar.write(_line(event), file=sys.stdout)
                    if options.json:
                        _write_lines(options.json, run.history)
        state = "finished"
        state_file.unlink()
    except ConfigError:
        state = ""  # it never began
        raise
    except KeyboardInterrupt:
        print("stopped; what was reached is kept" + f": go on with --resume {run.id}" * state_file.exists())
    except RuntimeError as error:
        state, run = "failed", replace(run, message=str(error))
        raise
    finally:
        if state:
            save_run(replace(run, state=state))
    if options.checkpoint:
        save_checkpoint(options.checkpoint, model, {}, options.half)
        model, _ = load_checkpoint(options.checkpoint)  # as it ships, rounded
        save_checkpoint(options.checkpoint, model, long_card(run, model), options.half)
    print(f"run {run.id}: {run.folder}")


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


def _check_resumable(run, state_file: Path, options: argparse.Namespace) -> None:
    if not state_file.exists():
        raise ConfigError(
            f"Run {run.id} cannot go on: it is finished, was stopped in its first epoch, or was not begun with "
            "`python -m vitdemo train`."
        )
    for name, value in (asdict(run.model) | asdict(run.training)).items():
        if getattr(options, name) not in (None, value):
            option = "--" + name.replace("_", "-")
            raise ConfigError(f"Run {run.id} was begun with {option} {value} and goes on so: leave out {option}.")


def _write_lines(path: Path, history: tuple[dict, ...]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in history))


def _line(event) -> str:
    parts = [f"epoch {event.epoch:3}"]
    for part in ("train", "validation"):
        metrics = getattr(event, part)
        parts.append(f"{part} loss {metrics['loss']:.4f} accuracy {metrics['accuracy']:.1%}")
    return "   ".join([*parts, f"{event.images_per_second:.0f} images/s"])


def main(arguments: list[str] | None = None) -> None:
    """Run one command; what the user got wrong ends it with one sentence."""
    options = parser().parse_args(arguments)
    try:
        {"train": run_train, "evaluate": run_evaluate}[options.command](options)
    except (ConfigError, RuntimeError, OSError) as error:
        sys.exit(f"vitdemo: {error}")


if __name__ == "__main__":
    main()
