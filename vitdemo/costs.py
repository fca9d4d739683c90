"""Parameters, MACs and memory of a model, computed from its configuration. No torch here."""

from itertools import pairwise

from .config import ConfigError, ModelConfig

MEMORY_LIMIT = 4 * 2**30  # bytes that the activations of one training step may take


def parameters(config: ModelConfig) -> dict[str, int]:
    """Return the number of parameters of each part (the paper, section 1.4.3)."""
    D, M = config.embed_dim, config.mlp_dim
    attention = (D * 3 * D + 3 * D) + (D * D + D)  # qkv, proj
    mlp = (D * M + M) + (M * D + D)
    norm = 2 * D  # weight and bias
    if config.stem == "conv":
        widths = pairwise([config.in_channels, *config.stem_widths])
        embedding = sum(9 * a * b + 2 * b for a, b in widths)  # 3x3 convolution, batch norm
        embedding += config.stem_widths[-1] * D + D
    else:
        embedding = config.in_channels * config.patch_size**2 * D + D
    parts = {"patch embedding": embedding}
    if config.has_cls:
        parts["CLS token"] = D
    parts["position embedding"] = config.num_tokens * D
    parts["encoder blocks"] = config.depth * (attention + mlp + 2 * norm)
    parts["final norm"] = norm
    if config.pooling == "attention":
        parts["pooling"] = D + 1
    parts["head"] = D * config.num_classes + config.num_classes
    return parts


def macs(config: ModelConfig) -> dict[str, int]:
    """Return the MACs (multiply-accumulates) of each part for one forward pass of one image.

    Only matrix multiplications and convolutions count. FLOPs are twice as many.
    """
    D, T = config.embed_dim, config.num_tokens
    if config.stem == "conv":
        widths = pairwise([config.in_channels, *config.stem_widths])
        sides = [config.image_size // 2**stage for stage in range(len(config.stem_widths))]
        embedding = sum(S**2 * 9 * a * b for S, (a, b) in zip(sides, widths, strict=True))
        embedding += config.num_patches * config.stem_widths[-1] * D
    else:
        embedding = config.num_patches * config.in_channels * config.patch_size**2 * D
    parts = {
        "patch embedding": embedding,
        "projections": config.depth * T * 4 * D * D,  # queries, keys, values, and after the heads
        "attention": config.depth * 2 * T * T * D,  # QK^T and the weighted sum of V: T squared
        "MLPs": config.depth * T * 2 * D * config.mlp_dim,
    }
    if config.pooling == "attention":
        parts["pooling"] = T * D
    parts["head"] = D * config.num_classes
    return parts


def activation_bytes(config: ModelConfig, batch_size: int) -> int:
    """Return the bytes that one training step keeps for its backward pass, in float32."""
    # Of size D: input and output of two norms, q, k, v, joined heads; of the MLP: GELU in and out.
    per_token = 8 * config.embed_dim + 2 * config.mlp_dim
    if config.dropout:
        per_token += 2 * 2 * config.embed_dim  # twice: the mask and the result
    if config.attention_dropout:
        per_token += 3 * config.num_heads * config.num_tokens  # attention, mask and result
    else:
        per_token += config.num_heads * config.num_tokens
    numbers = config.depth * config.num_tokens * per_token
    if config.stem == "conv":
        # Each stage keeps its convolution's output, and as much again after pooling: 1/4 each for
        # the pooled numbers and ReLU, and 1/2 for the pooling's 64-bit indices.
        for stage, width in enumerate(config.stem_widths):
            numbers += 2 * (config.image_size // 2**stage) ** 2 * width
    return 4 * batch_size * numbers


def held_bytes(config: ModelConfig, batch_size: int) -> int:
    """Return the bytes that a training holds between two steps, in float32, without the images.

    The weights, their moving average, a gradient for each shard of a batch, two means of AdamW, and
    as much again while it is saved.
    """
    shards = max(2, batch_size // 64)
    return 4 * (2 * 4 + shards) * sum(parameters(config).values())


def run_bytes(config: ModelConfig) -> int:
    """Return the bytes on disk that a run needs at most.

    In 32 bits: the weights; of the state to resume from, the weights, their moving average and two
    means that AdamW keeps; each is there twice while it is replaced. In 16 bits: eight snapshots.
    """
    weights = 4 * sum(parameters(config).values())
    return 2 * (weights + 4 * weights) + 8 * weights // 2 + 2**20  # and the metrics


def check_memory(config: ModelConfig, batch_size: int) -> None:
    """Refuse a training step that would use up the machine's memory.

    Raises:
        ConfigError: its activations need more than MEMORY_LIMIT.
    """
    needed = activation_bytes(config, batch_size)
    if needed <= MEMORY_LIMIT:
        return
    fitting = int(batch_size * MEMORY_LIMIT / needed)
    if fitting:
        advice = f"Use a batch size of at most {fitting}."
    else:
        advice = "Use a larger patch size or a smaller model."
    raise ConfigError(
        f"One training step of {batch_size} images would need {needed / 2**30:.1f} GiB of memory, "
        f"and {MEMORY_LIMIT / 2**30:.0f} GiB are allowed. {advice}"
    )
