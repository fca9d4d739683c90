"""Notes on the source of training: label -> the part, and (words of a line, what happens there)."""

from ...training.loop import predict, train, train_epoch, validate
from ...training.optimizer import learning_rate, make_optimizer
from ...training.replicas import Replicas

LOOP = {
    "One batch": (
        Replicas.shard_gradients,
        (
            (
                "def shard_gradients",
                "A batch is split into shards, which are processed in parallel; this is the work "
                "on one shard. `model.train()` turns dropout on.",
            ),
            (
                "images, targets",
                "Augmentation: random changes to the images, if the recipe asks for them.",
            ),
            (
                "with self._autocast",
                "Forward pass: images in, logits out. In bfloat16 on machines where that is "
                "faster.",
            ),
            (
                "smoothing =",
                "**Cross-entropy**: minus the logarithm of the predicted probability of the true "
                "class. It is 0 for a certain and correct prediction.",
            ),
            (
                "model.zero_grad()",
                "Backward pass: `backward` goes from the loss back to every weight and stores the "
                "**gradient** there: how the loss changes with the weight. The gradient of the "
                "previous batch is cleared first.",
            ),
            (
                "return loss.item()",
                "The loss, and the logits without their link to the backward pass.",
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
            ("check_trainable", "Settings that cannot work are rejected first, with advice."),
            (
                "state = new_state",
                "The `state` is all that training changes: the model, its moving average and the "
                "**optimizer**. A run that was stopped resumes from its `state_file`.",
            ),
            ("while state.epoch", "An **epoch** is one pass over all training images."),
            ("yield from train_epoch", "Train on the training images: see *An epoch*."),
            (
                "yield from validate",
                "Then measure on images that the model is not trained on: see *Validation*.",
            ),
            ("yield EpochEnd", "The epoch is over, and all its metrics are known."),
        ),
    ),
    "An epoch": (
        train_epoch,
        (
            (
                "def train_epoch",
                "`order` is a new random order of the images, split into batches.",
            ),
            ("state.step += 1", "The learning rate of this step. It may change during the run."),
            (
                "loss, outputs",
                "The model classifies the batch, and the **gradient** is computed: see *One "
                "batch*. If the loss is not finite, the run ends with advice.",
            ),
            ("state.optimizer.step()", "Every weight moves a little: see *Optimizer*."),
            (
                "logits.append(outputs)",
                "Keep the logits for the metrics and report the step: a `BatchEnd`.",
            ),
            (
                "return compute_metrics",
                "Every metric over all logits of the epoch at once. The paper's code updates its "
                "metrics batch by batch, which gives the same values except for the loss: it takes "
                "the mean over batches, and the last one is smaller.",
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
                "metrics = compute_metrics",
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
                "running mean of its square, and multiplies by the learning rate (`lr`): all "
                "weights move by steps of similar size.",
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
            ("def learning_rate", "The size of step 1, step 2, and so on."),
            (
                "if step <= warmup",
                "During the warm-up it rises linearly, while Adam's running means are still based "
                "on few steps.",
            ),
            ("if config.schedule", "In the paper's code it is constant."),
            (
                "done =",
                "Or it decays to 0 along half a cosine: large steps first, small ones at the end.",
            ),
        ),
    ),
    "Evaluation": (
        predict,
        (
            (
                "def predict",
                "The one function that classifies images: here, after each epoch and on the "
                "Attention page.",
            ),
            (
                "@torch.inference_mode",
                "Nothing is saved for a backward pass (`inference_mode`). Images are normalized "
                "first.",
            ),
            (
                "model.eval()",
                "`eval()` turns dropout off: the same image gets the same logits every time.",
            ),
        ),
    ),
}
