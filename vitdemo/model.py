"""The Vision Transformer of the annotation, in one file that reads from top to bottom.

Names are timm's, so a state_dict loads there. Shapes: B images, C channels, T tokens (CLS and the patches), D numbers
in a token (embed_dim), H heads.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .config import ConfigError, ModelConfig

# What to use in place of the attention (B, H, T, T) of a layer, counted from 0: an intervention.
Edit = Callable[[int, Tensor], Tensor]


@dataclass(frozen=True)
class Trace:
    """What a model computed on its way from images to logits."""

    tokens: list[Tensor] = field(default_factory=list)  # depth + 1 of (B, T, D): the embedding, then after each block
    attention: list[Tensor] = field(default_factory=list)  # depth of (B, H, T, T): row = asking token; sums to 1


class Dropout(nn.Module):
    """Zero each number with probability p in training and scale the rest by 1 / (1 - p).

    `nn.Dropout` draws from one generator for the whole process, so two trainings side by side would change each other's
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
    """Zero a whole half of a block for each image with probability p in training (stochastic depth, Huang et al. 2016)."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        return x * super().forward(torch.ones_like(x[:, :1, :1]))


class PatchEmbed(nn.Module):
    """Cut the image into patches and project each to a token (section 1.4.1).

    A convolution whose stride is its kernel size is that linear projection of the flattened patches.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.proj = nn.Conv2d(config.in_channels, config.embed_dim, config.patch_size, stride=config.patch_size)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, N, D), patches row by row from the top left."""
        return self.proj(images).flatten(2).transpose(1, 2)


class ConvStem(nn.Module):
    """Tokens that have seen their surroundings: stages of a 3x3 convolution, a max-pool, a norm and ReLU.

    The tokenizer of the compact convolutional transformer (Hassani et al. 2021, section 3.3), with batch norm: as many
    stages as make one token of each `patch_size` pixels, each with half the side and twice the channels. The pool comes
    first, so that the norm has a quarter of the numbers to go through.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        widths = [config.in_channels, *config.stem_widths]
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1, bias=False) for a, b in pairwise(widths))
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in config.stem_widths)
        self.proj = nn.Conv2d(widths[-1], config.embed_dim, 1)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, N, D), tokens row by row from the top left."""
        x = images.contiguous(memory_format=torch.channels_last)  # convolutions are quicker with channels innermost
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = norm(F.max_pool2d(conv(x), 2)).relu()  # half the side
        return self.proj(x).flatten(2).transpose(1, 2)


class Attention(nn.Module):
    """Multi-head self-attention: softmax(QK^T / sqrt(d_k)) V in each head (section 1.3.3)."""

    def __init__(self, config: ModelConfig, generator: torch.Generator):
        super().__init__()
        self.num_heads = config.num_heads
        self.scale = getattr(config, config.attention_scale) ** -0.5  # of head_dim, or of embed_dim as in the listing
        self.qkv = nn.Linear(config.embed_dim, 3 * config.embed_dim)
        self.attn_drop = Dropout(config.attention_dropout, generator)
        self.proj = nn.Linear(config.embed_dim, config.embed_dim)

    def forward(self, x: Tensor, edit: Callable[[Tensor], Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """(B, T, D) -> (B, T, D) and the attention (B, H, T, T) that produced it, edited if asked for."""
        B, T, D = x.shape
        q, k, v = self.qkv(x).reshape(B, T, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)  # each (B, H, T, d_k)
        attention = (q * self.scale @ k.transpose(-2, -1)).softmax(dim=-1)  # (B, H, T, T)
        if edit:
            attention = edit(attention)
        x = self.attn_drop(attention) @ v  # (B, H, T, d_k)
        return self.proj(x.transpose(1, 2).reshape(B, T, D)), attention


class Mlp(nn.Module):
    """Two layers with a GELU between, for each token alone (section 1.3.1, feed-forward network)."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.fc1 = nn.Linear(config.embed_dim, config.mlp_dim)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(config.mlp_dim, config.embed_dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        return self.fc2(self.act(self.fc1(x)))


