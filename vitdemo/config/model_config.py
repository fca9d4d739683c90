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
        "Side length of a patch in pixels; it must divide the image size. Halving it gives four "
        "times as many patches and about sixteen times as many attention weights.",
        (1, 256),
    )
    in_channels: int = setting(3, "Channels of an image: 3 for red, green and blue.", (1, 16))
    num_classes: int = setting(10, "Number of classes.", (2, 1000))
    embed_dim: int = setting(
        64,
        "Size of each token's vector (embedding dimension D). The parameters of a block, and the "
        "compute of its linear layers, grow with D². The compute of the attention scores and the "
        "weighted sums of the values grows with D.",
        (8, 1024),
    )
    depth: int = setting(
        7,
        "Number of encoder blocks (layers). In each block, every token attends to all tokens once. "
        "Parameters, compute and memory grow linearly with depth.",
        (1, 24),
    )
    num_heads: int = setting(
        8,
        "Number of attention heads per block; it must divide the embedding dimension D. Each head "
        "makes its own queries, keys and values, of size D / heads, from the whole token, so it "
        "can learn to attend to something else than the other heads. The number of parameters "
        "stays the same.",
        (1, 64),
    )
    mlp_ratio: float = setting(
        4.0,
        "Width of the hidden layer in each block's MLP, as a multiple of the embedding dimension.",
        (0.25, 16.0),
    )
    stem: str = setting(
        "patch",
        "How the image becomes tokens. Patches: each patch is flattened and projected linearly. "
        "Convolutions: 3 × 3 convolutions extract edges and textures first and also cover pixels "
        "around the patch, so the model learns more from few images.",
        choices=("patch", "conv"),
    )
    pooling: str = setting(
        "cls",
        "What the class is predicted from after the last block. CLS: an extra token, which gathers "
        "information from the patches. Mean: the mean of all patch tokens. Attention: a weighted "
        "mean of them, with weights that a learned layer computes from the tokens.",
        choices=("cls", "mean", "attention"),
    )
    dropout: float = setting(
        0.0,
        "Fraction of the outputs of attention and MLP that are set to 0 at random in training, so "
        "that the model cannot rely on any single one.",
        (0.0, 0.9),
    )
    attention_dropout: float = setting(
        0.0,
        "Fraction of the attention weights that are set to 0 at random in training. The paper's "
        "code uses 0.1.",
        (0.0, 0.9),
    )
    drop_path: float = setting(
        0.0,
        "Stochastic depth. In training, the attention and the MLP of the last block are each "
        "skipped for this fraction of the images. Earlier blocks are skipped less often, the first "
        "one never. The model cannot rely on every block.",
        (0.0, 0.9),
    )
    patch_drop: float = setting(
        0.0,
        "PatchDropout. In training, this fraction of the patches is hidden, a different set for "
        "each image. The model must recognize the image from those that are left. Training steps "
        "are also faster.",
        (0.0, 0.9),
    )
    attention_scale: str = setting(
        "head_dim",
        "What the attention scores are divided by before the softmax. The formula has √d_k, the "
        "square root of the head dimension. The paper's code has √D, that of the embedding "
        "dimension, which makes attention more uniform.",
        choices=("head_dim", "embed_dim"),
    )
    token_init_std: float = setting(
        0.02,
        "Standard deviation of the initial position embeddings and of the initial CLS token. 0.02 "
        "is the usual value. At 1, as in the paper's code, they outweigh the patch embeddings at "
        "first.",
        (0.0, 2.0),
    )

    def __post_init__(self):
        """Check each field, then how the fields fit together."""
        check_each(self)
        problems = (_stem_problem(self), _patch_problem(self), _head_problem(self))
        if any(problems):
            raise ConfigError(" ".join(problem for problem in problems if problem))

    @property
    def grid_size(self) -> int:
        """Patches per side of the image, H / P."""
        return self.image_size // self.patch_size

    @property
    def num_patches(self) -> int:
        """Number of patches N = HW / P² (the paper, section 1.4.1)."""
        return self.grid_size**2

    @property
    def has_cls(self) -> bool:
        """Whether there is a CLS token: only if the class is read from it."""
        return self.pooling == "cls"

    @property
    def num_tokens(self) -> int:
        """Number of tokens T: the patches, and CLS if there is one."""
        return self.num_patches + 1 if self.has_cls else self.num_patches

    @property
    def stem_widths(self) -> list[int]:
        """Channels after each stage of a conv stem. Each stage halves the side of the image."""
        stages = self.patch_size.bit_length() - 1  # log2, as patch_size is a power of 2
        return [STEM_WIDTH * 2**stage for stage in range(stages)]

    @property
    def head_dim(self) -> int:
        """Numbers per head d_k = D / h (the paper, section 1.3.3)."""
        return self.embed_dim // self.num_heads

    @property
    def mlp_dim(self) -> int:
        """Hidden units of each block's MLP."""
        return int(self.embed_dim * self.mlp_ratio)

    def head_choices(self) -> list[int]:
        """Return every number of heads that divides the embedding dimension, within the limits."""
        most = settings_of(ModelConfig)["num_heads"].limits[1]
        return [heads for heads in divisors(self.embed_dim) if heads <= most]


def _stem_problem(config: ModelConfig) -> str:
    """Return why the patch size does not fit a conv stem, or an empty string if it does."""
    fitting = [size for size in STEM_PATCH_SIZES if size < config.image_size]
    if config.stem != "conv" or config.patch_size in fitting:
        return ""
    return (
        f"patch_size {config.patch_size} does not fit a conv stem, which halves the image in every "
        f"stage and must leave more than one token. Use {one_of(fitting)}."
    )


def _patch_problem(config: ModelConfig) -> str:
    """Return why the patch size does not fit the image, or an empty string if it does."""
    if config.image_size % config.patch_size == 0:
        return ""
    wrong = "is larger than" if config.patch_size > config.image_size else "does not divide"
    return (
        f"patch_size {config.patch_size} {wrong} image_size {config.image_size}. "
        f"Use {one_of(divisors(config.image_size))}."
    )


def _head_problem(config: ModelConfig) -> str:
    """Return why the heads do not fit the embedding dimension, or an empty string if they do."""
    if config.embed_dim % config.num_heads == 0:
        return ""
    below = config.embed_dim // config.num_heads * config.num_heads
    low, high = settings_of(ModelConfig)["embed_dim"].limits
    widths = [width for width in (below, below + config.num_heads) if low <= width <= high]
    return (
        f"num_heads {config.num_heads} does not divide embed_dim {config.embed_dim}. "
        f"Use {one_of(config.head_choices())} heads, or embed_dim {one_of(widths)}."
    )
