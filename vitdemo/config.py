"""What can be set, which settings fit together, and the presets.

Nothing here imports torch: a page reads its limits from this file and must appear at once.
"""

from dataclasses import asdict, dataclass, fields

STEMS = ("patch", "conv")
STEM_WIDTH = 64  # channels after the first convolution of a conv stem
POOLINGS = ("cls", "mean", "attention")
ATTENTION_SCALES = ("head_dim", "embed_dim")
OPTIMIZERS = ("adam", "adamw")
SCHEDULES = ("constant", "cosine")
FIRST_FILTERS = ("random", "whitened")
PRECISIONS = ("auto", "float32", "bfloat16")
AUGMENTATIONS = ("none", "flip", "flip_and_shift")
VALIDATION_SOURCES = ("test", "train")

# Smallest and largest value of each number. The largest keep a run within what a laptop can hold.
LIMITS = {
    "image_size": (4, 256),
    "patch_size": (1, 256),
    "in_channels": (1, 16),
    "num_classes": (2, 1000),
    "embed_dim": (8, 1024),
    "depth": (1, 24),
    "num_heads": (1, 64),
    "mlp_ratio": (0.25, 16.0),
    "dropout": (0.0, 0.9),
    "attention_dropout": (0.0, 0.9),
    "drop_path": (0.0, 0.9),
    "patch_drop": (0.0, 0.9),
    "token_init_std": (0.0, 2.0),
    "epochs": (1, 1000),
    "batch_size": (1, 1024),
    "learning_rate": (1e-7, 10.0),
    "weight_decay": (0.0, 10.0),
    "warmup_epochs": (0.0, 1000.0),
    "jitter": (0.0, 1.0),
    "erasing": (0, 256),
    "mixup": (0.0, 1.0),
    "cutmix": (0.0, 1.0),
    "label_smoothing": (0.0, 0.9),
    "weight_averaging": (0.0, 0.9999),
    "seed": (0, 2**31 - 1),
    "train_images": (1, 50_000),
    "validation_images": (1, 10_000),
}


