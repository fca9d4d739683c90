"""What a model really uses, counted in one pass: the formulas of `vitdemo.costs` are checked against it."""

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from ..model import VisionTransformer

PARTS = {"patch_embed": "patch embedding", "attn": "projections", "mlp": "MLPs", "pool": "pooling", "head": "head"}


@torch.no_grad()
def multiply_adds(model: VisionTransformer, images: Tensor) -> dict[str, int]:
    """Of all products of matrices in a forward pass, from the tensors that met in it.

    Args:
        model: in evaluation.
        images: (B, C, H, W), normalised.

    Returns:
        for each part as in `costs.operations` the multiply-adds of an image.
    """
    found = {}

    def count(part: str, number: int) -> None:
        found[part] = found.get(part, 0) + number // len(images)

    def counter(name: str):
        part = next(part for word, part in PARTS.items() if word in name.split("."))
        return lambda layer, inputs, output: count(part, output.numel() * layer.weight[0].numel())

    layers = [(name, layer) for name, layer in model.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    hooks = [layer.register_forward_hook(counter(name)) for name, layer in layers]
    try:
        _, trace = model.trace(images)
    finally:
        for hook in hooks:
            hook.remove()
    for attention in trace.attention:
        count(
            "attention", 2 * attention.numel() * model.config.head_dim
        )  # each number: a row of Q times one of K, and of V
    return found


def kept_bytes(model: VisionTransformer, images: Tensor) -> int:
    """Bytes that PyTorch keeps of one forward pass for the way back, beside the parameters.

    Args:
        model: in training.
        images: (B, C, H, W), normalised.
    """
    weights = {tensor.untyped_storage().data_ptr() for tensor in model.parameters()}
    kept = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        model(images)
    return sum(tensor.untyped_storage().nbytes() for storage, tensor in kept.items() if storage not in weights)
