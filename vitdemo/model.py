"""The Vision Transformer of the paper, in one file that reads from top to bottom.

An image is cut into patches, each patch becomes a token, encoder blocks let the tokens exchange information, and the
class is read from one token (Dosovitskiy et al. 2021; the encoder is that of Vaswani et al. 2017, in pre-norm form).

Shapes: B images, C channels, T tokens (CLS and the N patches), D numbers in a token (embed_dim), H heads.
Names are those of timm, so a state_dict loads there. The configuration lies in `config`, which needs no torch.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .config import ConfigError, ModelConfig

# An intervention: layer (from 0) and its attention (B, H, T, T) -> the attention to use instead.
Edit = Callable[[int, Tensor], Tensor]


class PatchEmbed(nn.Module):
    """Cut the image into patches and project each one to a token (section 1.4.1).

    A convolution whose stride equals its kernel size is that linear projection of the flattened patches.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        size = config.patch_size
        self.proj = nn.Conv2d(config.in_channels, config.embed_dim, size, stride=size)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, N, D), patches row by row from the top left."""
        return self.proj(images).flatten(2).transpose(1, 2)


class ConvStem(nn.Module):
    """Make tokens by stages of a 3x3 convolution, a max-pool, a batch norm and ReLU.

    The tokenizer of the compact convolutional transformer (Hassani et al. 2021, section 3.3) with batch norm. There are
    as many stages as make one token of each `patch_size` pixels; each halves the side and doubles the channels. The pool
    comes before the norm, which then has a quarter of the numbers to go through.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        widths = [config.in_channels, *config.stem_widths]
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1, bias=False) for a, b in pairwise(widths)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in config.stem_widths)
        self.proj = nn.Conv2d(widths[-1], config.embed_dim, 1)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, N, D), tokens row by row from the top left."""
        x = images.contiguous(memory_format=torch.channels_last)  # faster: channels innermost
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = norm(F.max_pool2d(conv(x), 2)).relu()  # half the side
        return self.proj(x).flatten(2).transpose(1, 2)


class Attention(nn.Module):
    """Multi-head self-attention: softmax(QK^T / sqrt(d_k)) V in each head (section 1.3.3)."""

    def __init__(self, config: ModelConfig, generator: torch.Generator):
        super().__init__()
        self.num_heads = config.num_heads
        # The formula divides by the root of the head dimension d_k, the paper's code by that of the embedding dimension.
        width = config.embed_dim if config.attention_scale == "embed_dim" else config.head_dim
        self.scale = width**-0.5
        self.qkv = nn.Linear(config.embed_dim, 3 * config.embed_dim)
        self.attn_drop = Dropout(config.attention_dropout, generator)
        self.proj = nn.Linear(config.embed_dim, config.embed_dim)

    def forward(
        self, x: Tensor, edit: Callable[[Tensor], Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """(B, T, D) -> (B, T, D) and the attention (B, H, T, T) that produced it, edited if asked for."""
        B, T, D = x.shape
        q, k, v = (
            self.qkv(x).reshape(B, T, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        )  # each (B, H, T, d_k)
        attention = (q * self.scale @ k.transpose(-2, -1)).softmax(dim=-1)  # (B, H, T, T)
        if edit:
            attention = edit(attention)
        x = self.attn_drop(attention) @ v  # (B, H, T, d_k)
        return self.proj(x.transpose(1, 2).reshape(B, T, D)), attention


class Mlp(nn.Module):
    """Two layers with a GELU in between, applied to each token on its own (section 1.3.1, feed-forward network)."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.fc1 = nn.Linear(config.embed_dim, config.mlp_dim)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(config.mlp_dim, config.embed_dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        return self.fc2(self.act(self.fc1(x)))


class BlockTrace(NamedTuple):
    """What one block computed on the way."""

    attention: Tensor  # (B, H, T, T): row = query token, column = key token; each row sums to 1
    attention_update: Tensor  # (B, T, D): what attention adds to the residual stream
    mlp_update: Tensor  # (B, T, D): what the MLP adds to it


class Block(nn.Module):
    """One encoder block: normalize, attend, add; normalize, MLP, add (pre-norm, section 1.3.1)."""

    def __init__(self, config: ModelConfig, drop_path: float, generator: torch.Generator):
        super().__init__()
        self.norm1 = nn.LayerNorm(config.embed_dim, eps=1e-6)
        self.attn = Attention(config, generator)
        self.norm2 = nn.LayerNorm(config.embed_dim, eps=1e-6)
        self.mlp = Mlp(config)
        self.drop = Dropout(config.dropout, generator)
        self.drop_path = DropPath(drop_path, generator)

    def forward(
        self, x: Tensor, edit: Callable[[Tensor], Tensor] | None = None
    ) -> tuple[Tensor, BlockTrace]:
        """(B, T, D) -> (B, T, D) and what was computed on the way."""
        attended, attention = self.attn(self.norm1(x), edit)
        attention_update = self.drop_path(self.drop(attended))
        x = x + attention_update
        mlp_update = self.drop_path(self.drop(self.mlp(self.norm2(x))))
        x = x + mlp_update
        return x, BlockTrace(attention, attention_update, mlp_update)


@dataclass
class Trace:
    """What a model computed on its way from images to logits: one tensor for each layer."""

    tokens: list[Tensor]  # depth + 1 of (B, T, D): after the embedding, then after each block
    attention: list[Tensor] = field(
        default_factory=list
    )  # (B, H, T, T): row = query token; sums to 1
    attention_updates: list[Tensor] = field(default_factory=list)  # (B, T, D): added by attention
    mlp_updates: list[Tensor] = field(default_factory=list)  # (B, T, D): added by the MLP


