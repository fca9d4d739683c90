"""What a model costs, worked out from its configuration alone: parameters, operations and memory. No torch here."""

from itertools import pairwise

from .config import ConfigError, ModelConfig

MEMORY_LIMIT = 4 * 2**30  # bytes that the activations of one training step may take


def parameters(config: ModelConfig) -> dict[str, int]:
    """Parameters of each part; their sum is the model's (annotation, section 1.4.3)."""
    D, M = config.embed_dim, config.mlp_dim
    attention = (D * 3 * D + 3 * D) + (D * D + D)  # qkv, proj
    mlp = (D * M + M) + (M * D + D)
    if config.stem == "conv":
        stages = pairwise([config.in_channels, *config.stem_widths])
        embedding = sum(
            9 * a * b + 2 * b for a, b in stages
        )  # a 3x3 convolution and its batch norm
        embedding += config.stem_widths[-1] * D + D
    else:
        embedding = config.in_channels * config.patch_size**2 * D + D
    parts = {
        "patch embedding": embedding,
        "CLS token": D * config.has_cls,
        "position embedding": config.num_tokens * D,
        "encoder blocks": config.depth
        * (attention + mlp + 2 * 2 * D),  # two LayerNorms of weight and bias
        "final norm": 2 * D,
        "pooling": (D + 1) * (config.pooling == "attention"),
        "head": D * config.num_classes + config.num_classes,
    }
    return {part: count for part, count in parts.items() if count}


def macs(config: ModelConfig) -> dict[str, int]:
    """Multiply-adds of each part for one image through the model once (products of matrices alone)."""
    D, T = config.embed_dim, config.num_tokens
    if config.stem == "conv":
        stages = enumerate(pairwise([config.in_channels, *config.stem_widths]))
        embedding = sum((config.image_size >> stage) ** 2 * 9 * a * b for stage, (a, b) in stages)
        embedding += config.num_patches * config.stem_widths[-1] * D
    else:
        embedding = config.num_patches * config.in_channels * config.patch_size**2 * D
    parts = {
        "patch embedding": embedding,
        "projections": config.depth * T * 4 * D * D,  # Q, K, V and the one after the heads
        "attention": config.depth * 2 * T * T * D,  # QK^T and the weighted sum of V: quadratic in T
        "MLPs": config.depth * T * 2 * D * config.mlp_dim,
        "pooling": T * D * (config.pooling == "attention"),
        "head": D * config.num_classes,
    }
    return {part: count for part, count in parts.items() if count}


def activation_bytes(config: ModelConfig, batch_size: int) -> int:
    """Bytes that one training step keeps for its way back, in 32-bit floats."""
    # Of width D: two norms in and out, q, k, v, heads joined. Of the MLP's width: GELU in and out.
    per_token = 8 * config.embed_dim + 2 * config.mlp_dim
    # The attention; with dropout also what is kept of it, and what is left.
    maps = config.num_heads * config.num_tokens * (3 if config.attention_dropout else 1)
    dropped = 2 * 2 * config.embed_dim if config.dropout else 0
    blocks = config.depth * config.num_tokens * (per_token + maps + dropped)
    stem = 0
    if (
        config.stem == "conv"
    ):  # of each stage: the convolution's result; a quarter each pooled and after ReLU; half for
        # the pool's indices, a quarter of 64 bits each
        stem = sum(
            2 * (config.image_size >> stage) ** 2 * width
            for stage, width in enumerate(config.stem_widths)
        )
    return 4 * batch_size * (blocks + stem)


def check_memory(config: ModelConfig, batch_size: int) -> None:
    """Refuse a step that would take the machine down.

    Raises:
        ConfigError: the activations need more than MEMORY_LIMIT.
    """
    needed = activation_bytes(config, batch_size)
    if needed > MEMORY_LIMIT:
        fitting = int(batch_size * MEMORY_LIMIT / needed)
        what = (
            f"use a batch size of at most {fitting}"
            if fitting
            else "use a larger patch size or a smaller model"
        )
        raise ConfigError(
            f"One training step of {batch_size} images would need {needed / 2**30:.1f} GiB of memory, and "
            f"{MEMORY_LIMIT / 2**30:.0f} GiB are allowed: {what}."
        )
