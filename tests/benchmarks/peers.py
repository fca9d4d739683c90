"""Vision Transformers of other libraries, in the shape of the paper's model.

Patch 4, width 64, depth 7, MLP ratio 4, ten classes. Each is trained as its users would: AdamW with
one fused call for all weights (the fastest there is), torch threads on every core, and float32 or
bfloat16 autocast, whichever is measured to be faster.
"""

import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vitdemo.data.cifar10 import Split, normalize

WIDTH, DEPTH, PATCH, MLP = 64, 7, 4, 256
PRECISIONS = (torch.float32, torch.bfloat16)
TRIES = 4  # steps in each precision; the first warms up, the fastest of the others counts


def timm_vit(heads: int) -> nn.Module:
    """Return timm's model with its default: attention in one fused call."""
    from timm.models.vision_transformer import VisionTransformer

    return VisionTransformer(
        32, PATCH, num_classes=10, embed_dim=WIDTH, depth=DEPTH, num_heads=heads, mlp_ratio=4
    )


def timm_unfused(heads: int) -> nn.Module:
    """Return timm's model with attention as two matrix products: faster in bfloat16 on a CPU."""
    model = timm_vit(heads)
    for block in model.blocks:
        block.attn.fused_attn = False
    return model


def torchvision_vit(heads: int) -> nn.Module:
    """Return the class behind `vit_b_16`; its attention is `nn.MultiheadAttention`."""
    from torchvision.models import VisionTransformer

    return VisionTransformer(32, PATCH, DEPTH, heads, WIDTH, MLP, num_classes=10)


def vit_pytorch(heads: int) -> nn.Module:
    """Return vit-pytorch's `ViT` with heads of our width."""
    from vit_pytorch import ViT

    return ViT(**_vit_pytorch_shape(heads))


def simple_vit(heads: int) -> nn.Module:
    """Return vit-pytorch's `SimpleViT`: 64 tokens without CLS, fixed positions, mean pooling.

    Beyer, Zhai and Kolesnikov 2022, *Better plain ViT baselines for ImageNet-1k*.
    """
    from vit_pytorch import SimpleViT

    return SimpleViT(**_vit_pytorch_shape(heads))


def _vit_pytorch_shape(heads: int) -> dict:
    return {
        "image_size": 32,
        "patch_size": PATCH,
        "num_classes": 10,
        "dim": WIDTH,
        "depth": DEPTH,
        "mlp_dim": MLP,
        "heads": heads,
        "dim_head": WIDTH // heads,
    }


SIMPLE = "vit-pytorch SimpleViT"
PEERS: dict[str, Callable[[int], nn.Module]] = {
    "timm": timm_vit,
    "timm, attention unfused": timm_unfused,
    "torchvision": torchvision_vit,
    "vit-pytorch ViT": vit_pytorch,
    SIMPLE: simple_vit,
}


def adamw(model: nn.Module) -> torch.optim.Optimizer:
    """Return the optimizer of all peers, at a constant learning rate."""
    return torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)


def logits_of(model: nn.Module, images: Tensor, dtype: torch.dtype) -> Tensor:
    """(B, 3, 32, 32) uint8 -> (B, 10) float32 logits, computed in `dtype`."""
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        return model(normalize(images)).float()


def step(
    model: nn.Module, optimizer: torch.optim.Optimizer, batch: Split, dtype: torch.dtype
) -> None:
    """Run one complete training step."""
    loss = F.cross_entropy(logits_of(model, batch.images, dtype), batch.labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def faster_precision(build: Callable[[int], nn.Module], heads: int, batch: Split) -> torch.dtype:
    """Return the number format in which this model trains faster on this machine."""
    seconds = {dtype: [] for dtype in PRECISIONS}
    models = {dtype: build(heads).train() for dtype in PRECISIONS}
    optimizers = {dtype: adamw(models[dtype]) for dtype in PRECISIONS}
    for _ in range(TRIES):
        for dtype in PRECISIONS:
            started = time.perf_counter()
            step(models[dtype], optimizers[dtype], batch, dtype)
            seconds[dtype].append(time.perf_counter() - started)
    return min(PRECISIONS, key=lambda dtype: min(seconds[dtype][1:]))


def batches(split: Split, size: int, order: torch.Generator) -> Iterator[Split]:
    """Yield every image once, shuffled, in batches; the last one may be smaller."""
    for chosen in torch.randperm(len(split), generator=order).split(size):
        yield split[chosen]


def run_steps(
    model: nn.Module, optimizer: torch.optim.Optimizer, dtype: torch.dtype, split: Split, size: int
) -> Iterator[None]:
    """Train without end: one step each time that the next item is asked for."""
    model.train()
    order = torch.Generator().manual_seed(0)
    while True:
        for batch in batches(split, size, order):
            yield step(model, optimizer, batch, dtype)
