"""Images and their labels, checked and converted once."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..config import SETTINGS, ConfigError

MOST_CLASSES = SETTINGS["num_classes"].limits[1]


@dataclass(frozen=True)
class Split:
    """Images and their labels: those of CIFAR-10, or one's own.

    Args:
        images: uint8 tensor or array, (N, C, H, W) or (N, H, W, C), with H = W.
        labels: tensor, array or list of N whole numbers from 0; each is the index of a class.

    Raises:
        ConfigError: they cannot be used; the message says what is right.
    """

    images: Tensor  # (N, C, H, W) uint8
    labels: Tensor  # (N,) int64

    def __post_init__(self):
        """Check images and labels, and store them as tensors in one layout."""
        images, labels = _images(self.images), _labels(self.labels)
        if len(images) != len(labels):
            raise ConfigError(
                f"There are {len(images):,} images and {len(labels):,} labels. Give one label per "
                "image."
            )
        self._store(images, labels)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, chosen: slice | Tensor) -> "Split":
        part = object.__new__(Split)  # without checking again: this runs in every training step
        part._store(self.images[chosen], self.labels[chosen])
        return part

    def _store(self, images: Tensor, labels: Tensor) -> None:
        object.__setattr__(self, "images", images)
        object.__setattr__(self, "labels", labels)


def _images(given) -> Tensor:
    """Return images as (N, C, H, W) uint8."""
    images = _tensor(given, "Images must be a uint8 tensor or array")
    if images.dtype != torch.uint8:
        scale = " Multiply values from 0 to 1 by 255 first." if images.is_floating_point() else ""
        raise ConfigError(
            "Images must be uint8, with values from 0 to 255, not "
            f"{_name(images.dtype)}.{scale} Convert with .astype('uint8'), or .to(torch.uint8) for "
            "a tensor."
        )
    shape = tuple(images.shape)
    if len(shape) == 3:
        raise ConfigError(
            f"Images must have four axes, and their shape is {shape}. Use images[:, None] and "
            "in_channels=1 for gray images, images[None] for a single image."
        )
    if len(shape) != 4 or (shape[2] != shape[3] and shape[1] != shape[2]):
        raise ConfigError(
            "Images must be square and have shape (N, channels, height, width) or "
            f"(N, height, width, channels), not {shape}."
        )
    if not images.numel():
        raise ConfigError(f"Images have shape {shape}: there are none. Give at least one image.")
    if shape[2] != shape[3]:  # the channels are last
        images = images.movedim(3, 1)
    return images.contiguous()


def _labels(given) -> Tensor:
    """Return labels as (N,) int64."""
    labels = _tensor(
        given, "Labels must be a tensor, array or list with one whole number per image"
    )
    if not labels.numel():
        raise ConfigError("There are no labels. Give one per image.")
    if labels.ndim != 1:
        raise ConfigError(
            f"Labels must have shape (N,), one number per image, not {tuple(labels.shape)}. Use "
            "labels.reshape(-1) for a column of labels, labels.argmax(1) for one-hot labels."
        )
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise ConfigError(
            f"Labels must be whole numbers, not {_name(labels.dtype)}. Convert with "
            ".astype('int64'), or .long() for a tensor."
        )
    labels = labels.long()
    if not 0 <= labels.min() <= labels.max() < MOST_CLASSES:
        raise ConfigError(
            f"Labels must be from 0 to {MOST_CLASSES - 1}, one for each class, and these are from "
            f"{int(labels.min())} to {int(labels.max())}. Number the classes from 0."
        )
    return labels


def _tensor(given, what: str) -> Tensor:
    """Return a tensor on the CPU; `what` begins the message if that is not possible."""
    try:
        if isinstance(given, Tensor):
            return given.detach().cpu().to_dense()
        array = np.asarray(given)
        native = array.astype(array.dtype.newbyteorder("="), copy=False)
        return torch.from_numpy(np.require(native, requirements=["C", "W"]))
    except (TypeError, ValueError, RuntimeError) as error:  # objects, texts, rows of unequal length
        kind = type(given).__name__
        if isinstance(given, np.ndarray):
            kind = f"an array of {given.dtype}"
        raise ConfigError(f"{what}, not {kind}.") from error


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