class ConfigError(ValueError):
    """Input that cannot be used; the message says what is wrong and what would be right."""


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a Vision Transformer (annotation, sections 1.4.1 and 1.4.3).

    Raises:
        ConfigError: a value is out of its limits, or two values do not fit together.
    """

    image_size: int = 32  # pixels; height and width
    patch_size: int = 4  # pixels; must divide image_size
    in_channels: int = 3  # red, green, blue
    num_classes: int = 10
    embed_dim: int = 64  # D, the numbers in one token
    depth: int = 7  # encoder blocks
    num_heads: int = 8  # must divide embed_dim
    mlp_ratio: float = 4.0  # hidden width of the MLP, in units of embed_dim
    stem: str = "patch"  # makes the tokens: "patch" flattens each patch, "conv" has 3x3 convolutions see beyond it
    pooling: str = "cls"  # what the class is read from: the CLS token, or the (attention-weighted) mean of all patches
    dropout: float = 0.0  # on what each half of a block adds to the residual stream
    attention_dropout: float = 0.0  # on the attention weights, in training only
    drop_path: float = 0.0  # share of images for which the last block's halves are skipped; earlier blocks' less
    patch_drop: float = 0.0  # share of patch tokens left out of each training step, others for each image
    attention_scale: str = "head_dim"  # softmax(QK^T / sqrt(...)): the formula has head_dim, the paper's code embed_dim
    token_init_std: float = 0.02  # of CLS token and position embedding at the start; the paper's listing has 1

    def __post_init__(self):
        """Check every field, then how they fit."""
        _check_numbers(self)
        _check_choice("stem", self.stem, STEMS)
        _check_choice("pooling", self.pooling, POOLINGS)
        _check_choice("attention_scale", self.attention_scale, ATTENTION_SCALES)
        problems = []
        if self.stem == "conv" and (self.patch_size not in (2, 4, 8, 16) or self.patch_size == self.image_size):
            problems.append(
                "a conv stem halves the image step by step and leaves more than one token, so patch_size "
                f"{self.patch_size} does not fit: use 2, 4 or 8."
            )
        if self.patch_size > self.image_size or self.image_size % self.patch_size:
            wrong = "is larger than" if self.patch_size > self.image_size else "does not divide"
            problems.append(
                f"patch_size {self.patch_size} {wrong} the image of {self.image_size} x {self.image_size} pixels: "
                f"use {_one_of(divisors(self.image_size))}."
            )
        if self.embed_dim % self.num_heads:
            below = self.embed_dim // self.num_heads * self.num_heads
            low, high = LIMITS["embed_dim"]
            widths = [width for width in (below, below + self.num_heads) if low <= width <= high]
            problems.append(
                f"num_heads {self.num_heads} does not divide embed_dim {self.embed_dim}: "
                f"use {_one_of(self.head_choices())} heads, or embed_dim {_one_of(widths)}."
            )
        if problems:
            raise ConfigError(" ".join(problems))

    @property
    def num_patches(self) -> int:
        """N = HW / P² (annotation, section 1.4.1)."""
        return (self.image_size // self.patch_size) ** 2

    @property
    def has_cls(self) -> bool:
        """Whether a CLS token goes before the patches: only where the class is read from it."""
        return self.pooling == "cls"

    @property
    def num_tokens(self) -> int:
        """T: the patches, and CLS where there is one."""
        return self.num_patches + self.has_cls

    @property
    def stem_widths(self) -> list[int]:
        """Channels after each stage of a conv stem: every stage halves the side and doubles the width."""
        return [STEM_WIDTH << stage for stage in range(self.patch_size.bit_length() - 1)]

    @property
    def head_dim(self) -> int:
        """d_k = D / h (annotation, section 1.3.3)."""
        return self.embed_dim // self.num_heads

    @property
    def mlp_dim(self) -> int:
        """Hidden units of each block's MLP."""
        return int(self.embed_dim * self.mlp_ratio)

    def head_choices(self) -> list[int]:
        """Every number of heads that divides the width, within the limits."""
        return [heads for heads in divisors(self.embed_dim) if heads <= LIMITS["num_heads"][1]]


@dataclass(frozen=True)
class TrainConfig:
    """How a model is trained, and on how many images (annotation, section 1.5).

    `train()` takes the images that it is handed; the three fields on data say what a run loads for it.

    Raises:
        ConfigError: a value is out of its limits.
    """

    epochs: int = 6  # times every training image is seen
    batch_size: int = 128  # images in one step
    learning_rate: float = 1e-3  # the largest; a schedule goes below it
    weight_decay: float = 0.05
    optimizer: str = "adamw"  # adam adds the decay to the gradient (L2), adamw shrinks the weights apart from it
    schedule: str = "constant"  # cosine falls from learning_rate to 0 over the run
    warmup_epochs: float = 0.0  # the learning rate rises from 0 to its largest in this time
    augmentation: str = "none"  # how training images are moved, anew in each epoch
    jitter: float = 0.0  # how far their brightness, contrast and colour may be off; 0.3 is up to 30 %
    erasing: int = 0  # side of a square of each training image that is blanked, in pixels
    mixup: float = 0.0  # share of steps that blend each image (and its label) with another
    cutmix: float = 0.0  # share of steps that paste a rectangle of another image into each, and mix the labels likewise
    label_smoothing: float = 0.0  # share of the target that goes to all classes alike
    weight_averaging: float = 0.0  # of each step's running mean of the weights, the share that is kept; 0 is none
    first_filters: str = "random"  # of the first layer: as torch draws them, or from the training images' own variation
    precision: str = "auto"  # of the products in a training step; auto takes what this machine does faster
    seed: int = 0  # decides the first weights, the order of images, augmentation and dropout
    train_images: int = 600  # the first so many of the training set
    validation_images: int = 200
    validation_from: str = "test"  # the first test images, or "train": the training images after the first train_images

    def __post_init__(self):
        """Check every field."""
        _check_numbers(self)
        _check_choice("optimizer", self.optimizer, OPTIMIZERS)
        _check_choice("schedule", self.schedule, SCHEDULES)
        _check_choice("augmentation", self.augmentation, AUGMENTATIONS)
        _check_choice("first_filters", self.first_filters, FIRST_FILTERS)
        _check_choice("precision", self.precision, PRECISIONS)
        _check_choice("validation_from", self.validation_from, VALIDATION_SOURCES)
        if self.mixup + self.cutmix > 1:
            raise ConfigError(
                f"mixup {self.mixup:g} and cutmix {self.cutmix:g} are shares of the steps and make more than 1 together: "
                f"use at most {1 - self.mixup:g} for cutmix."
            )
        if self.warmup_epochs > self.epochs:
            raise ConfigError(
                f"warmup_epochs {self.warmup_epochs:g} is longer than the training of {self.epochs} epochs: "
                f"use at most {self.epochs}."
            )


