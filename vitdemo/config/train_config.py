"""`TrainConfig`: how a model is trained, and on which images."""

from dataclasses import dataclass

from .settings import ConfigError, check_each, setting


@dataclass(frozen=True)
class TrainConfig:
    """A training recipe, and the number of images (the paper, section 1.5).

    `train()` uses the images that it is given; the last three fields decide what a run loads.

    Raises:
        ConfigError: a value is out of its limits, or two values do not fit together.
    """

    epochs: int = setting(
        6,
        "Number of passes over the training images. With more epochs the model learns more, until "
        "it overfits: then the validation metrics stop improving.",
        (1, 1000),
    )
    batch_size: int = setting(
        128,
        "Number of images per training step. Smaller batches mean more steps per epoch, each with "
        "a noisier gradient.",
        (1, 1024),
    )
    learning_rate: float = setting(
        1e-3,
        "Size of a training step, at the peak of the schedule. If it is too low, the model learns "
        "little; if it is too high, the loss diverges.",
        (1e-7, 10.0),
    )
    weight_decay: float = setting(
        0.05,
        "How strongly each step shrinks the weights toward 0, which counteracts overfitting.",
        (0.0, 10.0),
    )
    optimizer: str = setting(
        "adamw",
        "Adam and AdamW differ in how they apply weight decay. Adam adds it to the gradient (L2 "
        "regularization) and rescales the sum. AdamW shrinks the weights directly (decoupled "
        "weight decay).",
        choices=("adam", "adamw"),
    )
    schedule: str = setting(
        "constant",
        "How the learning rate changes after the warm-up. Constant: it stays the same. Cosine: it "
        "decays to 0 along half a cosine wave, so that the last steps are small.",
        choices=("constant", "cosine"),
    )
    warmup_epochs: float = setting(
        0.0,
        "Number of epochs in which the learning rate rises linearly from 0 to its peak, at most a "
        "quarter of the run. Small first steps keep early training stable.",
        (0.0, 1000.0),
    )
    augmentation: str = setting(
        "none",
        "Flip mirrors each image left to right with probability 1/2, anew in each epoch. Translate "
        "also moves it by up to 4 pixels in each direction. The class stays the same.",
        choices=("none", "flip", "flip_and_translate"),
    )
    jitter: float = setting(
        0.0,
        "Color jitter. Changes the brightness, contrast and saturation of each image at random by "
        "up to this fraction, and its tint by up to a third of it, so that the model relies less "
        "on color and lighting.",
        (0.0, 1.0),
    )
    cutout: int = setting(
        0,
        "Side in pixels of the square that Cutout blanks at a random position in each image, so "
        "that the model cannot rely on any single region.",
        (0, 256),
    )
    mixup: float = setting(
        0.0,
        "Fraction of the steps in which mixup blends each image with another, and their labels in "
        "the same proportion, such as 70% frog and 30% ship. The model becomes less overconfident "
        "and memorizes less.",
        (0.0, 1.0),
    )
    cutmix: float = setting(
        0.0,
        "Fraction of the steps in which CutMix pastes a square of another image into each image "
        "and mixes the labels by area. A step uses mixup or CutMix, never both, so the two "
        "fractions add up to at most 1.",
        (0.0, 1.0),
    )
    label_smoothing: float = setting(
        0.0,
        "Fraction of the target that is spread evenly over all classes: at 0.1, the target for a "
        "frog is 91% frog and 1% for each other class. The model becomes less overconfident.",
        (0.0, 0.9),
    )
    ema_decay: float = setting(
        0.0,
        "Decay of an exponential moving average (EMA) of the weights. The EMA model is the one "
        "that is validated and saved: it fluctuates less from step to step and is often more "
        "accurate. 0.99 averages about the last 100 steps; 0 turns it off.",
        (0.0, 0.9999),
    )
    patch_embed_init: str = setting(
        "random",
        "Initial filters of the patch embedding. Patches differ mostly in brightness and little in "
        "fine detail, so random filters respond mostly to brightness. Whitened filters are the "
        "principal components of training patches, scaled so that each starts equally strong (PCA "
        "whitening). Training then changes them.",
        choices=("random", "whitened"),
    )
    precision: str = setting(
        "auto",
        "Number format of the matrix multiplications in a training step. bfloat16 has half as many "
        "bits as float32: it is faster on some processors, but less precise. Automatic: whichever "
        "is faster on this machine. Validation always uses float32.",
        choices=("auto", "float32", "bfloat16"),
    )
    seed: int = setting(
        0,
        "Random seed for the initial weights, the order of the images, augmentation and dropout. "
        "The same seed and settings give the same results on the same machine, with the same "
        "precision and number of threads.",
        (0, 2**31 - 1),
    )
    train_images: int = setting(
        600,
        "Number of training images, the first ones of CIFAR-10. Training time grows linearly with "
        "it. A Vision Transformer needs a lot of data: more images help more than most other "
        "settings.",
        (1, 50_000),
    )
    validation_images: int = setting(
        200,
        "Number of images to validate on after each epoch. More images give a more precise result: "
        "with 200, the standard error of the accuracy is about 3 percentage points. By default "
        "they are test images, as in the paper. Whoever tries many settings and keeps the best "
        "fits these images, and the accuracy is too optimistic for new ones. To choose settings, "
        "hold out training images: `--validation-from train` in the shell.",
        (1, 10_000),
    )
    validation_from: str = setting(
        "test",
        "Where the validation images come from. Test: the first test images, as in the paper. "
        "Train: the training images that follow those used for training, for choosing a recipe "
        "without looking at test images.",
        choices=("test", "train"),
    )

    def __post_init__(self):
        """Check each field, then how the fields fit together."""
        check_each(self)
        if self.mixup + self.cutmix > 1:
            raise ConfigError(
                f"mixup {self.mixup:g} and cutmix {self.cutmix:g} are fractions of the steps and "
                f"add up to more than 1. Use at most {1 - self.mixup:g} for cutmix."
            )
