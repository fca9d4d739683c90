"""The Vision Transformer of the paper, in one file that reads from top to bottom.

An image is cut into patches, each patch becomes a token, encoder blocks let the tokens exchange
information, and a linear layer classifies the result (Dosovitskiy et al. 2021; the encoder is that
of Vaswani et al. 2017 in pre-norm form). Names follow timm, so a state_dict loads there.

Shapes: B images, C channels, N patches, T tokens (the patches, and CLS where the model has one),
D numbers per token (embed_dim), H heads with d_k = D / H numbers each; of images, H and W pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .config import ConfigError, ModelConfig  # elsewhere, so that pages start without torch

# An intervention: layer (from 0), attention (B, H, T, T) -> the attention to use instead.
Edit = Callable[[int, Tensor], Tensor]


class PatchEmbed(nn.Module):
    """Cut images into patches and project each patch to a token (section 1.4.1)."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        size = config.patch_size
        # With stride = kernel size, a convolution is a linear projection of flattened patches.
        self.proj = nn.Conv2d(config.in_channels, config.embed_dim, size, stride=size)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, N, D), patches row by row from the top left."""
        return self.proj(images).flatten(2).transpose(1, 2)


class ConvStem(nn.Module):
    """Convolutional stem: stages that halve the side (Hassani et al. 2021, section 3.3)."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        pairs = pairwise([config.in_channels, *config.stem_widths])
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1, bias=False) for a, b in pairs)
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in config.stem_widths)
        self.proj = nn.Conv2d(config.stem_widths[-1], config.embed_dim, 1)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, N, D), tokens row by row from the top left."""
        x = images.contiguous(memory_format=torch.channels_last)  # the faster layout on CPUs
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = norm(F.max_pool2d(conv(x), 2)).relu()  # after pooling, the norm is 4 times cheaper
        return self.proj(x).flatten(2).transpose(1, 2)


class Attention(nn.Module):
    """Multi-head self-attention: softmax(QK^T / sqrt(d_k)) V in each head (section 1.3.3)."""

    def __init__(self, config: ModelConfig, generator: torch.Generator):
        super().__init__()
        self.num_heads = config.num_heads
        # The formula divides by sqrt(d_k), the paper's code by sqrt(embed_dim).
        width = config.embed_dim if config.attention_scale == "embed_dim" else config.head_dim
        self.scale = width**-0.5
        self.qkv = nn.Linear(config.embed_dim, 3 * config.embed_dim)
        self.attn_drop = Dropout(config.attention_dropout, generator)
        self.proj = nn.Linear(config.embed_dim, config.embed_dim)

    def forward(self, x: Tensor, edit: Callable | None = None) -> tuple[Tensor, Tensor]:
        """(B, T, D) -> (B, T, D) and the attention (B, H, T, T), as changed by `edit` if given."""
        B, T, D = x.shape
        qkv = self.qkv(x).reshape(B, T, 3, self.num_heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (B, H, T, d_k) each
        attention = (q * self.scale @ k.transpose(-2, -1)).softmax(dim=-1)  # (B, H, T, T)
        if edit:
            attention = edit(attention)
        x = self.attn_drop(attention) @ v  # (B, H, T, d_k)
        return self.proj(x.transpose(1, 2).reshape(B, T, D)), attention


class Mlp(nn.Module):
    """Feed-forward network: two linear layers and a GELU, for each token alone (section 1.3.1)."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.fc1 = nn.Linear(config.embed_dim, config.mlp_dim)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(config.mlp_dim, config.embed_dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        return self.fc2(self.act(self.fc1(x)))


class Block(nn.Module):
    """Encoder block: normalize, attend, add; normalize, MLP, add (pre-norm, section 1.3.1)."""

    def __init__(self, config: ModelConfig, drop_path: float, generator: torch.Generator):
        super().__init__()
        self.norm1 = nn.LayerNorm(config.embed_dim, eps=1e-6)
        self.attn = Attention(config, generator)
        self.norm2 = nn.LayerNorm(config.embed_dim, eps=1e-6)
        self.mlp = Mlp(config)
        self.drop = Dropout(config.dropout, generator)
        self.drop_path = DropPath(drop_path, generator)

    def forward(self, x: Tensor, edit: Callable | None = None) -> tuple[Tensor, ...]:
        """(B, T, D) -> (B, T, D), the attention, and what attention and MLP added to `x`."""
        attended, attention = self.attn(self.norm1(x), edit)
        attention_update = self.drop_path(self.drop(attended))
        x = x + attention_update
        mlp_update = self.drop_path(self.drop(self.mlp(self.norm2(x))))
        x = x + mlp_update
        return x, attention, attention_update, mlp_update


@dataclass
class Trace:
    """Everything that a model computes between images and logits."""

    tokens: list[Tensor]  # depth + 1 of (B, T, D): after the embedding, then after each block
    # Per block: attention (B, H, T, T), whose rows are query tokens and sum to 1; updates (B, T, D)
    attention: list[Tensor] = field(default_factory=list)
    attention_updates: list[Tensor] = field(default_factory=list)
    mlp_updates: list[Tensor] = field(default_factory=list)


