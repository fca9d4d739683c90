"""A model and its card (what it is, how it was trained, how good it is) in one safetensors file."""

import json
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from ..config import ConfigError, ModelConfig, config_from_dict
from ..files import write_atomically
from ..model import VisionTransformer


def save_checkpoint(
    path: str | Path, model: VisionTransformer, card: dict | None = None, half: bool = False
) -> None:
    """Write weights, configuration and card to `path`; a kill leaves the old file or the new one.

    Args:
        path: ends in .safetensors.
        model: of any shape.
        card: anything JSON can hold.
        half: round the weights to 16 bits each, which halves the file.
    """
    header = {"model": json.dumps(asdict(model.config)), "card": json.dumps(card or {})}
    tensors = {name: tensor.detach().contiguous() for name, tensor in model.state_dict().items()}
    if half:
        tensors = {
            name: tensor.half() if tensor.is_floating_point() else tensor
            for name, tensor in tensors.items()
        }
    write_atomically(path, save(tensors, header))


def load_checkpoint(path: str | Path) -> tuple[VisionTransformer, dict]:
    """The model in `path`, ready to predict, and its card.

    Raises:
        ConfigError: there is no such file, it is not a whole safetensors file of this project, or its weights are not
            of the shape that its configuration says.
    """
    config, card = read_header(path)
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.offset_keys()}
    model = VisionTransformer(config, seed=0)
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        first = str(error).strip().splitlines()[1:2] or [str(error)]
        raise ConfigError(
            f"The weights in {Path(path).name} are not of the shape its configuration says. {first[0].strip()} "
            "Save it again with save_checkpoint."
        ) from error
    return model.eval(), card


def read_header(path: str | Path) -> tuple[ModelConfig, dict]:
    """Configuration and card of a checkpoint, without its weights.

    Raises:
        ConfigError: as for `load_checkpoint`, but for the weights.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(
            f"There is no checkpoint {path.name}: give the path of a .safetensors file."
        )
    return _read_header(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=256)  # a page lists some twenty checkpoints at each click
def _read_header(path: Path, changed: int) -> tuple[ModelConfig, dict]:
    with path.open("rb") as file:
        start = file.read(
            9
        )  # of a safetensors file: the length of its header, then the header, which is JSON
    if start[8:] != b"{" and (start[:2] == b"PK" or start[:1] == b"\x80"):
        raise ConfigError(
            f"{path.name} is a pickle, which can run any code when it is opened: use a .safetensors file."
        )
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise ConfigError(
            f"{path.name} is not a whole safetensors file ({error}): it may be cut off, so copy it again."
        ) from error
    try:
        return config_from_dict(ModelConfig, json.loads(header["model"])), json.loads(
            header.get("card", "{}")
        )
    except (KeyError, json.JSONDecodeError, RecursionError) as error:
        raise ConfigError(
            f"{path.name} does not say what model it holds: use a file written by save_checkpoint."
        ) from error
