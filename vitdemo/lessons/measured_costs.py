"""MACs and memory, measured in a forward pass to check the formulas of `vitdemo.costs`."""

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.overrides import TorchFunctionMode

from ..model import VisionTransformer

PARTS = {  # module in a weight's name -> its part in `costs.macs`
    "patch_embed": "patch embedding",
    "attn": "projections",
    "mlp": "MLPs",
    "pool": "pooling",
    "head": "head",
}


class _MacCounter(TorchFunctionMode):
    """Context manager that counts the MACs of matrix multiplications and convolutions in it."""

    def __init__(self, model: VisionTransformer):
        super().__init__()
        self.names = {id(weight): name for name, weight in model.named_parameters()}
        self.macs: dict[str, int] = {}

    def __torch_function__(self, func, types, args=(), kwargs=None):
        output = func(*args, **(kwargs or {}))
        weight = args[1] if len(args) > 1 else None
        if id(weight) in self.names and func.__name__ in ("linear", "conv2d"):
            modules = self.names[id(weight)].split(".")
            part = next(part for module, part in PARTS.items() if module in modules)
            self._add(part, output.numel() * weight[0].numel())
        elif func.__name__ in ("matmul", "__matmul__"):  # QK^T, and the weighted sum of V
            self._add("attention", output.numel() * args[0].shape[-1])
        return output

    def _add(self, part: str, macs: int) -> None:
        self.macs[part] = self.macs.get(part, 0) + macs


@torch.no_grad()
def counted_macs(model: VisionTransformer, images: Tensor) -> dict[str, int]:
    """Return the MACs of each part for one image, counted in a forward pass.

    Args:
        model: the model in evaluation mode.
        images: (B, C, H, W), normalized.
    """
    with _MacCounter(model) as counter:
        model(images)
    return {part: macs // len(images) for part, macs in counter.macs.items()}


def saved_bytes(model: VisionTransformer, images: Tensor) -> int:
    """Return the bytes that PyTorch saves for the backward pass, parameters not included.

    Args:
        model: the model in training mode.
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