class Block(nn.Module):
    """One encoder block: normalise, attend, add; normalise, MLP, add (pre-norm, section 1.3.1)."""

    def __init__(self, config: ModelConfig, drop_path: float, generator: torch.Generator):
        super().__init__()
        self.norm1 = nn.LayerNorm(config.embed_dim, eps=1e-6)
        self.attn = Attention(config, generator)
        self.norm2 = nn.LayerNorm(config.embed_dim, eps=1e-6)
        self.mlp = Mlp(config)
        self.drop = Dropout(config.dropout, generator)
        self.drop_path = DropPath(drop_path, generator)

    def forward(self, x: Tensor, edit: Callable[[Tensor], Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """(B, T, D) -> (B, T, D) and the block's attention (B, H, T, T)."""
        attended, attention = self.attn(self.norm1(x), edit)
        x = x + self.drop_path(self.drop(attended))
        x = x + self.drop_path(self.drop(self.mlp(self.norm2(x))))
        return x, attention


class VisionTransformer(nn.Module):
    """Patches and CLS through encoder blocks to class logits (section 1.4.1; Dosovitskiy et al. 2021).

    Args:
        config: the shape.
        seed: of the first weights and of dropout; without one, weights come from torch's own generator.
    """

    def __init__(self, config: ModelConfig, seed: int | None = None):
        super().__init__()
        self.config = config
        self.generator = torch.Generator().manual_seed(torch.initial_seed() % 2**63 if seed is None else seed)
        self.patch_embed = {"patch": PatchEmbed, "conv": ConvStem}[config.stem](config)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.embed_dim)) if config.has_cls else None
        self.pos_embed = nn.Parameter(torch.zeros(1, config.num_tokens, config.embed_dim))
        drop_path = torch.linspace(0, config.drop_path, max(2, config.depth)).tolist()  # the deeper, the more often
        self.blocks = nn.ModuleList(Block(config, rate, self.generator) for rate in drop_path[-config.depth :])
        self.norm = nn.LayerNorm(config.embed_dim, eps=1e-6)
        self.pool = nn.Linear(config.embed_dim, 1) if config.pooling == "attention" else None
        self.head = nn.Linear(config.embed_dim, config.num_classes)
        self.init_weights(None if seed is None else torch.Generator().manual_seed(seed))

    @torch.no_grad()
    def init_weights(self, generator: torch.Generator | None) -> None:
        """Draw the first weights: torch's own distribution for layers, a normal one for CLS and positions."""
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
                f"the model takes images of shape (B, {c.in_channels}, {c.image_size}, {c.image_size}), "
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
        """(B, N, D) -> (B, kept, D): other patches of each image at random, so a step has fewer tokens to compute."""
        B, N, D = x.shape
        kept = max(1, round(N * (1 - self.config.patch_drop)))
        chosen = torch.rand(B, N, generator=self.generator).topk(kept).indices  # (B, kept)
        return x.gather(1, chosen[:, :, None].expand(-1, -1, D))

    def classify(self, x: Tensor) -> Tensor:
        """(B, T, D) after the last block -> (B, num_classes): normalised, made one token, through the head."""
        x = self.norm(x)
        if self.config.pooling == "cls":
            x = x[:, 0]
        elif self.config.pooling == "mean":
            x = x.mean(dim=1)
        else:  # each token is weighted by what a linear layer makes of it (Hassani et al. 2021, section 3.2)
            x = (self.pool(x).softmax(dim=1) * x).sum(dim=1)
        return self.head(x)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) normalised floats -> logits (B, num_classes).

        Raises:
            ConfigError: the images are not of the configured shape.
        """
        x = self.embed(images)
        for block in self.blocks:
            x, _ = block(x)
        return self.classify(x)

    def trace(self, images: Tensor, edit: Edit | None = None) -> tuple[Tensor, Trace]:
        """The logits of `forward` and everything on the way to them, with each layer's attention edited if asked for."""
        x = self.embed(images)
        trace = Trace(tokens=[x])
        for layer, block in enumerate(self.blocks):
            x, attention = block(x, partial(edit, layer) if edit else None)
            trace.tokens.append(x)
            trace.attention.append(attention)
        return self.classify(x), trace
