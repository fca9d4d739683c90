"""Checkpoints: weights, configuration, normalization and model card in one safetensors file."""

import json
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from ..config import ConfigError, ModelConfig, config_from_dict
from ..costs import check_memory
from ..files import json_text, reason, stamp, write_atomically
from ..model import VisionTransformer
from .normalization import our_normalization

KINDS = (  # of numbers; batch norm counts its batches in int64
    torch.float16,
    torch.bfloat16,
    torch.float32,
    torch.float64,
    torch.int64,
)
MAX_HEADER = 4 * 2**20  # bytes; that of a run of 1,000 epochs has less than one million


def save_checkpoint(
    path: str | Path, model: VisionTransformer, card: dict | None = None, half: bool = False
) -> None:
    """Write weights, configuration, normalization and model card to `path`.

    A kill at any moment leaves either the old file or the new one.

    Args:
        path: path that ends in .safetensors.
        model: model of any shape.
        card: anything that JSON can hold.
        half: whether to round the weights to 16 bits, which halves the file.
    """
    header = {"model": asdict(model.config), "card": card or {}}
    header["normalization"] = our_normalization(model.config.in_channels)
    header = {name: json_text(value) for name, value in header.items()}
    tensors = {name: tensor.detach().contiguous() for name, tensor in model.state_dict().items()}
    if half:
        for name, tensor in tensors.items():
            if tensor.is_floating_point():  # batch norm also counts its batches
                tensors[name] = tensor.half()
    write_atomically(path, save(tensors, header))


def load_checkpoint(path: str | Path) -> tuple[VisionTransformer, dict]:
    """Return the model in `path`, in evaluation mode, and its card.

    Raises:
        ConfigError: as `read_header`, or some weights are not finite, or of an unknown kind.
    """
    config, card = read_header(path)
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.offset_keys()}
    check_kinds(tensors)
    if not all(tensor.isfinite().all() for tensor in tensors.values()):
        raise ConfigError(
            f"Some weights in {Path(path).name} are not numbers (NaN or infinity), so the model "
            "cannot classify anything. Train it again with a lower learning rate."
        )
    model = VisionTransformer(config, seed=0)
    model.load_state_dict(tensors)
    return model.eval(), card


def check_kinds(tensors: dict[str, torch.Tensor]) -> None:
    """Check that all tensors hold real numbers of a kind that torch computes with.

    Raises:
        ConfigError: one holds others, such as complex numbers or 8-bit floats.
    """
    for name, tensor in tensors.items():
        if tensor.dtype not in KINDS:
            kind = str(tensor.dtype).removeprefix("torch.")
            raise ConfigError(
                f"{name[:60]} holds numbers of the kind {kind}. Save the weights as float32."
            )


def read_header(path: str | Path) -> tuple[ModelConfig, dict]:
    """Return the configuration and the card of a checkpoint, without loading its weights.

    The names and shapes of the weights are checked, so that nothing large is made for a small file.

    Raises:
        ConfigError: there is no such file, it is not a complete safetensors file of this project,
            its weights do not have the shapes that its configuration states, or the model needs too
            much memory.
    """
    path = Path(path)
    return _read_header(path, stamp(path))


@lru_cache(maxsize=64)  # a page lists some twenty checkpoints at each rerun; a card may be large
def _read_header(path: Path, stamp: tuple) -> tuple[ModelConfig, dict]:
    return read_header_now(path)


def read_header_now(path: Path) -> tuple[ModelConfig, dict]:
    """Return the same as `read_header`, and keep nothing of it in memory."""
    if not path.is_file():
        raise ConfigError(
            f"There is no checkpoint {path.name}. Give the path of a .safetensors file."
        )
    try:
        if is_pickle(path):
            raise ConfigError(
                f"{path.name} is a pickle, which can run code when it is opened. "
                "Use a .safetensors file."
            )
        check_header(path)
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.offset_keys()}
    except (SafetensorError, OSError) as error:
        raise ConfigError(
            f"{path.name} is not a complete safetensors file ({reason(error)}). Copy it again."
        ) from error
    try:
        config = config_from_dict(ModelConfig, json.loads(header["model"]))
        card = json.loads(header.get("card", "{}"))
        if not isinstance(card, dict):
            raise KeyError("card")
        normalization = json.loads(header.get("normalization", "null"))  # older files have none
    except ConfigError:  # is a ValueError
        raise
    except (KeyError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"{path.name} does not state a model's configuration. "
            "Use a file written by save_checkpoint."
        ) from error
    if normalization not in (None, our_normalization(config.in_channels)):
        raise ConfigError(
            f"The model in {path.name} takes pixels that are normalized in another way than those "
            "of this project. Use from_timm, which folds its normalization into its first layer."
        )
    check_memory(config, batch_size=1)
    if shapes != shapes_of(config):
        raise ConfigError(
            f"The weights in {path.name} do not fit the configuration in it. "
            f"{_mismatch(config, shapes)} Save it again with save_checkpoint."
        )
    return config, card


class _Shapes(VisionTransformer):
    """A model that draws no weights: on the meta device, torch would load its compiler for it."""

    def init_weights(self, generator: torch.Generator | None) -> None:
        """Draw nothing."""


def _empty_model(config: ModelConfig) -> VisionTransformer:
    """Return a model that has shapes but no numbers, and so takes no memory."""
    with torch.device("meta"):
        return _Shapes(config, seed=0)


@lru_cache(maxsize=256)
def shapes_of(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor in a checkpoint of this configuration."""
    return {name: tuple(tensor.shape) for name, tensor in _empty_model(config).state_dict().items()}


def _mismatch(config: ModelConfig, shapes: dict[str, tuple[int, ...]]) -> str:
    """Return how tensors of these shapes differ from those of the model, in torch's words."""
    tensors = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    try:
        _empty_model(config).load_state_dict(tensors, assign=True)
    except RuntimeError as error:
        lines = str(error).strip().splitlines()  # a heading, then one line per problem
        return (lines[1] if len(lines) > 1 else lines[0]).strip()


def check_header(path: Path) -> None:
    """Refuse a file whose header would take up the memory.

    Raises:
        SafetensorError: it states more than MAX_HEADER bytes.
    """
    with path.open("rb") as file:
        if int.from_bytes(file.read(8), "little") > MAX_HEADER:
            raise SafetensorError("its header is too large")


def is_pickle(path: Path) -> bool:
    """Check the first bytes: those of a zip file or a pickle, and not those of safetensors."""
    with path.open("rb") as file:
        start = file.read(9)
    is_safetensors = start[8:] == b"{"  # after the header's length in 8 bytes, the header as JSON
    return not is_safetensors and (start[:2] == b"PK" or start[:1] == b"\x80")
