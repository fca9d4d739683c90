"""The Vision Transformers of others, at the shape of the annotation: patch 4, width 64, depth 7, MLP 4x, ten classes.

Each is trained as one of its users would: AdamW in one call for all weights (fused, the quickest there is), torch's
threads on every core, and the better of 32-bit floats and bfloat16 autocast, which is measured.
"""

import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vitdemo.data.cifar10 import Split, normalize

WIDTH, DEPTH, PATCH, MLP = 64, 7, 4, 256
PRECISIONS = (torch.float32, torch.bfloat16)
TRIES = 4  # steps in each precision to find the better; the first warms up, the quickest counts


def timm_vit(heads: int) -> nn.Module:
    """As it comes: attention in one fused call of torch."""
    from timm.models.vision_transformer import VisionTransformer

    return VisionTransformer(
        32, PATCH, num_classes=10, embed_dim=WIDTH, depth=DEPTH, num_heads=heads, mlp_ratio=4
    )


def timm_unfused(heads: int) -> nn.Module:
    """With timm's own switch, attention as two products and a softmax: quicker in bfloat16 on a CPU."""
    model = timm_vit(heads)
    for block in model.blocks:
        block.attn.fused_attn = False
    return model


def torchvision_vit(heads: int) -> nn.Module:
    """The one behind `vit_b_16`; its attention is `nn.MultiheadAttention`."""
    from torchvision.models import VisionTransformer

    return VisionTransformer(32, PATCH, DEPTH, heads, WIDTH, MLP, num_classes=10)


def vit_pytorch(heads: int) -> nn.Module:
    """Its `ViT`, heads as wide as ours."""
    from vit_pytorch import ViT

    return ViT(**_lucidrains(heads))


def simple_vit(heads: int) -> nn.Module:
    """No CLS token (64 tokens, not 65), fixed positions, the mean of all tokens (Beyer et al. 2022)."""
    from vit_pytorch import SimpleViT

    return SimpleViT(**_lucidrains(heads))


def _lucidrains(heads: int) -> dict:
    shape = {
        "image_size": 32,
        "patch_size": PATCH,
        "num_classes": 10,
        "dim": WIDTH,
        "depth": DEPTH,
        "mlp_dim": MLP,
    }
    return shape | {"heads": heads, "dim_head": WIDTH // heads}


SIMPLE = "vit-pytorch SimpleViT"
PEERS: dict[str, Callable[[int], nn.Module]] = {
    "timm": timm_vit,
    "timm, attention unfused": timm_unfused,
    "torchvision": torchvision_vit,
    "vit-pytorch ViT": vit_pytorch,
    SIMPLE: simple_vit,
}


def adamw(model: nn.Module) -> torch.optim.Optimizer:
    """At the constant rate that all peers have."""
    return torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)


def logits_of(model: nn.Module, images: Tensor, dtype: torch.dtype) -> Tensor:
    """uint8 images -> logits in 32-bit floats."""
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        return model(normalize(images)).float()


def step(
    model: nn.Module, optimizer: torch.optim.Optimizer, batch: Split, dtype: torch.dtype
) -> None:
    """One training step, nothing left out."""
    loss = F.cross_entropy(logits_of(model, batch.images, dtype), batch.labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def better_precision(build: Callable[[int], nn.Module], heads: int, batch: Split) -> torch.dtype:
    """The one in which this model's training step is quicker on this machine."""
    taken = {dtype: [] for dtype in PRECISIONS}
    models = {dtype: build(heads).train() for dtype in PRECISIONS}
    optimizers = {dtype: adamw(models[dtype]) for dtype in PRECISIONS}
    for _ in range(TRIES):
        for dtype in PRECISIONS:
            started = time.perf_counter()
            step(models[dtype], optimizers[dtype], batch, dtype)
            taken[dtype].append(time.perf_counter() - started)
    return min(PRECISIONS, key=lambda dtype: min(taken[dtype][1:]))


def batches(split: Split, size: int, order: torch.Generator) -> Iterator[Split]:
    """Every image once, shuffled, in whole batches and a last smaller one."""
    for chosen in torch.randperm(len(split), generator=order).split(size):
        yield split[chosen]


def steps_of(
    model: nn.Module, optimizer: torch.optim.Optimizer, dtype: torch.dtype, split: Split, size: int
) -> Iterator:
    """Train for ever; a step each time that the next item is asked for."""
    model.train()
    order = torch.Generator().manual_seed(0)
    while True:
        for batch in batches(split, size, order):
            yield step(model, optimizer, batch, dtype)
