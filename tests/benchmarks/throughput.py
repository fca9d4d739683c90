"""How many training images a second: ours beside the paper's listing, timm, torchvision and vit-pytorch.

    python -m tests.benchmarks.throughput [--heads 8 4] [--rounds 7] [--steps 4]
    python -m tests.benchmarks.throughput --accuracy

Width 64, depth 7, patch 4, MLP 4x, batch 128, CIFAR-10, all cores; all in one process, in turns, the order moved on by
one each round. "Step" is a whole training step (ours: all that `train()` does between two BatchEnd). "Loop" is an epoch
of 600 images with all that belongs to it: ours through `train()`, the listing's with its DataLoader and its metrics;
"evaluated" counts the 200 validation images after it, too. Prints medians with lowest and highest round, the ratios,
and our share of the matrix-product peak of the same run: of what is computed, so dropped patches count as nothing.

Dropping patches counts only where the same epochs bring no less accuracy: `--accuracy` trains `recommended` with and
without, three seeds each, and tests on held-out training images. Takes an hour on two cores.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from statistics import mean, median

import torch  # before vitdemo: so libgomp keeps its own spin count, as it is for those who use only a peer

from tests.benchmarks import listing, peers
from vitdemo import PRESETS, ModelConfig, TrainConfig, VisionTransformer, load_cifar10, train
from vitdemo.costs import macs
from vitdemo.data.cifar10 import Data
from vitdemo.files import full_set_on_disk
from vitdemo.training.loop import BatchEnd, EpochEnd

BATCH = 128
DROPS = (0.5, 0.0)
OURS = {drop: f"ours, {'half of the patches a step' if drop else 'every patch'}" for drop in DROPS}
LISTING = "the paper's listing"
LOOPS = (", as printed", ", bfloat16")
SIDE = 2048  # of the square products that the peak is measured with
SEEDS = (0, 1, 2)

Contestant = Callable[[], float]  # one round: how many images a second


def our_step(config: ModelConfig, data: Data, steps: int) -> Contestant:
    """Steps of `train()`; what it does between epochs is outside the clock."""
    events = train(
        VisionTransformer(config, seed=0), data, TrainConfig(epochs=1000, batch_size=BATCH)
    )

    def images_per_second() -> float:
        seconds, left = 0.0, steps
        while left:
            started = time.perf_counter()
            if isinstance(next(events), BatchEnd):
                seconds += time.perf_counter() - started
                left -= 1
        return steps * BATCH / seconds

    return images_per_second


def their_step(endless: Iterator, steps: int) -> Contestant:
    """Steps of a peer."""

    def images_per_second() -> float:
        started = time.perf_counter()
        for _ in range(steps):
            next(endless)
        return steps * BATCH / (time.perf_counter() - started)

    return images_per_second


def our_loop(config: ModelConfig, data: Data) -> Iterator[tuple[float, float]]:
    """Each epoch: images a second of its training pass, and of all of it."""
    for event in train(
        VisionTransformer(config, seed=0), data, TrainConfig(epochs=1000, batch_size=BATCH)
    ):
        if isinstance(event, EpochEnd):
            yield event.images_per_second, len(data.train) / event.seconds


def peak() -> float:
    """The most operations a second (a multiply-add is two) that a square product of either precision reaches now."""
    best = 0.0
    for dtype in peers.PRECISIONS:
        a, b = torch.randn(SIDE, SIDE).to(dtype), torch.randn(SIDE, SIDE).to(dtype)
        for _ in range(4):
            started = time.perf_counter()
            a @ b
            best = max(best, 2 * SIDE**3 / (time.perf_counter() - started))
    return best


def computed(config: ModelConfig) -> float:
    """Operations of one image in one training step, with the tokens that are kept."""
    patches = max(1, round(config.num_patches * (1 - config.patch_drop)))
    kept = (patches + config.has_cls) / config.num_tokens
    share = {"projections": kept, "MLPs": kept, "attention": kept**2}
    passes = {
        "patch embedding": 2
    }  # forward and backward to its weights: nobody asks for the image's gradient
    return 2 * sum(
        count * share.get(part, 1) * passes.get(part, 3) for part, count in macs(config).items()
    )


def compare(heads: int, rounds: int, steps: int) -> None:
    """Measure at one shape and print."""
    data, small = load_cifar10(39 * BATCH, 1), load_cifar10(600, 200)  # 39 whole batches
    shapes = {drop: ModelConfig(num_heads=heads, patch_drop=drop) for drop in DROPS}
    runners = {OURS[drop]: our_step(shape, data, steps) for drop, shape in shapes.items()}
    for name, build in {LISTING: listing.ListedTransformer, **peers.PEERS}.items():
        model, dtype = build(heads), peers.better_precision(build, heads, data.train[:BATCH])
        optimizer = listing.adam(model) if name == LISTING else peers.adamw(model)
        print(f"{name}: {str(dtype).removeprefix('torch.')} is the better here", flush=True)
        runners[name] = their_step(
            peers.steps_of(model, optimizer, dtype, data.train, BATCH), steps
        )
    loops = {OURS[drop]: our_loop(shape, small) for drop, shape in shapes.items()}
    loops |= {f"{LISTING}{how}": listing.loop(heads, small, how != LOOPS[0]) for how in LOOPS}

    speeds, passes, evaluated = ({name: [] for name in names} for names in (runners, loops, loops))
    peaks = []
    for turn in range(-1, rounds):  # the first warms up
        steps_done = {name: runners[name]() for name in rotated(runners, turn)}
        epochs_done = {name: next(loops[name]) for name in rotated(loops, turn)}
        if turn < 0:
            continue
        peaks.append(peak())
        for name, speed in steps_done.items():
            speeds[name].append(speed)
        for name, (training, whole) in epochs_done.items():
            passes[name].append(training)
            evaluated[name].append(whole)
    for title, table in (
        ("step", speeds),
        ("loop of 600 images", passes),
        ("the same, evaluated", evaluated),
    ):
        print(
            f"\n{heads} heads, {title}: images a second, median of {rounds} rounds (lowest to highest)"
        )
        for name, values in table.items():
            print(f"  {name:36}{median(values):7,.0f} ({min(values):,.0f} to {max(values):,.0f})")
    print(f"\n{heads} heads: the matrix-product peak is {median(peaks) / 1e9:.0f} GFLOP/s")
    for drop, shape in shapes.items():
        share = median(speeds[OURS[drop]]) * computed(shape) / median(peaks)
        print(
            f"{OURS[drop]}: {share:.0%} of the peak, {computed(shape) / 1e6:.0f} MFLOP an image; ratios:"
        )
        print_ratios(OURS[drop], speeds, passes, evaluated)


def print_ratios(ours: str, speeds: dict, passes: dict, evaluated: dict) -> None:
    """Ours over each, of medians."""

    def line(name: str, table: dict, other: str, wanted: str = "") -> None:
        print(f"  / {name:52}{median(table[ours]) / median(table[other]):6.2f}{wanted}")

    for name in (LISTING, *peers.PEERS):
        line(name, speeds, name)
    for how in LOOPS:
        line(f"its whole loop{how}", passes, LISTING + how, " (wanted: 10)")
        line(f"its whole loop{how}, evaluated", evaluated, LISTING + how)
    fastest = max(
        (name for name in peers.PEERS if name != peers.SIMPLE),
        key=lambda name: median(speeds[name]),
    )
    line(f"the fastest peer with CLS ({fastest})", speeds, fastest, " (wanted: 1.5)")
    line("SimpleViT", speeds, peers.SIMPLE, " (wanted: 1.2)")


def rotated(names, turn: int) -> list[str]:
    """The same names, begun at another each turn."""
    names = list(names)
    first = turn % len(names)
    return names[first:] + names[:first]


def compare_accuracy() -> None:
    """Whether dropping patches costs accuracy after the same epochs."""
    many, held_out = (5000, 5000) if full_set_on_disk() else (4000, 1000)
    model, training = PRESETS["recommended"]
    for images, epochs in ((600, 6), (many, 10)):
        data = load_cifar10(images, held_out, "train")
        recipe = replace(
            training, epochs=epochs, warmup_epochs=min(training.warmup_epochs, epochs / 4)
        )
        for drop in reversed(DROPS):
            reached = []
            for seed in SEEDS:
                learner = VisionTransformer(replace(model, patch_drop=drop), seed=seed)
                *_, last = train(learner, data, replace(recipe, seed=seed))
                reached.append(last.validation["accuracy"])
            seeds = ", ".join(f"{accuracy:.1%}" for accuracy in reached)
            print(
                f"{images} images, {epochs} epochs, patch_drop {drop}: mean {mean(reached):.1%} ({seeds})",
                flush=True,
            )


def main() -> None:
    """As the options say."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--heads", type=int, nargs="+", default=[8, 4])
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--steps", type=int, default=4, help="of each contestant in a round")
    options.add_argument("--accuracy", action="store_true")
    chosen = options.parse_args()
    if chosen.accuracy:
        compare_accuracy()
        return
    for heads in chosen.heads:
        compare(heads, chosen.rounds, chosen.steps)


if __name__ == "__main__":
    main()