class VisionTransformer(nn.Module):
    """Patches to tokens, tokens through encoder blocks, pooled token to logits (section 1.4.1).

    `seed` decides the initial weights and dropout; without it, torch's global seed does.
    """

    def __init__(self, config: ModelConfig, seed: int | None = None):
        super().__init__()
        self.config = config
        self.generator = torch.Generator()
        self.generator.manual_seed(torch.initial_seed() if seed is None else seed)
        D = config.embed_dim
        self.patch_embed = ConvStem(config) if config.stem == "conv" else PatchEmbed(config)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, D)) if config.has_cls else None
        self.pos_embed = nn.Parameter(torch.zeros(1, config.num_tokens, D))
        rates = torch.linspace(0, config.drop_path, config.depth, device="cpu")  # grows with depth
        rates[-1] = config.drop_path  # also where the last block is the only one
        self.blocks = nn.ModuleList(Block(config, p, self.generator) for p in rates.tolist())
        self.norm = nn.LayerNorm(D, eps=1e-6)
        self.pool = nn.Linear(D, 1) if config.pooling == "attention" else None
        self.head = nn.Linear(D, config.num_classes)
        self.init_weights(None if seed is None else torch.Generator().manual_seed(seed))
        self.is_new = True  # whether it has its initial weights; `train` and loading end that

    @torch.no_grad()
    def init_weights(self, generator: torch.Generator | None) -> None:
        """Draw layers from torch's default distribution, CLS and positions from a normal one."""
        if self.pos_embed.is_meta:  # shapes without numbers; drawing would load torch's compiler
            return
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                bound = module.weight[0].numel() ** -0.5  # 1 / sqrt(inputs)
                for parameter in module.parameters():  # weight, and bias if there is one
                    parameter.uniform_(-bound, bound, generator=generator)
        for tokens in (self.cls_token, self.pos_embed):
            if tokens is not None:
                tokens.normal_(std=self.config.token_init_std, generator=generator)

    def load_state_dict(self, *args, **options):
        """Load weights as torch does; the model is no longer new."""
        self.is_new = False
        return super().load_state_dict(*args, **options)

    def embed(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, T, D): CLS and the patch tokens, with their positions added."""
        c, given = self.config, tuple(images.shape)
        if given[1:] != (c.in_channels, c.image_size, c.image_size):
            wanted = f"(B, {c.in_channels}, {c.image_size}, {c.image_size})"
            raise ConfigError(f"The model takes images of shape {wanted}, not {given}.")
        x = self.patch_embed(images) + self.pos_embed[:, -c.num_patches :]  # (B, N, D)
        if self.training and c.patch_drop:
            x = self.drop_patches(x)
        if c.has_cls:
            cls = self.cls_token + self.pos_embed[:, :1]
            x = torch.cat([cls.expand(len(x), -1, -1).to(x.dtype), x], dim=1)
        return x

    def drop_patches(self, x: Tensor) -> Tensor:
        """(B, N, D) -> (B, kept, D): keep a random subset of each image's patches."""
        B, N, D = x.shape
        kept = max(1, round(N * (1 - self.config.patch_drop)))
        chosen = torch.rand(B, N, generator=self.generator).topk(kept).indices  # (B, kept)
        return x.gather(1, chosen[:, :, None].expand(-1, -1, D))

    def classify(self, x: Tensor) -> Tensor:
        """(B, T, D) after the last block -> logits (B, num_classes)."""
        x = self.norm(x)
        if self.config.pooling == "cls":
            x = x[:, 0]
        elif self.config.pooling == "mean":
            x = x.mean(dim=1)
        else:  # a weighted mean with learned weights (Hassani et al. 2021, section 3.2)
            x = (self.pool(x).softmax(dim=1) * x).sum(dim=1)
        return self.head(x)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) normalized images -> logits (B, num_classes).

        Raises:
            ConfigError: the images do not have the configured shape.
        """
        x = self.embed(images)
        for block in self.blocks:
            x, *_ = block(x)  # unlike `trace`, forgets the rest: less memory
        return self.classify(x)

    def trace(self, images: Tensor, edit: Edit | None = None) -> tuple[Tensor, Trace]:
        """Return the logits of `forward` and all that leads to them; `edit` changes attention."""
        x = self.embed(images)
        trace = Trace(tokens=[x])
        for layer, block in enumerate(self.blocks):
            x, attention, attn_update, mlp_update = block(x, partial(edit, layer) if edit else None)
            trace.tokens.append(x)
            trace.attention.append(attention)
            trace.attention_updates.append(attn_update)
            trace.mlp_updates.append(mlp_update)
        return self.classify(x), trace


class Dropout(nn.Module):
    """Zero numbers with probability p in training and scale the others by 1 / (1 - p)."""

    def __init__(self, p: float, generator: torch.Generator):
        super().__init__()
        self.p = p
        self.generator = generator

    def forward(self, x: Tensor) -> Tensor:
        """Same shape in and out."""
        if not self.training or self.p == 0:
            return x
        # nn.Dropout's global generator would let runs side by side change each other's numbers.
        keep = torch.empty_like(x).bernoulli_(1 - self.p, generator=self.generator)
        return x * keep / (1 - self.p)


class DropPath(Dropout):
    """Zero a whole update of an image with probability p (stochastic depth, Huang et al. 2016)."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        if not self.training or self.p == 0:
            return x
        return x * super().forward(torch.ones_like(x[:, :1, :1]))


def copy_of(model: VisionTransformer) -> VisionTransformer:
    """Return a model with the same weights, in memory of their own."""
    copy = VisionTransformer(model.config, seed=0)
    copy.load_state_dict(model.state_dict())
    return copy
