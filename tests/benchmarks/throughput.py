"""Training speed in images per second: ours, the paper's code, timm, torchvision, vit-pytorch.

    python -m tests.benchmarks.throughput [--heads 8 4] [--rounds 7] [--steps 4]
    python -m tests.benchmarks.throughput --accuracy

Width 64, depth 7, patch 4, MLP ratio 4, batch 128, CIFAR-10, all cores. Everything runs in one
process, taking turns; each round starts with another contestant. "Step" is a whole training step
(ours: all that `train()` does between two BatchEnd events). "Loop" is an epoch of 600 images with
all that belongs to it: ours through `train()`, the paper's with its DataLoader and its metrics.
"With evaluation" also includes the evaluation on 200 validation images. Prints medians with the
lowest and highest round, the ratios, and the fraction of the matrix-multiplication peak of the same
minutes that we reach. Only what is computed counts: dropped patches do not.

PatchDropout counts as speed only if the same epochs bring no less accuracy. `--accuracy` trains
`recommended` with and without it, three seeds each, and validates on held-out training images. It
takes an hour on two cores.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from statistics import mean, median

import torch  # before vitdemo, so that libgomp keeps its default spin count, as it is for peers

from tests.benchmarks import papers_code, peers
from vitdemo import PRESETS, ModelConfig, TrainConfig, VisionTransformer, load_cifar10, train
from vitdemo.costs import macs
from vitdemo.data.cifar10 import Data
from vitdemo.files import full_set_on_disk
from vitdemo.training.loop import BatchEnd, EpochEnd

BATCH = 128
DROPS = (0.5, 0.0)
OURS = {0.5: "ours, PatchDropout 0.5", 0.0: "ours, every patch"}
PAPER = "the paper's code"
LOOPS = (", as printed", ", bfloat16")
SIDE = 2048  # of the square matrices whose multiplication measures the peak
SEEDS = (0, 1, 2)

Contestant = Callable[[], float]  # runs one round and returns images per second


def our_step(config: ModelConfig, data: Data, steps: int) -> Contestant:
    """Return a contestant that takes steps of `train()`; work between epochs is not timed."""
    recipe = TrainConfig(epochs=1000, batch_size=BATCH)
    events = train(VisionTransformer(config, seed=0), data, recipe)

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
    """Return a contestant that takes steps of a peer."""

    def images_per_second() -> float:
        started = time.perf_counter()
        for _ in range(steps):
            next(endless)
        return steps * BATCH / (time.perf_counter() - started)

    return images_per_second


def our_loop(config: ModelConfig, data: Data) -> Iterator[tuple[float, float]]:
    """Train, and yield images per second of each epoch without and with evaluation."""
    recipe = TrainConfig(epochs=1000, batch_size=BATCH)
    for event in train(VisionTransformer(config, seed=0), data, recipe):
        if isinstance(event, EpochEnd):
            yield event.images_per_second, len(data.train) / event.seconds


def peak() -> float:
    """Return the FLOP/s of a square matrix multiplication now, in the faster number format."""
    best = 0.0
    for dtype in peers.PRECISIONS:
        a, b = torch.randn(SIDE, SIDE).to(dtype), torch.randn(SIDE, SIDE).to(dtype)
        for _ in range(4):
            started = time.perf_counter()
            a @ b
            best = max(best, 2 * SIDE**3 / (time.perf_counter() - started))
    return best


def flops_per_image(config: ModelConfig) -> float:
    """Return the FLOPs of one image in one training step, with the tokens that are kept."""
    patches = max(1, round(config.num_patches * (1 - config.patch_drop)))
    kept = (patches + config.has_cls) / config.num_tokens
    fraction = {"projections": kept, "MLPs": kept, "attention": kept**2}
    passes = {"patch embedding": 2}  # the backward pass needs no gradient of the image
    return 2 * sum(
        count * fraction.get(part, 1) * passes.get(part, 3) for part, count in macs(config).items()
    )


def steppers_of(shapes: dict[float, ModelConfig], heads: int, steps: int) -> dict[str, Contestant]:
    """Return the contestants that take single steps."""
    data = load_cifar10(39 * BATCH, 1)  # whole batches
    steppers = {OURS[drop]: our_step(shape, data, steps) for drop, shape in shapes.items()}
    for name, build in {PAPER: papers_code.PapersTransformer, **peers.PEERS}.items():
        model, dtype = build(heads), peers.faster_precision(build, heads, data.train[:BATCH])
        print(f"{name}: {str(dtype).removeprefix('torch.')} is faster here", flush=True)
        optimizer = papers_code.adam(model) if name == PAPER else peers.adamw(model)
        endless = peers.run_steps(model, optimizer, dtype, data.train, BATCH)
        steppers[name] = their_step(endless, steps)
    return steppers


def loops_of(shapes: dict[float, ModelConfig], heads: int) -> dict[str, Iterator]:
    """Return the contestants that run whole epochs."""
    data = load_cifar10(600, 200)
    loops = {OURS[drop]: our_loop(shape, data) for drop, shape in shapes.items()}
    for how in LOOPS:
        loops[PAPER + how] = papers_code.run_epochs(heads, data, autocast=how != LOOPS[0])
    return loops


def compare(heads: int, rounds: int, steps: int) -> None:
    """Measure all contestants with this number of heads and print the results."""
    shapes = {drop: ModelConfig(num_heads=heads, patch_drop=drop) for drop in DROPS}
    steppers, loops = steppers_of(shapes, heads, steps), loops_of(shapes, heads)
    speeds = {name: [] for name in steppers}
    passes, evaluated = {name: [] for name in loops}, {name: [] for name in loops}
    peaks = []
    for turn in range(-1, rounds):  # the first one warms up
        of_steps = {name: steppers[name]() for name in rotated(steppers, turn)}
        of_epochs = {name: next(loops[name]) for name in rotated(loops, turn)}
        if turn < 0:
            continue
        peaks.append(peak())
        for name, speed in of_steps.items():
            speeds[name].append(speed)
        for name, (training, whole) in of_epochs.items():
            passes[name].append(training)
            evaluated[name].append(whole)
    print_table(f"{heads} heads, step", speeds)
    print_table(f"{heads} heads, loop of 600 images", passes)
    print_table(f"{heads} heads, loop with evaluation", evaluated)
    print(f"\n{heads} heads: the peak is {median(peaks) / 1e9:.0f} GFLOP/s")
    for drop, shape in shapes.items():
        flops = flops_per_image(shape)
        fraction = median(speeds[OURS[drop]]) * flops / median(peaks)
        print(
            f"{OURS[drop]}: {fraction:.0%} of the peak, {flops / 1e6:.0f} MFLOP per image; ratios:"
        )
        print_ratios(OURS[drop], speeds, passes, evaluated)


def print_table(title: str, speeds: dict[str, list[float]]) -> None:
    """Print images per second of each contestant."""
    print(f"\n{title}: images per second, median (lowest to highest round)")
    for name, values in speeds.items():
        print(f"  {name:36}{median(values):7,.0f} ({min(values):,.0f} to {max(values):,.0f})")


def print_ratios(ours: str, speeds: dict, passes: dict, evaluated: dict) -> None:
    """Print our median speed divided by that of each contestant."""

    def line(name: str, table: dict, other: str, target: str = "") -> None:
        print(f"  / {name:52}{median(table[ours]) / median(table[other]):6.2f}{target}")

    for name in (PAPER, *peers.PEERS):
        line(name, speeds, name)
    for how in LOOPS:
        line(f"its whole loop{how}", passes, PAPER + how, " (target: 10)")
        line(f"its whole loop{how}, with evaluation", evaluated, PAPER + how)
    with_cls = [name for name in peers.PEERS if name != peers.SIMPLE]
    fastest = max(with_cls, key=lambda name: median(speeds[name]))
    line(f"the fastest peer with CLS ({fastest})", speeds, fastest, " (target: 1.5)")
    line("SimpleViT", speeds, peers.SIMPLE, " (target: 1.2)")


def rotated(names, turn: int) -> list[str]:
    """Return the same names, starting with another one in each turn."""
    names = list(names)
    first = turn % len(names)
    return names[first:] + names[:first]


def compare_accuracy() -> None:
    """Print the accuracy with and without PatchDropout after the same epochs."""
    many, held_out = (5000, 5000) if full_set_on_disk() else (4000, 1000)
    model, training = PRESETS["recommended"]
    for images, epochs in ((600, 6), (many, 10)):
        data = load_cifar10(images, held_out, "train")
        recipe = replace(training, epochs=epochs)
        for drop in reversed(DROPS):
            accuracies = []
            for seed in SEEDS:
                network = VisionTransformer(replace(model, patch_drop=drop), seed=seed)
                *_, last = train(network, data, replace(recipe, seed=seed))
                accuracies.append(last.validation["accuracy"])
            seeds = ", ".join(f"{accuracy:.1%}" for accuracy in accuracies)
            print(
                f"{images} images, {epochs} epochs, patch_drop {drop}: "
                f"mean {mean(accuracies):.1%} ({seeds})",
                flush=True,
            )


def main() -> None:
    """Compare speed, or accuracy if `--accuracy` is given."""
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
