"""Models that visitors open from their own files: checkpoints of ours, and plain ViTs of timm.

A file is untrusted: only its header is read until its shapes are checked, and pickles are never
opened. Files lie in a folder of this process, which is deleted when the app ends; the oldest ones
are deleted when there are too many.
"""

import hashlib
import math
import re
import threading
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..config import ConfigError, TrainConfig
from ..costs import parameters
from ..data.cifar10 import CLASSES, SAMPLE
from ..data.classes import name_each
from ..files import json_text, own_models_folder, reason, write_atomically
from ..model import VisionTransformer
from .checkpoint import (
    check_header,
    check_kinds,
    is_pickle,
    load_checkpoint,
    read_header,
    save_checkpoint,
)
from .from_timm import from_timm
from .run import Run

MAX_BYTES = 400 * 2**20  # of a file: a ViT-B in float32 has 330 MB
MAX_PARAMETERS = 100_000_000
MAX_TENSORS = 1_000
MAX_MAPS = 64 * 2**20  # bytes of all attention maps of a picture, of which pages keep several
MAX_NAME = 60  # characters of a file's name or a class's name
KEPT_FILES, KEPT_BYTES = 100, 2 * 2**30  # of all visitors
ID = re.compile(r"own-[0-9a-f]{20}")
LOCK = threading.Lock()  # one conversion at a time, as each takes a few times the file in memory


def keep_upload(content: bytes) -> Path:
    """Write an uploaded file to the folder, and return its path, which tells its content.

    Raises:
        ConfigError: it is too large, no safetensors file, or cannot be written.
    """
    if len(content) > MAX_BYTES:
        raise ConfigError(
            f"The file has {len(content) / 2**20:.0f} MB. Choose one of at most "
            f"{MAX_BYTES // 2**20} MB, for example with weights in half precision."
        )
    path = own_models_folder() / f"upload-{_digest(content)}.safetensors"
    try:
        with LOCK:
            _make_room(len(content))
            write_atomically(path, content)
        check_file(path)
    except OSError as error:
        raise ConfigError(f"The file cannot be kept: {reason(error)}.") from error
    except ConfigError:
        path.unlink()
        raise
    return path


def check_file(path: Path) -> dict[str, str]:
    """Return the header of a safetensors file, whose size is within the bounds.

    Raises:
        ConfigError: it is a pickle, damaged, or too large.
    """
    if is_pickle(path):
        raise ConfigError(
            "The file is a pickle, which can run code when it is opened. Save the weights with "
            "safetensors.torch.save_file instead."
        )
    try:
        check_header(path)
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            shapes = [file.get_slice(name).get_shape() for name in file.offset_keys()]
    except (SafetensorError, OSError) as error:
        raise ConfigError(
            "The file is not a complete safetensors file of a model. Choose another one."
        ) from error
    numbers = sum(map(math.prod, shapes))
    if len(shapes) > MAX_TENSORS or numbers > MAX_PARAMETERS:
        raise ConfigError(
            f"The file has {numbers / 1e6:,.0f} million numbers in {len(shapes):,} tensors. "
            f"Choose a model of at most {MAX_PARAMETERS // 10**6} million, such as a ViT-B."
        )
    return header


def is_checkpoint(path: Path) -> bool:
    """Return whether a file states a configuration, as checkpoints of this project do."""
    return "model" in check_file(path)


def shapes_in(path: Path) -> dict[str, Tensor]:
    """Return the file's tensors without their numbers: on torch's meta device."""
    with safe_open(path, framework="pt") as file:
        shapes = {name: file.get_slice(name).get_shape() for name in file.offset_keys()}
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


def open_checkpoint(path: Path, name: str) -> Run:
    """Open a checkpoint of ours as a run. Its card may name the classes.

    Raises:
        ConfigError: as `load_checkpoint`, or it is not for color pictures.
    """
    with LOCK:
        model, card = load_checkpoint(path)
        K = model.config.num_classes
        trained_here = "training" in card and len(CLASSES) <= K  # by an earlier version
        classes = card.get("classes") or (list(name_each(CLASSES, K)) if trained_here else [])
        return _keep(path, model, name, classes)