def config_from_dict(kind: type, values: dict) -> ModelConfig | TrainConfig:
    """A `ModelConfig` or `TrainConfig` (kind) from the fields in a file or an address.

    Raises:
        ConfigError: a field is unknown or its value cannot be used.
    """
    if not isinstance(values, dict):
        raise ConfigError(f"{kind.__name__} is read from a mapping of fields to values, not from {_shown(values)}.")
    names = [field.name for field in fields(kind)]
    unknown = sorted(set(values) - set(names), key=str)
    if unknown:
        raise ConfigError(f"{kind.__name__} has no field {unknown[0]!r}: use {_one_of(names)}.")
    return kind(**values)


def divisors(number: int) -> list[int]:
    """Every whole number that divides `number`, ascending."""
    return [d for d in range(1, number + 1) if number % d == 0]


def _check_numbers(config) -> None:
    """Each number is of its field's type and within LIMITS."""
    for name, value in asdict(config).items():
        if name not in LIMITS:
            continue
        low, high = LIMITS[name]
        whole = isinstance(low, int)
        kind = "a whole number" if whole else "a number"
        right = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
        if not right or not low <= value <= high:  # NaN is not
            raise ConfigError(f"{name} must be {kind} from {low:g} to {high:,}, not {_shown(value)}.")


def _check_choice(name: str, value, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(f"{name} must be {_one_of(choices)}, not {_shown(value)}.")


def _one_of(values) -> str:
    """`4, 8 or 16`."""
    *first, last = [str(value) for value in values]
    return f"{', '.join(first)} or {last}" if first else last


def _shown(value) -> str:
    """The value as it goes into a message: short, whatever was given."""
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


PRESETS: dict[str, tuple[ModelConfig, TrainConfig]] = {
    # The listing as printed (sections 1.3.1, 1.4.1, 1.5): torch.randn for CLS and positions, the default dropout of 0.1
    # on the attention weights, the division by sqrt(embed_dim), Adam with the decay of 0.1 as L2.
    "annotation": (
        ModelConfig(attention_dropout=0.1, attention_scale="embed_dim", token_init_std=1.0),
        TrainConfig(optimizer="adam", weight_decay=0.1),
    ),
    # The same model with a recipe that learns: every image is another in each epoch, and half of its patches are enough.
    "recommended": (
        ModelConfig(patch_drop=0.5),
        TrainConfig(
            epochs=80,
            batch_size=64,
            learning_rate=2e-3,
            schedule="cosine",
            warmup_epochs=5.0,
            augmentation="flip",
            jitter=0.3,
            erasing=8,
            cutmix=0.3,
            label_smoothing=0.1,
            first_filters="whitened",
        ),
    ),
    # Convolutions make 16 tokens, which two wide blocks relate to each other.
    "hybrid": (
        ModelConfig(patch_size=8, embed_dim=128, depth=2, num_heads=2, mlp_ratio=1.0, stem="conv", pooling="attention"),
        TrainConfig(
            epochs=125,
            batch_size=64,
            learning_rate=2e-3,
            weight_decay=0.2,
            schedule="cosine",
            warmup_epochs=5.0,
            augmentation="flip_and_shift",
            jitter=0.3,
            erasing=8,
            mixup=0.2,
            cutmix=0.3,
            label_smoothing=0.1,
            first_filters="whitened",
        ),
    ),
}
