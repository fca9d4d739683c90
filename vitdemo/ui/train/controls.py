"""The controls of the Train page: their labels, their groups, and the values that they offer.

The help, limits and choices of a setting are in `vitdemo.config`.
"""

from dataclasses import dataclass

DROPOUT_RATES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
STEP_FRACTIONS = (0.0, 0.1, 0.2, 0.3, 0.5, 0.8)  # of steps; mixup and CutMix add up to at most 1


@dataclass(frozen=True)
class Control:
    """One setting as it appears on the page."""

    label: str
    values: range | tuple = ()  # to choose from; if empty, the choices of the setting
    names: dict | None = None  # value -> name on the page


@dataclass(frozen=True)
class Group:
    """Settings in one expander."""

    icon: str
    note: str  # what they have in common
    controls: dict[str, Control]


FRONT = {
    "depth": Control("Depth", range(1, 13)),
    "num_heads": Control("Heads", (1, 2, 3, 4, 6, 8, 12, 16)),
    "patch_size": Control(
        "Patch size", (2, 4, 8, 16, 32), {size: f"{size} px" for size in (2, 4, 8, 16, 32)}
    ),
    "train_images": Control("Training images", range(100, 5_001, 100)),
}
MODEL = {
    "stem": Control("Stem", names={"patch": "Patches", "conv": "Convolutions"}),
    "pooling": Control(
        "Pooling",
        names={"cls": "CLS token", "mean": "Mean of patches", "attention": "Attention pooling"},
    ),
    "embed_dim": Control("Embedding dimension", (16, 32, 48, 64, 96, 128, 192, 256)),
    "mlp_ratio": Control("MLP ratio", (1.0, 2.0, 3.0, 4.0)),
    "attention_scale": Control(
        "Attention scale",
        names={"head_dim": "√d_k (the formula)", "embed_dim": "√D (the paper's code)"},
    ),
    "token_init_std": Control("Token init std", (0.0, 0.02, 0.1, 0.2, 0.5, 1.0)),
    "patch_embed_init": Control(
        "Patch-embedding initialization", names={"random": "Random", "whitened": "Whitened"}
    ),
}
TRAINING = {
    "epochs": Control("Epochs", range(1, 201)),
    "batch_size": Control("Batch size", (8, 16, 32, 64, 128, 256)),
    "learning_rate": Control(
        "Learning rate",
        (1e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 3e-3, 5e-3, 1e-2, 1e-1, 1.0, 10.0),
    ),
    "schedule": Control("Schedule", names={"constant": "Constant", "cosine": "Cosine"}),
    "warmup_epochs": Control("Warm-up epochs", (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)),
    "optimizer": Control("Optimizer", names={"adam": "Adam (L2)", "adamw": "AdamW"}),
    "ema_decay": Control(
        "EMA of the weights",
        (0.0, 0.9, 0.99, 0.999),
        {0.0: "None", 0.9: "10 steps", 0.99: "100 steps", 0.999: "1,000 steps"},
    ),
    "precision": Control(
        "Numeric precision",
        names={"auto": "Automatic", "float32": "float32", "bfloat16": "bfloat16"},
    ),
    "validation_images": Control("Validation images", range(100, 1_001, 100)),
    "seed": Control("Random seed", range(10_000)),
}
AUGMENTATION = {
    "augmentation": Control(
        "Flip and translate",
        names={"none": "None", "flip": "Flip", "flip_and_translate": "Flip and translate"},
    ),
    "jitter": Control("Color jitter", (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)),
    "cutout": Control(
        "Cutout", (0, 4, 8, 12, 16), {0: "None"} | {side: f"{side} px" for side in (4, 8, 12, 16)}
    ),
    "mixup": Control("Mixup", STEP_FRACTIONS),
    "cutmix": Control("CutMix", STEP_FRACTIONS),
}
REGULARIZATION = {
    "weight_decay": Control("Weight decay", (0.0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 1.0)),
    "label_smoothing": Control("Label smoothing", DROPOUT_RATES),
    "dropout": Control("Dropout", DROPOUT_RATES),
    "attention_dropout": Control("Attention dropout", DROPOUT_RATES),
    "drop_path": Control("Stochastic depth (drop path)", DROPOUT_RATES),
    "patch_drop": Control("PatchDropout", (0.0, 0.1, 0.25, 0.5, 0.75)),
}
GROUPS = {
    "Model": Group(":material/layers:", "Architecture and initialization.", MODEL),
    "Training": Group(
        ":material/speed:", "Length of training, optimizer and validation.", TRAINING
    ),
    "Augmentation": Group(
        ":material/shuffle:", "Random changes to the training images.", AUGMENTATION
    ),
    "Regularization": Group(
        ":material/balance:", "Techniques against overfitting.", REGULARIZATION
    ),
}
CONTROLS = FRONT | MODEL | TRAINING | AUGMENTATION | REGULARIZATION
PRESET_BUTTONS = {
    "annotation": (
        "Paper's code",
        "All settings as in the paper's code: 6 epochs, Adam with a weight decay of 0.1.",
    ),
    "recommended": (
        "Recommended",
        "A plain Vision Transformer with a recipe that works: AdamW, warm-up, cosine schedule and "
        "augmentation.",
    ),
    "hybrid": (
        "Hybrid",
        "Convolutions compute the tokens, instead of one linear projection of each patch. The "
        "model learns far more from few images.",
    ),
}
