"""Notes on the source of training: label -> the part, and (words of a line, what happens there)."""

from ...training.loop import epochs, predict, train, train_epoch, validate
from ...training.optimizer import learning_rate, make_optimizer
from ...training.replicas import Replicas

LOOP = {
    "One batch": (
        Replicas.shard_gradients,
        (
            (
                "def shard_gradients",
                "A batch is split into **shards**, which are processed in parallel. This function "
                "processes one of them. `model.train()` turns dropout on.",
            ),
            (
                "images, targets",
                "Augmentation: random changes to the images, if the recipe asks for them.",
            ),
            (
                "with self._autocast",
                "Forward pass: images in, **logits** (one number per class) out. It runs in "
                "bfloat16, which has half the bits of float32, on machines where that is faster.",
            ),
            (
                "smoothing =",
                "**Cross-entropy**: minus the logarithm of the predicted probability of the true "
                "class. It is 0 if this probability is 1. Label smoothing, if used, spreads a part "
                "of the target over all classes. The loss then cannot reach 0: with a smoothing of "
                "{smoothing} and {K} classes, it is at least {least}. The loss in the charts is "
                "computed without smoothing.",
            ),
            (
                "model.zero_grad()",
                "Backward pass: `backward` computes the **gradient** for every weight, that is, "
                "how the loss changes with the weight. The gradient of the previous batch is "
                "cleared first.",
            ),
            (
                "return loss.item()",
                "Return the loss as a plain number, and the logits detached from the backward "
                "pass.",
            ),
        ),
    ),
    "The loop": (
        train,
        (
            (
                "def train",
                "A generator: it reports each event as it happens. The caller can draw it, or stop "
                "the run by leaving the loop.",
            ),
            (
                "state = first_state",
                "Settings that cannot work are rejected first. The `state` is all that training "
                "changes: the model, the moving average of its weights and the **optimizer**. A "
                "run that was stopped resumes from its `state_file`.",
            ),
            (
                "try:",
                "Train epoch by epoch: see *The epochs*. However that ends, the model is left in "
                "evaluation mode, without dropout.",
            ),
        ),
    ),
    "The epochs": (
        epochs,
        (
            ("while state.epoch", "An **epoch** is one pass over all training images."),
            ("training = train_epoch", "Train on the training images: see *An epoch*."),
            (
                "validation = validate",
                "Then evaluate on images that the model is not trained on: see *Validation*.",
            ),
            ("yield EpochEnd", "Report the end of the epoch, with all its metrics."),
        ),
    ),
    "An epoch": (
        train_epoch,
        (
            (
                "def train_epoch",
                "`order` is a new random order of the images, split into batches.",
            ),
            (
                "state.step += 1",
                "Set the learning rate of this step. It may change during the run.",
            ),
            (
                "loss, outputs",
                "The model classifies the batch, and the **gradient** is computed: see *One "
                "batch*. If the loss is not finite, the run ends with a message that says what to "
                "change.",
            ),
            ("state.optimizer.step()", "Every weight moves a little: see *Optimizer*."),
            (
                "logits.append(outputs)",
                "Keep the logits for the metrics and report the step: a `BatchEnd`.",
            ),
            (
                "return _finite_metrics",
                "Compute every metric over all logits of the epoch at once. The paper's code "
                "updates its metrics batch by batch. This gives the same values except for the "
                "loss, which it averages over batches although the last one is smaller.",
            ),
        ),
    ),
    "Validation": (
        validate,
        (
            (
                "def validate",
                "`predict` computes the logits batch by batch, without a gradient: see "
                "*Evaluation*.",
            ),
            (
                "return _finite_metrics",
                "The same metrics, on images that the model is not trained on.",
            ),
        ),
    ),
    "Optimizer": (
        make_optimizer,
        (
            (
                "def make_optimizer",
                "Adam divides the running mean of a weight's gradient by the square root of the "
                "running mean of the squared gradient, and multiplies by the learning rate (`lr`). "
                "So all weights move by steps of similar size.",
            ),
            (
                "weight_decay=",
                "Weight decay pulls the weights toward 0. Coupled (Adam, L2), it is added to the "
                "gradient and divided along with it. Decoupled (AdamW), it stays apart: each step "
                "shrinks every weight by the same fraction.",
            ),
        ),
    ),
    "Learning rate": (
        learning_rate,
        (
            ("def learning_rate", "The learning rate of each step; the first is step 1."),
            (
                "if step <= warmup",
                "During the **warm-up** it rises linearly, because Adam's running means are still "
                "based on few steps.",
            ),
            ("if config.schedule", "A constant learning rate, as in the paper's code."),
            (
                "done =",
                "Otherwise it decays to 0 along half a cosine wave: large steps first, small ones "
                "at the end.",
            ),
        ),
    ),
    "Evaluation": (
        predict,
        (
            (
                "def predict",
                "This function classifies images batch by batch, after each epoch and on the "
                "Attention page.",
            ),
            (
                "@torch.inference_mode",
                "Nothing is saved for a backward pass (`inference_mode`). Images are normalized "
                "first.",
            ),
            (
                "model.eval()",
                "`eval()` turns dropout off, so that the same image gets the same logits every "
                "time.",
            ),
        ),
    ),
}
