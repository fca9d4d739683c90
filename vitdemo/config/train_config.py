"""`TrainConfig`: how a model is trained, and on which images."""

from dataclasses import dataclass

from .settings import ConfigError, check_each, setting


@dataclass(frozen=True)
class TrainConfig:
    """How a model is trained, and on how many images (the paper, section 1.5).

    `train()` uses the images that it is given; the last three fields decide what a run loads.

    Raises:
        ConfigError: a value is out of its limits, or two values do not fit together.
    """

    epochs: int = setting(
        6,
        "Passes over all training images. With more epochs the model learns more, until it "
        "overfits: then validation stops improving.",
        (1, 1000),
    )
    batch_size: int = setting(
        128,
        "Images per training step. Smaller batches mean more steps per epoch, each with a noisier "
        "gradient.",
        (1, 1024),
    )
    learning_rate: float = setting(
        1e-3,
        "How far a training step moves the weights, at the peak of the schedule. If it is too low, "
        "the model learns little; if it is too high, the loss diverges.",
        (1e-7, 10.0),
    )
    weight_decay: float = setting(
        0.05,
        "Shrinks all weights toward 0 in each step, which keeps the model simple.",
        (0.0, 10.0),
    )
    optimizer: str = setting(
        "adamw",
        "Adam and AdamW differ in the weight decay. Adam adds it to the gradient (L2) and rescales "
        "the sum. AdamW decouples it and shrinks the weights directly.",
        choices=("adam", "adamw"),
    )
    schedule: str = setting(
        "constant",
        "Learning rate after the warm-up. Constant: it stays the same. Cosine: it decays to 0 "
        "along half a cosine, so that the last steps only fine-tune the weights.",
        choices=("constant", "cosine"),
    )
    warmup_epochs: float = setting(
        0.0,
        "Epochs in which the learning rate rises linearly from 0 to its peak. Small first steps "
        "keep the new weights stable.",
        (0.0, 1000.0),
    )
    augmentation: str = setting(
        "none",
        "Flip mirrors half of the images left to right, a different half in each epoch. Translate "
        "also moves each image by up to 4 pixels. What an image shows stays the same.",
        choices=("none", "flip", "flip_and_translate"),
    )
    jitter: float = setting(
        0.0,
        "Color jitter. Changes brightness, contrast, saturation and tint of each image at random "
        "by up to this fraction, so that the model relies on shapes rather than on the light.",
        (0.0, 1.0),
    )
    cutout: int = setting(
        0,
        "Cutout. Blanks a square with sides of this many pixels at a random position in each "
        "image, so that the model cannot rely on a single spot.",
        (0, 256),
    )
    mixup: float = setting(
        0.0,
        "In this fraction of the steps, blends each image with another, and their labels alike: "
        "70% frog and 30% ship. The model becomes less overconfident and memorizes less.",
        (0.0, 1.0),
    )
    cutmix: float = setting(
        0.0,
        "In this fraction of the steps, pastes a square of another image into each image and mixes "
        "the labels by area. A step has mixup or CutMix, never both, so the two fractions add up "
        "to at most 1.",
        (0.0, 1.0),
    )
    label_smoothing: float = setting(
        0.0,
        "Spreads this fraction of the target evenly over all classes: at 0.1, the target for a "
        "frog is 91% frog and 1% for each other class. The model need not be fully certain.",
        (0.0, 0.9),
    )
    ema_decay: float = setting(
        0.0,
        "Keeps an exponential moving average (EMA) of the weights, which is validated and saved. "
        "It fluctuates less than the weights after a single step and is often more accurate. 0.99 "
        "averages about the last 100 steps; 0 turns it off.",
        (0.0, 0.9999),
    )
    patch_embed_init: str = setting(
        "random",
        "Initial filters of the patch embedding. Patches differ mostly in brightness and little in "
        "fine detail, so random filters see mostly brightness. Whitened filters are computed from "
        "the training images and amplify the detail until all of it starts equally strong. "
        "Training changes them from there.",
        choices=("random", "whitened"),
    )
    precision: str = setting(
        "auto",
        "Number format of the matrix multiplications in a training step. bfloat16 has half the "
        "bits: faster on some processors, and less exact. Automatic: measure which is faster on "
        "this machine. Validation always uses float32.",
        choices=("auto", "float32", "bfloat16"),
    )
    seed: int = setting(
        0,
        "Random seed for the initial weights, the order of the images, augmentation and dropout. "
        "The same seed gives the same results.",
        (0, 2**31 - 1),
    )
    train_images: int = setting(
        600,
        "Number of training images, the first ones of CIFAR-10. Training time grows linearly with "
        "it. A Vision Transformer needs much data: more images help more than most settings.",
        (1, 50_000),
    )
    validation_images: int = setting(
        200,
        "Number of images to validate on after each epoch. More give a more precise result: with "
        "200, accuracy varies by about 3 percentage points by chance.",
        (1, 10_000),
    )
    validation_from: str = setting(
        "test",
        "Where the validation images come from. Test: the first test images, as in the paper. "
        "Train: the training images that follow those trained on, for choosing a recipe without "
        "looking at test images.",
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
        if self.warmup_epochs > self.epochs:
            raise ConfigError(
                f"warmup_epochs {self.warmup_epochs:g} is longer than the run of {self.epochs} "
                f"epochs. Use at most {self.epochs}."
            )
