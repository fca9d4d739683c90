"""What the presets reach, and what each of their switches brings.

    python -m tests.benchmarks.recipes             the presets, on the 1,000 test images that ship
    python -m tests.benchmarks.recipes --switches  each switch turned in turn, on 4,400 held-out training images

Every figure is the mean over three seeds, from scratch, from 600 training images where a line does not say otherwise.
With `--results FILE` each training's accuracy is kept there, and a second call goes on where the first was stopped: all of
it takes hours on two cores.
"""

import argparse
import json
import time
from dataclasses import asdict, replace
from pathlib import Path
from statistics import mean

from vitdemo import PRESETS, VisionTransformer, load_cifar10, train
from vitdemo.training.loop import evaluate

SEEDS = (0, 1, 2)
PAPERS_BUDGET = {"epochs": 6, "warmup_epochs": 1.0}
REACHED = {  # what is trained: (preset, changes)
    "annotation, as printed (6 epochs)": ("annotation", {}),
    "annotation with AdamW (6 epochs)": ("annotation", {"optimizer": "adamw"}),
    "recommended, 6 epochs": ("recommended", PAPERS_BUDGET),
    "hybrid, 6 epochs": ("hybrid", PAPERS_BUDGET),
    "recommended": ("recommended", {}),
    "hybrid": ("hybrid", {}),
    "hybrid, 5,000 images, 60 epochs": ("hybrid", {"train_images": 5000, "epochs": 60}),
}
SHORTER = {"epochs": 50}  # than the presets, to have all of them in a bearable time
SWITCHES = {  # of "recommended" and "hybrid": what is done to it
    "as it is": {},
    "neither flip nor shift": {"augmentation": "none"},
    "no jitter": {"jitter": 0.0},
    "no cutout": {"cutout": 0},
    "no CutMix": {"cutmix": 0.0},
    "no label smoothing": {"label_smoothing": 0.0},
    "no warm-up": {"warmup_epochs": 0.0},
    "constant learning rate": {"schedule": "constant"},
    "weight averaging": {"ema_decay": 0.99},
    "constant rate, weight averaging": {"schedule": "constant", "ema_decay": 0.99},
    "stochastic depth 0.1": {"drop_path": 0.1},
    "random first filters": {"patch_embed_init": "random"},
}
OF_ONE_PRESET = {
    "recommended": {
        "shift too": {"augmentation": "flip_and_translate"},
        "mixup too": {"mixup": 0.2},
        "every patch in each step": {"patch_drop": 0.0},
        "mean pooling": {"pooling": "mean"},
        "attention pooling": {"pooling": "attention"},
    },
    "hybrid": {
        "no shift, only flip": {"augmentation": "flip"},
        "no mixup": {"mixup": 0.0},
        "neither mixup nor CutMix": {"mixup": 0.0, "cutmix": 0.0},
        "CLS pooling": {"pooling": "cls"},
        "mean pooling": {"pooling": "mean"},
    },
}


def accuracy(preset: str, changes: dict, seed: int, held_out: bool) -> tuple[float, float]:
    """After the last epoch, and the seconds that the training took, the validation after each epoch included."""
    model_config, recipe = PRESETS[preset]
    changes = changes | {"seed": seed, "validation_from": "train" if held_out else "test"}
    model_config = replace(
        model_config, **{name: changes[name] for name in asdict(model_config) if name in changes}
    )
    recipe = replace(recipe, **{name: changes[name] for name in asdict(recipe) if name in changes})
    model, started = VisionTransformer(model_config, seed=seed), time.perf_counter()
    for _ in train(
        model,
        load_cifar10(recipe.train_images, recipe.validation_images, recipe.validation_from),
        recipe,
    ):
        pass
    seconds = time.perf_counter() - started
    images = 5000 - recipe.train_images if held_out else 1000
    return evaluate(
        model, load_cifar10(recipe.train_images, images, recipe.validation_from).validation
    )["accuracy"], seconds


def report(
    name: str, preset: str, changes: dict, held_out: bool, results: dict, file: Path | None
) -> None:
    """Train what is not in `results` yet, and print a line."""
    key = json.dumps([preset, changes, held_out])
    reached = results.setdefault(key, [])
    for seed in SEEDS[len(reached) :]:
        reached.append(accuracy(preset, changes, seed, held_out))
        if file:
            file.write_text(json.dumps(results, indent=1))
    figures = [figure for figure, _ in reached]
    spread = f"{min(figures):.1%} to {max(figures):.1%}"
    print(
        f"| {name} | {mean(figures):.1%} | {spread} | {mean(took for _, took in reached):.0f} s |",
        flush=True,
    )


def main() -> None:
    """Print the table that was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--switches", action="store_true")
    parser.add_argument("--results", type=Path, metavar="FILE")
    options = parser.parse_args()
    results = (
        json.loads(options.results.read_text())
        if options.results and options.results.exists()
        else {}
    )
    if not options.switches:
        for name, (preset, changes) in REACHED.items():
            report(name, preset, changes, False, results, options.results)
        return
    for preset, more in OF_ONE_PRESET.items():
        print(f"\n{preset}", flush=True)
        for name, changes in (SWITCHES | more).items():
            report(name, preset, SHORTER | changes, True, results, options.results)


if __name__ == "__main__":
    main()
