"""What accuracy the presets reach, and what each of their settings contributes.

    python -m tests.benchmarks.recipes              the presets, on the 1,000 shipped test images
    python -m tests.benchmarks.recipes --ablations  one setting changed at a time, on 4,400 held-out
                                                    training images

Each line is the mean over three seeds, trained from scratch on 600 training images unless it says
otherwise. `--results FILE` saves the accuracy of each run, and a second call with the same file
continues where the first one was stopped: all runs together take hours on two cores.
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
RECIPES = {  # name -> preset, and what is changed in it
    "annotation, as printed (6 epochs)": ("annotation", {}),
    "annotation with AdamW (6 epochs)": ("annotation", {"optimizer": "adamw"}),
    "recommended, 6 epochs": ("recommended", PAPERS_BUDGET),
    "hybrid, 6 epochs": ("hybrid", PAPERS_BUDGET),
    "recommended": ("recommended", {}),
    "hybrid": ("hybrid", {}),
    "hybrid, 5,000 images, 60 epochs": ("hybrid", {"train_images": 5000, "epochs": 60}),
}
SHORTER = {"epochs": 50}  # than the presets, so that all ablations take a bearable time
ABLATIONS = {  # of "recommended" and "hybrid"
    "baseline": {},
    "no flip, no translate": {"augmentation": "none"},
    "no color jitter": {"jitter": 0.0},
    "no Cutout": {"cutout": 0},
    "no CutMix": {"cutmix": 0.0},
    "no label smoothing": {"label_smoothing": 0.0},
    "no warm-up": {"warmup_epochs": 0.0},
    "constant learning rate": {"schedule": "constant"},
    "EMA of the weights": {"ema_decay": 0.99},
    "constant learning rate, EMA": {"schedule": "constant", "ema_decay": 0.99},
    "stochastic depth 0.1": {"drop_path": 0.1},
    "random patch-embedding initialization": {"patch_embed_init": "random"},
}
OF_ONE_PRESET = {
    "recommended": {
        "+ translate": {"augmentation": "flip_and_translate"},
        "+ mixup": {"mixup": 0.2},
        "no PatchDropout": {"patch_drop": 0.0},
        "mean pooling": {"pooling": "mean"},
        "attention pooling": {"pooling": "attention"},
    },
    "hybrid": {
        "no translate": {"augmentation": "flip"},
        "no mixup": {"mixup": 0.0},
        "no mixup, no CutMix": {"mixup": 0.0, "cutmix": 0.0},
        "CLS pooling": {"pooling": "cls"},
        "mean pooling": {"pooling": "mean"},
    },
}


def changed(config, changes: dict):
    """Return the configuration with those changes that are fields of its own."""
    return replace(config, **{name: changes[name] for name in asdict(config) if name in changes})


def train_and_test(preset: str, changes: dict, seed: int, held_out: bool) -> tuple[float, float]:
    """Train one model.

    Returns:
        its accuracy after the last epoch, and the seconds of the run, with the validation after
        each epoch.
    """
    changes = changes | {"seed": seed, "validation_from": "train" if held_out else "test"}
    model_config, recipe = PRESETS[preset]
    model_config, recipe = changed(model_config, changes), changed(recipe, changes)
    data = load_cifar10(recipe.train_images, recipe.validation_images, recipe.validation_from)
    model, started = VisionTransformer(model_config, seed=seed), time.perf_counter()
    for _ in train(model, data, recipe):
        pass
    seconds = time.perf_counter() - started
    images = 5000 - recipe.train_images if held_out else 1000
    test = load_cifar10(recipe.train_images, images, recipe.validation_from).validation
    return evaluate(model, test)["accuracy"], seconds


def report(
    name: str, preset: str, changes: dict, held_out: bool, results: dict, file: Path | None
) -> None:
    """Train the seeds that are not in `results` yet, and print one line of the table."""
    runs = results.setdefault(json.dumps([preset, changes, held_out]), [])
    for seed in SEEDS[len(runs) :]:
        runs.append(train_and_test(preset, changes, seed, held_out))
        if file:
            file.write_text(json.dumps(results, indent=1))
    accuracies = [accuracy for accuracy, _ in runs]
    lowest_to_highest = f"{min(accuracies):.1%} to {max(accuracies):.1%}"
    seconds = mean(seconds for _, seconds in runs)
    print(
        f"| {name} | {mean(accuracies):.1%} | {lowest_to_highest} | {seconds:.0f} s |", flush=True
    )


def main() -> None:
    """Print the table that was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ablations", action="store_true")
    parser.add_argument("--results", type=Path, metavar="FILE")
    options = parser.parse_args()
    results = {}
    if options.results and options.results.exists():
        results = json.loads(options.results.read_text())
    if not options.ablations:
        for name, (preset, changes) in RECIPES.items():
            report(name, preset, changes, False, results, options.results)
        return
    for preset, more in OF_ONE_PRESET.items():
        print(f"\n{preset}", flush=True)
        for name, changes in (ABLATIONS | more).items():
            report(name, preset, SHORTER | changes, True, results, options.results)


if __name__ == "__main__":
    main()
