"""Seconds of training to 50% accuracy on the 1,000 shipped test images, from 5,000 images.

    python -m tests.benchmarks.time_to_accuracy [--minutes 10] [--seeds 0] [--epochs N] [--only …]

Ours train with the recipes of `hybrid` and `recommended`; `--epochs` shortens them and their
schedules. Each peer's model, with 8 heads, trains with plain AdamW at a constant 1e-3, batch 128,
no augmentation, in float32 or bfloat16, whichever is faster. Only the training pass is timed; the
evaluation after each epoch is not, for anybody. A contestant is out when its minutes or its recipe
end before it gets there; its best accuracy is printed. Prints the seconds, and how many times
sooner ours get there than the best peer (target: 5).
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from statistics import mean

import torch  # before vitdemo, so that libgomp keeps its default spin count, as it is for peers

from tests.benchmarks import peers
from vitdemo import PRESETS, VisionTransformer, load_cifar10, train
from vitdemo.data.cifar10 import Data
from vitdemo.training.loop import BatchEnd, EpochEnd

ACCURACY = 0.5
BATCH, HEADS = 128, 8
OURS = ("hybrid", "recommended")

Epochs = Iterator[tuple[float, float]]  # of each: seconds of its training pass, accuracy after it


def our_epochs(preset: str, seed: int, epochs: int | None, data: Data) -> Epochs:
    """Train by a preset. All work up to the last step of each epoch is timed, preparation too."""
    model, recipe = PRESETS[preset]
    if epochs:
        recipe = replace(recipe, epochs=epochs)
    seconds, started = 0.0, time.perf_counter()
    for event in train(VisionTransformer(model, seed=seed), data, replace(recipe, seed=seed)):
        if isinstance(event, BatchEnd):
            seconds += time.perf_counter() - started
        if isinstance(event, EpochEnd):
            yield seconds, event.validation["accuracy"]
            seconds = 0.0
        started = time.perf_counter()


def their_epochs(name: str, seed: int, data: Data) -> Epochs:
    """Train a peer without end."""
    torch.manual_seed(seed)
    build = peers.PEERS[name]
    dtype = peers.faster_precision(build, HEADS, data.train[:BATCH])
    model = build(HEADS)
    optimizer, order = peers.adamw(model), torch.Generator().manual_seed(seed)
    while True:
        model.train()
        started = time.perf_counter()
        for batch in peers.batches(data.train, BATCH, order):
            peers.step(model, optimizer, batch, dtype)
        seconds = time.perf_counter() - started
        model.eval()
        with torch.inference_mode():
            predicted = peers.logits_of(model, data.validation.images, dtype).argmax(dim=1)
        yield seconds, (predicted == data.validation.labels).float().mean().item()


def seconds_to(target: float, epochs: Epochs, limit: float) -> tuple[float | None, str]:
    """Train until an accuracy or a limit in seconds is reached.

    Returns:
        the seconds, None if the accuracy was not reached; and a description of the result.
    """
    seconds, best, number = 0.0, 0.0, 0
    for number, (taken, accuracy) in enumerate(epochs, start=1):
        seconds += taken
        best = max(best, accuracy)
        if accuracy >= target:
            return seconds, f"{seconds:6.1f} s, {number} epochs, {accuracy:.1%}"
        if seconds > limit:
            break
    return None, f"not in {seconds:.0f} s, {number} epochs; best {best:.1%}"


def main() -> None:
    """Print one line for each contestant and seed, then the ratios."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--minutes", type=float, default=10, help="limit of each contestant")
    options.add_argument("--seeds", type=int, nargs="+", default=[0])
    options.add_argument("--epochs", type=int, help="of our recipes, instead of their own")
    contestants = [*OURS, *peers.PEERS]
    options.add_argument("--only", nargs="+", choices=contestants, default=contestants)
    chosen = options.parse_args()
    data = load_cifar10(5000, 1000)
    reached = {}
    for name in chosen.only:
        for seed in chosen.seeds:
            if name in OURS:
                title, epochs = f"ours, {name}", our_epochs(name, seed, chosen.epochs, data)
            else:
                title, epochs = name, their_epochs(name, seed, data)
            seconds, description = seconds_to(ACCURACY, epochs, 60 * chosen.minutes)
            print(f"{title:32}seed {seed}: {description}", flush=True)
            reached.setdefault(name, []).append(seconds)
    print_ratios(reached, 60 * chosen.minutes)


def print_ratios(reached: dict[str, list[float | None]], limit: float) -> None:
    """Print how many times sooner ours reached the accuracy than the best peer."""
    means = {name: mean(seconds) for name, seconds in reached.items() if None not in seconds}
    theirs = [name for name in means if name in peers.PEERS]
    best = min(theirs, key=means.get, default=None)
    for name in OURS:
        if name in means and best:
            ratio = means[best] / means[name]
            print(f"ours, {name}: {ratio:.1f} times sooner than the best peer, {best} (target: 5)")
        elif name in means:
            ratio = limit / means[name]
            print(f"ours, {name}: no peer got there; at least {ratio:.1f} times sooner")


if __name__ == "__main__":
    main()
