"""What a model really uses, measured in one pass; the formulas of `vitdemo.costs` are checked against it."""

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.overrides import TorchFunctionMode

from ..model import VisionTransformer

PARTS = {  # in a weight's name: its part, as in `costs.macs`
    "patch_embed": "patch embedding",
    "attn": "projections",
    "mlp": "MLPs",
    "pool": "pooling",
    "head": "head",
}


class _Products(TorchFunctionMode):
    """Counts the multiply-accumulates of every matrix multiplication and convolution within its `with` block."""

    def __init__(self, model: VisionTransformer):
        super().__init__()
        self.names = {id(weight): name for name, weight in model.named_parameters()}
        self.found: dict[str, int] = {}

    def __torch_function__(self, func, types, args=(), kwargs=None):
        output = func(*args, **(kwargs or {}))
        weight = args[1] if len(args) > 1 else None
        if id(weight) in self.names and func.__name__ in ("linear", "conv2d"):
            words = self.names[id(weight)].split(".")
            part = next(part for word, part in PARTS.items() if word in words)
            self._add(part, output.numel() * weight[0].numel())
        elif func.__name__ in ("matmul", "__matmul__"):  # QK^T, and the weighted sum of V
            self._add("attention", output.numel() * args[0].shape[-1])
        return output

    def _add(self, part: str, macs: int) -> None:
        self.found[part] = self.found.get(part, 0) + macs


@torch.no_grad()
def counted_macs(model: VisionTransformer, images: Tensor) -> dict[str, int]:
    """Return the multiply-accumulates of each part for one image, counted in a forward pass.

    Args:
        model: in evaluation mode.
        images: (B, C, H, W), normalized.
    """
    with _Products(model) as products:
        model(images)
    return {part: macs // len(images) for part, macs in products.found.items()}


def saved_bytes(model: VisionTransformer, images: Tensor) -> int:
    """Return the bytes that PyTorch saves in one forward pass for the backward pass, without the parameters.

    Args:
        model: in training mode.
        images: (B, C, H, W), normalized.
    """
    weights = {tensor.untyped_storage().data_ptr() for tensor in model.parameters()}
    saved = {}

    def save(tensor: Tensor) -> Tensor:
        saved[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with saved_tensors_hooks(save, lambda tensor: tensor):
        model(images)
    storages = (
        tensor.untyped_storage() for pointer, tensor in saved.items() if pointer not in weights
    )
    return sum(storage.nbytes() for storage in storages)
