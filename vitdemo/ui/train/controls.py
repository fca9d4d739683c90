"""What each setting of a model and a training is called on the Train page, what it does, and which values it offers."""

from dataclasses import dataclass

from ...config import ATTENTION_SCALES, AUGMENTATIONS, FIRST_FILTERS, OPTIMIZERS, POOLINGS, PRECISIONS, SCHEDULES, STEMS

SMALL_SHARES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
SHARES_OF_STEPS = (0.0, 0.1, 0.2, 0.3, 0.5, 0.8)  # any two of them that make at most 1 may go together


@dataclass(frozen=True)
class Control:
    """One setting as a person meets it."""

    label: str
    help: str  # what it does to the model
    options: range | tuple
    names: dict | None = None  # option -> how it is called on the page


@dataclass(frozen=True)
class Group:
    """Settings that are folded away together."""

    icon: str
    note: str  # what they have in common
    controls: dict[str, Control]


FRONT = {
    "depth": Control(
        "Depth",
        "How many encoder blocks the tokens go through. Each lets every token look at all others once more; "
        "parameters, time and memory grow with it in a straight line.",
        range(1, 13),
    ),
    "num_heads": Control(
        "Heads",
        "Each block's attention is split into so many heads that look at different things, each with its share of the "
        "width (width / heads numbers a token). The parameters stay the same; more heads take more time.",
        (1, 2, 3, 4, 6, 8, 12, 16),
    ),
    "patch_size": Control(
        "Patch size",
        "The side of a patch in pixels. The image has (32 / patch size)² patches, one token each: half the patch size "
        "gives four times the tokens and sixteen times the attention to compute.",
        (2, 4, 8, 16, 32),
        {size: f"{size} px" for size in (2, 4, 8, 16, 32)},
    ),
    "train_images": Control(
        "Training images",
        "How many images the model learns from: the first so many of CIFAR-10. Time grows with it in a straight line, and "
        "a Vision Transformer is hungry: more images help it more than most settings.",
        range(100, 5_001, 100),
    ),
}
MODEL = {
    "stem": Control(
        "Stem",
        "What makes the tokens. Patches: each patch is flattened and multiplied by one matrix. Convolutions: 3 × 3 filters "
        "in stages look beyond the patch and find edges and textures first, so the model learns more from few images.",
        STEMS,
        {"patch": "Patches", "conv": "Convolutions"},
    ),
    "pooling": Control(
        "Class read from",
        "CLS is a token of its own that gathers what it needs from the patches. Without it, the class is read from the mean "
        "of all patch tokens after the last block, plain or with weights that are learnt.",
        POOLINGS,
        {"cls": "CLS token", "mean": "Mean of patches", "attention": "Weighted mean of patches"},
    ),
    "embed_dim": Control(
        "Width",
        "How many numbers a token is made of. Each block's parameters and time grow with its square.",
        (16, 32, 48, 64, 96, 128, 192, 256),
    ),
    "mlp_ratio": Control(
        "MLP ratio",
        "The hidden layer of each block's MLP has so many times the width.",
        (1.0, 2.0, 3.0, 4.0),
    ),
    "attention_scale": Control(
        "Attention scale",
        "Scores are divided by a square root before the softmax. The formula takes d_k, the width of one head; the "
        "annotation's code takes the whole width, which makes attention flatter.",
        ATTENTION_SCALES,
        {"head_dim": "√d_k, as the formula", "embed_dim": "√width, as the code"},
    ),
    "token_init_std": Control(
        "Token start",
        "Spread of the first random values of the position embedding, and of CLS where there is one. At 1, as in the "
        "annotation's listing, they outweigh the patches at first; 0.02 is the usual value.",
        (0.0, 0.02, 0.1, 0.2, 0.5, 1.0),
    ),
    "first_filters": Control(
        "First filters",
        "How the first layer begins. Random filters see little but brightness, as neighbouring pixels are nearly alike. "
        "Whitened ones are worked out from the training images, so that each way in which they differ counts the same.",
        FIRST_FILTERS,
        {"random": "Random", "whitened": "Whitened"},
    ),
}
TRAINING = {
    "epochs": Control(
        "Epochs",
        "How often every training image is seen. More lets the model learn more, and in the end learn the training "
        "images by heart: then validation stops improving.",
        range(1, 201),
    ),
    "batch_size": Control(
        "Batch size",
        "Images in one step. Smaller batches mean more steps in an epoch, each a noisier guess of the right direction.",
        (8, 16, 32, 64, 128, 256),
    ),
    "learning_rate": Control(
        "Learning rate",
        "How far one step moves the weights. Too small and nothing is learnt in time, too large and the loss explodes.",
        (1e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 3e-3, 5e-3, 1e-2, 1e-1, 1.0, 10.0),
    ),
    "schedule": Control(
        "Schedule",
        "Constant keeps the learning rate; cosine lets it fall to 0 along half a cosine, so that the last steps settle.",
        SCHEDULES,
        {"constant": "Constant", "cosine": "Cosine to 0"},
    ),
    "warmup_epochs": Control(
        "Warm-up",
        "Epochs in which the learning rate climbs from 0 to its value, so that the first steps do not throw the fresh "
        "weights off.",
        (0.0, 0.5, 1.0, 2.0, 5.0, 10.0),
    ),
    "optimizer": Control(
        "Optimiser",
        "Both turn gradients into steps in the same way. They differ in the weight decay: Adam adds it to the gradient "
        "(L2) and then rescales both together, AdamW shrinks the weights apart from it.",
        OPTIMIZERS,
        {"adam": "Adam (L2 decay)", "adamw": "AdamW"},
    ),
    "weight_averaging": Control(
        "Weight averaging",
        "Keeps a running mean of the weights over about so many of the last steps. The mean is what is validated and saved: "
        "it is calmer than the weights of any one step, and often right more often.",
        (0.0, 0.9, 0.99, 0.999),
        {0.0: "None", 0.9: "10 steps", 0.99: "100 steps", 0.999: "1,000 steps"},
    ),
    "precision": Control(
        "Precision",
        "Number format of the products in a training step. bfloat16 has half the bits: quicker on some processors, and a "
        "little rougher. Automatic measures which is quicker here. Validation always takes 32 bits.",
        PRECISIONS,
        {"auto": "Automatic", "float32": "32-bit floats", "bfloat16": "bfloat16"},
    ),
    "validation_images": Control(
        "Validation images",
        "How many test images the model is checked on after each epoch: the first so many. More give a steadier figure: "
        "with 200, chance alone moves accuracy by about 3 points up or down.",
        range(100, 1_001, 100),
    ),
    "seed": Control(
        "Seed",
        "Where chance starts: first weights, order and variety of images, dropout. The same seed gives the same run.",
        range(10_000),
    ),
}
VARIETY = {
    "augmentation": Control(
        "Movement",
        "Mirrors half of the images left to right, others in each epoch; with shift, moves each by up to 4 pixels, too. What "
        "a thing is does not depend on where it stands.",
        AUGMENTATIONS,
        {"none": "None", "flip": "Flip", "flip_and_shift": "Flip and shift"},
    ),
    "jitter": Control(
        "Colour jitter",
        "Changes brightness, contrast and colour of each image at random, the more the higher, so that the model goes by "
        "shapes rather than by the light.",
        (0.0, 0.1, 0.2, 0.3, 0.4, 0.5),
    ),
    "erasing": Control(
        "Erasing",
        "Blanks a square of this side somewhere in each image, so that the model must not rely on one spot alone.",
        (0, 4, 8, 12, 16),
        {0: "None"} | {side: f"{side} px" for side in (4, 8, 12, 16)},
    ),
    "mixup": Control(
        "Mixup",
        "In this share of the steps, blends each image with another, and their labels in the same way: 70 % frog and 30 % "
        "ship. The model grows less sure of itself and learns less by heart.",
        SHARES_OF_STEPS,
    ),
    "cutmix": Control(
        "CutMix",
        "In this share of the steps, pastes a square of another image into each, and mixes the labels by area. A step has "
        "mixup or CutMix, not both: together they make at most 1.",
        SHARES_OF_STEPS,
    ),
}
REGULARISATION = {
    "weight_decay": Control(
        "Weight decay",
        "Pulls every weight towards 0 in each step, which keeps the model simple.",
        (0.0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 1.0),
    ),
    "label_smoothing": Control(
        "Label smoothing",
        "Spreads this share of the target over all classes alike: at 0.1 the model shall say 91 % frog for a frog, and 1 % "
        "for each other class. So it never needs to be wholly sure.",
        SMALL_SHARES,
    ),
    "dropout": Control(
        "Dropout",
        "In training, sets this share of what each half of a block adds to the tokens to 0, so that nothing relies on "
        "one number alone.",
        SMALL_SHARES,
    ),
    "attention_dropout": Control(
        "Attention dropout",
        "In training, sets this share of the attention weights to 0. The annotation's listing has 0.1 by default.",
        SMALL_SHARES,
    ),
    "drop_path": Control(
        "Drop path",
        "In training, skips each half of the last block for this share of the images, and of earlier blocks for less, "
        "down to 0 in the first. So no block relies on all the others being there.",
        SMALL_SHARES,
    ),
    "patch_drop": Control(
        "Patch drop",
        "In training, leaves this share of the patch tokens out, others for each image, which must be known by the "
        "rest. A step is quicker, too, as it has fewer tokens to compute.",
        (0.0, 0.1, 0.25, 0.5, 0.75),
    ),
}
GROUPS = {
    "Model": Group(":material/layers:", "What the model is built of, and how it begins.", MODEL),
    "Training": Group(":material/speed:", "How long it learns, in which steps, and how it is checked.", TRAINING),
    "Variety": Group(":material/shuffle:", "Augmentation: images that differ each time they are seen.", VARIETY),
    "Regularisation": Group(":material/balance:", "What keeps it from learning by heart.", REGULARISATION),
}
CONTROLS = FRONT | MODEL | TRAINING | VARIETY | REGULARISATION
PRESET_BUTTONS = {
    "annotation": (
        "Annotation",
        "Set everything as in the annotation's listing, as printed: 6 epochs, Adam with weight decay 0.1.",
    ),
    "recommended": (
        "Recommended",
        "A plain Vision Transformer and a recipe that learns: AdamW, warm-up, cosine, and images that vary.",
    ),
    "hybrid": (
        "Hybrid",
        "Convolutions make the tokens: learns far more from few images.",
    ),
}