def open_timm(path: Path, name: str, classes: list[str], **settings) -> Run:
    """Open a plain ViT of timm or transformers as a run.

    Args:
        path: from `keep_upload`.
        name: of the file.
        classes: their names, or none.
        settings: as for `from_timm`.

    Raises:
        ConfigError: as `from_timm`, or it is not for color pictures.
    """
    with LOCK:
        try:
            with safe_open(path, framework="pt") as file:
                weights = {name: file.get_tensor(name) for name in file.offset_keys()}
        except (SafetensorError, OSError, RuntimeError, TypeError) as error:
            raise ConfigError("The file has tensors of an unknown kind. Save it again.") from error
        check_kinds(weights)
        return _keep(path, from_timm(weights, **settings), name, classes, settings)


def _keep(
    upload: Path, model: VisionTransformer, name: str, classes, settings: dict | None = None
) -> Run:
    """Save the model of an upload among the own models, and return its run."""
    config = model.config
    if config.in_channels != 3:
        raise ConfigError(f"The model takes {config.in_channels} channels. Pictures have three.")
    maps = 4 * config.depth * config.num_heads * config.num_tokens**2
    if maps > MAX_MAPS:
        raise ConfigError(
            f"The attention of one picture has {maps / 2**20:,.0f} MB, and {MAX_MAPS // 2**20} MB "
            "are allowed. Choose a smaller image size, or a model with larger patches."
        )
    card = {"name": _one_line(name), "classes": class_names(classes, config.num_classes)}
    card["from_timm"] = settings
    run_id = f"own-{_digest((upload.stem + json_text(card)).encode())}"
    draft = own_models_folder() / "draft.safetensors"
    _make_room(4 * sum(parameters(config).values()))
    try:
        save_checkpoint(draft, model, card)
        draft.replace(own_models_folder() / f"{run_id}.safetensors")
    except OSError as error:
        raise ConfigError(f"The model cannot be kept: {reason(error)}.") from error
    return own_run(run_id)


def class_names(classes, count: int) -> list[str]:
    """Return a name for each class: those given, or class 0, class 1 …

    Raises:
        ConfigError: there are other than `count` names, or a name occurs twice.
    """
    if not classes:
        return [f"class {number}" for number in range(count)]
    names = [_one_line(name) for name in classes] if isinstance(classes, list) else []
    if len(names) != count or len(set(names)) != count or not all(names):
        raise ConfigError(
            f"The model has {count:,} classes. Give {count:,} different names, one for each."
        )
    return names


def own_run(run_id: str) -> Run | None:
    """Return an own model by its id, or None if it is not, or no longer, there."""
    path = own_models_folder() / f"{run_id}.safetensors"
    if not ID.fullmatch(run_id) or not path.is_file():
        return None
    config, card = read_header(path)
    training = TrainConfig(validation_images=SAMPLE["test"])
    classes = tuple(card["classes"])
    return Run(run_id, config, training, "finished", origin="own", classes=classes)


def name_of(run: Run) -> str:
    """Return the name of the file that an own model came from."""
    return read_header(run.weights)[1]["name"]


def _one_line(text) -> str:
    """Return a name in one line without invisible characters, cut to its limit."""
    words = "".join(c if c.isprintable() else " " for c in str(text)).split()
    return " ".join(words)[:MAX_NAME]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:20]


def _make_room(size: int) -> None:
    """Delete the oldest files until one of this many bytes fits beside the others."""
    files = sorted(own_models_folder().glob("*.safetensors"), key=lambda file: file.stat().st_mtime)
    sizes = [file.stat().st_size for file in files]
    while files and (len(files) >= KEPT_FILES or sum(sizes) + size > KEPT_BYTES):
        files.pop(0).unlink(missing_ok=True)
        sizes.pop(0)
