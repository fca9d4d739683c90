"""`TrainConfig`: how a model is trained, and on which images."""

from dataclasses import dataclass

from .settings import ConfigError, check_each, setting


@dataclass(frozen=True)
class TrainConfig:
    """How a model is trained, and on how many images (the paper, section 1.5).

    `train()` uses the images that it is given; the last three fields say what a run loads for it.

    Raises:
        ConfigError: a value is out of its limits, or two values do not fit together.
    """

    epochs: int = setting(
        6,
        "Passes over all training images. More epochs let the model learn more, until it overfits: then validation "
        "stops improving.",
        (1, 1000),
    )
    batch_size: int = setting(
        128,
        "Images in one training step. Smaller batches mean more steps in an epoch, each with a noisier gradient.",
        (1, 1024),
    )
    learning_rate: float = setting(
        1e-3,
        "How far one step moves the weights, at the peak of the schedule. Too small, and little is learned in time; "
        "too large, and the loss diverges.",
        (1e-7, 10.0),
    )
    weight_decay: float = setting(
        0.05,
        "Shrinks every weight toward 0 in each step, which keeps the model simple.",
        (0.0, 10.0),
    )
    optimizer: str = setting(
        "adamw",
        "Both turn gradients into steps in the same way and differ in the weight decay: Adam adds it to the gradient "
        "(L2) and rescales the sum, AdamW decouples it and shrinks the weights directly.",
        choices=("adam", "adamw"),
    )
    schedule: str = setting(
        "constant",
        "The learning rate after the warm-up. Constant keeps it; cosine decays it to 0 along half a cosine, so that "
        "the last steps settle.",
        choices=("constant", "cosine"),
    )
    warmup_epochs: float = setting(
        0.0,
        "Epochs in which the learning rate rises linearly from 0 to its peak, so that the first steps do not throw "
        "the new weights off.",
        (0.0, 1000.0),
    )
    augmentation: str = setting(
        "none",
        "Flip mirrors half of the images left to right, different ones in each epoch. Translate also moves each image "
        "by up to 4 pixels. What an image shows does not depend on where it is.",
        choices=("none", "flip", "flip_and_translate"),
    )
    jitter: float = setting(
        0.0,
        "Color jitter. Changes brightness, contrast, saturation and tint of each image at random by up to this "
        "fraction, so that the model relies on shapes rather than on the light.",
        (0.0, 1.0),
    )
    cutout: int = setting(
        0,
        "Cutout. Blanks a square with sides of this many pixels somewhere in each image, so that the model cannot "
        "rely on one spot alone.",
        (0, 256),
    )
    mixup: float = setting(
        0.0,
        "In this fraction of the steps, each image is blended with another and so are their labels: 70 % frog and "
        "30 % ship. The model becomes less overconfident and memorizes less.",
        (0.0, 1.0),
    )
    cutmix: float = setting(
        0.0,
        "In this fraction of the steps, a square of another image is pasted into each image and the labels are mixed "
        "by area. A step has mixup or CutMix, not both: together they are at most 1.",
        (0.0, 1.0),
    )
    label_smoothing: float = setting(
        0.0,
        "Spreads this fraction of the target evenly over all classes: at 0.1, the target for a frog is 91 % frog and "
        "1 % for each other class. The model need not be fully certain.",
        (0.0, 0.9),
    )
    ema_decay: float = setting(
        0.0,
        "Keeps an exponential moving average (EMA) of the weights, which is what is validated and saved. It "
        "fluctuates less than the weights of any one step and is often more accurate. 0.99 averages about the last "
        "100 steps; 0 turns it off.",
        (0.0, 0.9999),
    )
    patch_embed_init: str = setting(
        "random",
        "Patch-embedding initialization. Patches differ mostly in brightness and little in fine detail, so random "
        "filters see mostly brightness. Whitened filters are computed from the training images and boost the detail "
        "until all of it starts equally strong. Training changes them from there.",
        choices=("random", "whitened"),
    )
    precision: str = setting(
        "auto",
        "Number format of the matrix multiplications in a training step. bfloat16 has half the bits: faster on some "
        "processors, and less exact. Automatic measures which is faster here. Validation always uses float32.",
        choices=("auto", "float32", "bfloat16"),
    )
    seed: int = setting(
        0,
        "Random seed of the initial weights, the order of the images, augmentation and dropout. The same seed gives "
        "the same run.",
        (0, 2**31 - 1),
    )
    train_images: int = setting(
        600,
        "How many images the model learns from: the first ones of CIFAR-10. Time grows linearly with their number. A "
        "Vision Transformer needs much data: more images help it more than most settings.",
        (1, 50_000),
    )
    validation_images: int = setting(
        200,
        "How many images the model is validated on after each epoch. More give a steadier number: with 200, accuracy "
        "varies by about 3 percentage points by chance.",
        (1, 10_000),
    )
    validation_from: str = setting(
        "test",
        "Where validation images come from. Test: the first test images, as in the paper. Train: the training images "
        "after the first train_images, for choosing a recipe without looking at test images.",
        choices=("test", "train"),
    )

    def __post_init__(self):
        """Check every field, then how they fit together."""
        check_each(self)
        if self.mixup + self.cutmix > 1:
            raise ConfigError(
                f"mixup {self.mixup:g} and cutmix {self.cutmix:g} are fractions of the steps and add up to more than "
                f"1. Use at most {1 - self.mixup:g} for cutmix."
            )
        if self.warmup_epochs > self.epochs:
            raise ConfigError(
                f"warmup_epochs {self.warmup_epochs:g} is longer than the run of {self.epochs} epochs. "
                f"Use at most {self.epochs}."
            )
