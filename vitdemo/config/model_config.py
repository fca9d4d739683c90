"""`ModelConfig`: the shape of a Vision Transformer."""

from dataclasses import dataclass

from .settings import ConfigError, check_each, divisors, one_of, setting, settings_of

STEM_WIDTH = 64  # channels after the first convolution of a conv stem
STEM_PATCH_SIZES = (2, 4, 8, 16)  # a conv stem halves the image in every stage


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a Vision Transformer (the paper, sections 1.4.1 and 1.4.3).

    Raises:
        ConfigError: a value is out of its limits, or two values do not fit together.
    """

    image_size: int = setting(32, "Height and width of the images in pixels.", (4, 256))
    patch_size: int = setting(
        4,
        "Side length of a patch in pixels; it must divide the image size. Half the patch size gives four times as "
        "many tokens and sixteen times as many attention weights.",
        (1, 256),
    )
    in_channels: int = setting(3, "Channels of an image: 3 for red, green and blue.", (1, 16))
    num_classes: int = setting(10, "Number of classes.", (2, 1000))
    embed_dim: int = setting(
        64,
        "Numbers in one token (embedding dimension, D). The parameters of each block grow with its square, and so "
        "does most of the compute.",
        (8, 1024),
    )
    depth: int = setting(
        7,
        "Number of encoder blocks. In each block every token attends to all tokens once more. Parameters, compute "
        "and memory grow linearly with depth.",
        (1, 24),
    )
    num_heads: int = setting(
        8,
        "Attention heads in each block; must divide the embedding dimension. Each head makes its own short queries, "
        "keys and values, of embed_dim / num_heads numbers, from the whole token, so each can learn to attend to "
        "something else. The number of parameters stays the same.",
        (1, 64),
    )
    mlp_ratio: float = setting(
        4.0,
        "Size of the hidden layer in each block's MLP, as a multiple of the embedding dimension.",
        (0.25, 16.0),
    )
    stem: str = setting(
        "patch",
        "How tokens are made. Patches: each patch is flattened and projected by one matrix. Convolutions: stages of "
        "3 × 3 convolutions look beyond the patch and find edges and textures first, so the model learns more from "
        "few images.",
        choices=("patch", "conv"),
    )
    pooling: str = setting(
        "cls",
        "What the class is read from after the last block. CLS: an extra token that gathers what it needs from the "
        "patches. Mean or attention: the mean of all patch tokens, plain or with learned weights.",
        choices=("cls", "mean", "attention"),
    )
    dropout: float = setting(
        0.0,
        "During training, this fraction of what attention and MLP add to the tokens is set to 0, so that nothing "
        "relies on a single number.",
        (0.0, 0.9),
    )
    attention_dropout: float = setting(
        0.0,
        "During training, this fraction of the attention weights is set to 0. The paper's code has 0.1 by default.",
        (0.0, 0.9),
    )
    drop_path: float = setting(
        0.0,
        "Stochastic depth. During training, the attention and the MLP of the last block are each skipped for this "
        "fraction of the images, those of earlier blocks for fewer, down to none in the first. No block can rely on "
        "all others being there.",
        (0.0, 0.9),
    )
    patch_drop: float = setting(
        0.0,
        "PatchDropout. During training, this fraction of the patches is hidden, a different set for each image; the "
        "model must recognize the image from those that are left. Steps are faster, too.",
        (0.0, 0.9),
    )
    attention_scale: str = setting(
        "head_dim",
        "Attention scores are divided by a square root before the softmax. The formula takes the head dimension d_k; "
        "the paper's code takes the whole embedding dimension, which makes attention more uniform.",
        choices=("head_dim", "embed_dim"),
    )
    token_init_std: float = setting(
        0.02,
        "Standard deviation of the initial position embeddings and of the initial CLS token. At 1, as in the paper's "
        "code, they outweigh the patches at first; 0.02 is the usual value.",
        (0.0, 2.0),
    )

    def __post_init__(self):
        """Check every field, then how they fit together."""
        check_each(self)
        problems = [problem for problem in (_stem(self), _patches(self), _heads(self)) if problem]
        if problems:
            raise ConfigError(" ".join(problems))

    @property
    def grid_size(self) -> int:
        """Patches per side of the image: H / P."""
        return self.image_size // self.patch_size

    @property
    def num_patches(self) -> int:
        """N = HW / P² (the paper, section 1.4.1)."""
        return self.grid_size**2

    @property
    def has_cls(self) -> bool:
        """Whether a CLS token comes before the patches: only where the class is read from it."""
        return self.pooling == "cls"

    @property
    def num_tokens(self) -> int:
        """T: the patches, and CLS where there is one."""
        return self.num_patches + 1 if self.has_cls else self.num_patches

    @property
    def stem_widths(self) -> list[int]:
        """Channels after each stage of a conv stem: every stage halves the side and doubles the channels."""
        stages = self.patch_size.bit_length() - 1  # log2, as patch_size is a power of 2
        return [STEM_WIDTH * 2**stage for stage in range(stages)]

    @property
    def head_dim(self) -> int:
        """d_k = D / h (the paper, section 1.3.3)."""
        return self.embed_dim // self.num_heads

    @property
    def mlp_dim(self) -> int:
        """Hidden units of each block's MLP."""
        return int(self.embed_dim * self.mlp_ratio)

    def head_choices(self) -> list[int]:
        """Return every number of heads that divides the embedding dimension, within the limits."""
        most = settings_of(ModelConfig)["num_heads"].limits[1]
        return [heads for heads in divisors(self.embed_dim) if heads <= most]


def _stem(config: ModelConfig) -> str:
    """Say why a conv stem does not fit; empty where it does."""
    fitting = [size for size in STEM_PATCH_SIZES if size < config.image_size]
    if config.stem != "conv" or config.patch_size in fitting:
        return ""
    return (
        "A conv stem halves the image in every stage and leaves more than one token, so patch_size "
        f"{config.patch_size} does not fit. Use {one_of(fitting)}."
    )


def _patches(config: ModelConfig) -> str:
    """Say why the patch size does not fit; empty where it does."""
    if config.image_size % config.patch_size == 0:
        return ""
    wrong = "is larger than" if config.patch_size > config.image_size else "does not divide"
    return (
        f"patch_size {config.patch_size} {wrong} the image of {config.image_size} × {config.image_size} pixels. "
        f"Use {one_of(divisors(config.image_size))}."
    )


def _heads(config: ModelConfig) -> str:
    """Say why the number of heads does not fit; empty where it does."""
    if config.embed_dim % config.num_heads == 0:
        return ""
    below = config.embed_dim // config.num_heads * config.num_heads
    low, high = settings_of(ModelConfig)["embed_dim"].limits
    widths = [width for width in (below, below + config.num_heads) if low <= width <= high]
    return (
        f"num_heads {config.num_heads} does not divide embed_dim {config.embed_dim}. "
        f"Use {one_of(config.head_choices())} heads, or embed_dim {one_of(widths)}."
    )