class VisionTransformer(nn.Module):
    """Patches and CLS through encoder blocks to class logits (section 1.4.1; Dosovitskiy et al. 2021).

    Args:
        config: the shape.
        seed: of the initial weights and of dropout; without one, both come from torch's own generator.
    """

    def __init__(self, config: ModelConfig, seed: int | None = None):
        super().__init__()
        self.config = config
        self.generator = torch.Generator().manual_seed(
            torch.initial_seed() if seed is None else seed
        )
        self.patch_embed = ConvStem(config) if config.stem == "conv" else PatchEmbed(config)
        self.cls_token = (
            nn.Parameter(torch.zeros(1, 1, config.embed_dim)) if config.has_cls else None
        )
        self.pos_embed = nn.Parameter(torch.zeros(1, config.num_tokens, config.embed_dim))
        self.blocks = nn.ModuleList(
            Block(config, rate, self.generator) for rate in drop_path_rates(config)
        )
        self.norm = nn.LayerNorm(config.embed_dim, eps=1e-6)
        self.pool = nn.Linear(config.embed_dim, 1) if config.pooling == "attention" else None
        self.head = nn.Linear(config.embed_dim, config.num_classes)
        self.init_weights(None if seed is None else torch.Generator().manual_seed(seed))

    @torch.no_grad()
    def init_weights(self, generator: torch.Generator | None) -> None:
        """Draw the initial weights: layers from torch's own distribution, CLS and positions from a normal one."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                bound = module.weight[0].numel() ** -0.5  # 1 / sqrt(inputs)
                module.weight.uniform_(-bound, bound, generator=generator)
                if module.bias is not None:
                    module.bias.uniform_(-bound, bound, generator=generator)
        for tokens in [self.cls_token, self.pos_embed] if self.config.has_cls else [self.pos_embed]:
            tokens.normal_(std=self.config.token_init_std, generator=generator)

    def embed(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, T, D): patch tokens with CLS before them, positions added."""
        c = self.config
        if images.shape[1:] != (c.in_channels, c.image_size, c.image_size):
            raise ConfigError(
                f"The model takes images of shape (B, {c.in_channels}, {c.image_size}, {c.image_size}), "
                f"not {tuple(images.shape)}."
            )
        x = self.patch_embed(images) + self.pos_embed[:, c.has_cls :]  # (B, N, D)
        if self.training and c.patch_drop:
            x = self.drop_patches(x)
        if c.has_cls:
            cls = self.cls_token + self.pos_embed[:, :1]
            x = torch.cat([cls.expand(len(x), -1, -1).to(x.dtype), x], dim=1)
        return x

    def drop_patches(self, x: Tensor) -> Tensor:
        """(B, N, D) -> (B, kept, D): keep a random set of patches of each image, so that a step has fewer tokens."""
        B, N, D = x.shape
        kept = max(1, round(N * (1 - self.config.patch_drop)))
        chosen = torch.rand(B, N, generator=self.generator).topk(kept).indices  # (B, kept)
        return x.gather(1, chosen[:, :, None].expand(-1, -1, D))

    def classify(self, x: Tensor) -> Tensor:
        """(B, T, D) after the last block -> (B, num_classes): normalized, pooled to one token, through the head."""
        x = self.norm(x)
        if self.config.pooling == "cls":
            x = x[:, 0]
        elif self.config.pooling == "mean":
            x = x.mean(dim=1)
        else:  # a linear layer gives each token its weight (Hassani et al. 2021, section 3.2)
            x = (self.pool(x).softmax(dim=1) * x).sum(dim=1)
        return self.head(x)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) normalized floats -> logits (B, num_classes). Unlike `trace`, keep nothing on the way.

        Raises:
            ConfigError: the images are not of the configured shape.
        """
        x = self.embed(images)
        for block in self.blocks:
            x, _ = block(x)
        return self.classify(x)

    def trace(self, images: Tensor, edit: Edit | None = None) -> tuple[Tensor, Trace]:
        """Return the logits of `forward` and everything on the way to them; `edit` may change each layer's attention."""
        x = self.embed(images)
        trace = Trace(tokens=[x])
        for layer, block in enumerate(self.blocks):
            x, found = block(x, partial(edit, layer) if edit else None)
            trace.tokens.append(x)
            trace.attention.append(found.attention)
            trace.attention_updates.append(found.attention_update)
            trace.mlp_updates.append(found.mlp_update)
        return self.classify(x), trace


class Dropout(nn.Module):
    """Zero each number with probability p in training and scale the others by 1 / (1 - p).

    `nn.Dropout` draws from one generator for the whole process, so two runs side by side would change each other's
    numbers. This one draws from the model's own.
    """

    def __init__(self, p: float, generator: torch.Generator):
        super().__init__()
        self.p = p
        self.generator = generator

    def forward(self, x: Tensor) -> Tensor:
        """Same shape in and out."""
        if not self.training or self.p == 0:
            return x
        keep = torch.empty_like(x).bernoulli_(1 - self.p, generator=self.generator)
        return x * keep / (1 - self.p)


class DropPath(Dropout):
    """Zero a whole update for each image with probability p in training (stochastic depth, Huang et al. 2016)."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        return x * super().forward(torch.ones_like(x[:, :1, :1]))


def drop_path_rates(config: ModelConfig) -> list[float]:
    """Return the rate of stochastic depth of each block: from 0 in the first, linearly up to `drop_path` in the last."""
    rates = torch.linspace(0, config.drop_path, config.depth)
    rates[-1] = config.drop_path  # a single block is the last one
    return rates.tolist()


def copy_of(model: VisionTransformer) -> VisionTransformer:
    """Return a model with the same weights, in memory of their own."""
    copy = VisionTransformer(model.config, seed=0)
    copy.load_state_dict(model.state_dict())
    return copy
