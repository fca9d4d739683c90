"""Checks of what the files of a run hold, so that nobody who uses it needs to check again.

Each raises a ValueError that says what is wrong.
"""

from ..data.classes import checked_names
from ..training.metrics import METRICS

LARGEST = 3.5e38  # of any number in a file: the largest loss in 32 bits
LONGEST = 10_000  # characters of any text
RENAMED = {  # fields and values in runs saved by earlier versions -> now
    "weight_averaging": "ema_decay",
    "erasing": "cutout",
    "first_filters": "patch_embed_init",
    "flip_and_shift": "flip_and_translate",
}


def history(records, epochs: int) -> tuple[dict, ...]:
    """Return the records of the epochs, one `epoch_record` for each, in order."""
    if not isinstance(records, list) or len(records) > epochs:
        raise ValueError(f"the metrics are not those of at most {epochs} epochs")
    return tuple(_record(record, epoch) for epoch, record in enumerate(records, start=1))


def _record(record, epoch: int) -> dict:
    where = f"epoch {epoch}"
    if mapping(record, where).get("epoch") != epoch:
        raise ValueError(f"the metrics of {where} are not there")
    return {
        "epoch": epoch,
        "train": metrics(record.get("train"), f"training, {where}"),
        "validation": metrics(record.get("validation"), f"validation, {where}"),
        "seconds": number(record.get("seconds"), f"seconds of {where}"),
        "images_per_second": number(record.get("images_per_second"), f"speed of {where}"),
    }


def metrics(values, where: str) -> dict:
    """Return every metric of METRICS; AUROC is None where the images are all of one class."""
    values, checked = mapping(values, where), {}
    for key in METRICS:
        if key not in values:
            raise ValueError(f"{key} is missing ({where})")
        undefined = key == "auroc" and values[key] is None
        most = LARGEST if key == "loss" else 1
        checked[key] = None if undefined else number(values[key], f"{key} ({where})", most)
    return checked


def mapping(value, name: str) -> dict:
    """Return a mapping of names to values."""
    if not isinstance(value, dict):
        raise ValueError(f"{name} is not a mapping of names to values")
    return value


def number(value, name: str, most: float = LARGEST) -> float:
    """Return a number from 0 to `most`."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= most:  # a comparison with NaN is False
        raise ValueError(f"{name} is not a number from 0 to {most:g}")
    return value


def count(value, name: str) -> int:
    """Return a whole number from 0."""
    if not isinstance(value, int):
        raise ValueError(f"{name} is not a whole number")
    return int(number(value, name))


def precision(value) -> str:
    """Return the precision of a run's training steps; empty if it was not decided yet."""
    if value not in ("", "float32", "bfloat16"):
        raise ValueError("precision is neither float32 nor bfloat16")
    return value


def text(value, name: str) -> str:
    """Return a text that can be shown."""
    if not isinstance(value, str) or len(value) > LONGEST:
        raise ValueError(f"{name} is not a text of at most {LONGEST:,} characters")
    value.encode()  # half of a surrogate pair is in no encoding, but JSON can hold it
    return value


def classes(names, num_classes: int) -> tuple[str, ...]:
    """Return the names of all classes, or none if they are missing, as in older files."""
    if names is None:
        return ()
    if not isinstance(names, list) or len(names) != num_classes:
        raise ValueError(f"classes is not a list of {num_classes} names")
    return checked_names(names)


def renamed(training) -> dict:
    """Return the fields of a TrainConfig under their present names."""
    present = {}
    for name, value in mapping(training, "training").items():
        if isinstance(value, str):
            value = RENAMED.get(value, value)
        present[RENAMED.get(name, name)] = value
    return present
