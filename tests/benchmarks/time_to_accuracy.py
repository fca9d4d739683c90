"""How many seconds of training until half of the 1,000 test images are right, from the 5,000 that ship.

    python -m tests.benchmarks.time_to_accuracy [--minutes 10] [--seeds 0] [--epochs N] [--only NAME …]

Ours with the recipes of `hybrid` and `recommended` (`--epochs` makes them shorter, and so their schedules); each peer's
model, with 8 heads, by plain AdamW at a constant 1e-3, batch 128, no augmentation, in the better of 32-bit floats and
bfloat16. The clock runs in the training pass alone; the evaluation after each epoch is outside it for everybody. Who
has not come so far when the minutes are over, or its recipe, is out, and what it reached is said. Prints the seconds
and by how much ours was sooner than the best peer (wanted: 5 times).
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from statistics import mean

import torch  # before vitdemo: so libgomp keeps its own spin count, as it is for those who use only a peer

from tests.benchmarks import peers
from vitdemo import PRESETS, VisionTransformer, load_cifar10, train
from vitdemo.data.cifar10 import Data
from vitdemo.training.loop import BatchEnd, EpochEnd

WANTED = 0.5
BATCH, HEADS = 128, 8
OURS = ("hybrid", "recommended")

Epochs = Iterator[tuple[float, float]]  # each: seconds of its training pass, accuracy after it


def our_epochs(preset: str, seed: int, epochs: int | None, data: Data) -> Epochs:
    """All that `train()` does until the last step of each epoch, whatever it prepares before the first one included."""
    model, recipe = PRESETS[preset]
    if epochs:
        recipe = replace(recipe, epochs=epochs, warmup_epochs=min(recipe.warmup_epochs, epochs / 4))
    seconds, started = 0.0, time.perf_counter()
    for event in train(VisionTransformer(model, seed=seed), data, replace(recipe, seed=seed)):
        if isinstance(event, BatchEnd):
            seconds += time.perf_counter() - started
        if isinstance(event, EpochEnd):
            yield seconds, event.validation["accuracy"]
            seconds = 0.0
        started = time.perf_counter()


def their_epochs(name: str, seed: int, data: Data) -> Epochs:
    """A peer's, for ever."""
    torch.manual_seed(seed)
    build = peers.PEERS[name]
    dtype = peers.better_precision(build, HEADS, data.train[:BATCH])
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
            right = (
                peers.logits_of(model, data.validation.images, dtype).argmax(dim=1)
                == data.validation.labels
            )
        yield seconds, right.float().mean().item()


def seconds_to(wanted: float, epochs: Epochs, limit: float) -> tuple[float | None, str]:
    """Seconds of training, None where it was not reached; and a few words on it."""
    seconds, best, number = 0.0, 0.0, 0
    for number, (taken, accuracy) in enumerate(epochs, start=1):
        seconds += taken
        best = max(best, accuracy)
        if accuracy >= wanted:
            return seconds, f"{seconds:6.1f} s, {number} epochs, {accuracy:.1%}"
        if seconds > limit:
            break
    return None, f"not in {seconds:.0f} s, {number} epochs; best {best:.1%}"


def main() -> None:
    """A line for each contestant and seed, then the ratios."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--minutes", type=float, default=10, help="of training that each may take")
    options.add_argument("--seeds", type=int, nargs="+", default=[0])
    options.add_argument("--epochs", type=int, help="of our recipes, in place of their own")
    contestants = [name for name in OURS if PRESETS.get(name)] + list(peers.PEERS)
    options.add_argument("--only", nargs="+", choices=contestants, default=contestants)
    chosen = options.parse_args()
    data = load_cifar10(5000, 1000)
    reached = {}
    for name in chosen.only:
        for seed in chosen.seeds:
            ours = name in OURS
            epochs = (
                our_epochs(name, seed, chosen.epochs, data)
                if ours
                else their_epochs(name, seed, data)
            )
            seconds, words = seconds_to(WANTED, epochs, 60 * chosen.minutes)
            print(f"{'ours, ' * ours + name:32}seed {seed}: {words}", flush=True)
            reached.setdefault(name, []).append(seconds)
    means = {name: mean(times) for name, times in reached.items() if None not in times}
    theirs = [name for name in means if name in peers.PEERS]
    best = min(theirs, key=means.get, default=None)
    for name in OURS:
        if name in means and best:
            print(
                f"ours, {name}: {means[best] / means[name]:.1f} times sooner than the best peer, {best} (wanted: 5)"
            )
        elif name in means:
            print(
                f"ours, {name}: no peer came so far; at least {60 * chosen.minutes / means[name]:.1f} times sooner"
            )


if __name__ == "__main__":
    main()
