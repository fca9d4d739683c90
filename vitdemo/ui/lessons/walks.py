"""What is said of the running source, piece by piece: label -> the part, and (a line of it, what happens there).

In the words `{B}`, `{T}` and the like stand for the sizes of the model on the page.
"""

from ...model import Attention, Block, Mlp, PatchEmbed, VisionTransformer
from ...training.loop import predict, train, train_epoch, validate
from ...training.optimizer import learning_rate, make_optimizer
from ...training.replicas import Replicas

MODEL = {
    "Patches": (
        PatchEmbed,
        (
            (
                "class PatchEmbed",
                "A module keeps its weights and says in `forward` what it does with them.",
            ),
            (
                "def __init__",
                "`proj` is a convolution of {P} × {P} pixels that steps by its own size, so it meets each patch once: "
                "{patch} numbers in, {D} out. That is a linear layer on flattened patches.",
            ),
            (
                "def forward",
                "{B} × {C} × {S} × {S} in. `proj` makes {B} × {D} × {side} × {side}; `flatten` lays the {side} rows of patches "
                "behind each other, `transpose` puts the numbers of a token last: {B} × {N} × {D}.",
            ),
        ),
    ),
    "CLS and positions": (
        VisionTransformer.embed,
        (
            (
                "def embed",
                "Pictures of another shape are refused in words, before a product of matrices would break.",
            ),
            (
                "x = self.patch_embed",
                "The patch tokens, {B} × {N} × {D}, plus the position embedding of each, `pos_embed`. Its first "
                "row belongs to CLS and is left out here.",
            ),
            (
                "self.training",
                "Some recipes leave patches out while they train: fewer tokens, quicker steps. Never when the model is asked.",
            ),
            (
                "if c.has_cls:",
                "CLS, the same for all {B} pictures, goes in front with its own position: {B} × {T} × {D}.",
            ),
        ),
    ),
    "Attention": (
        Attention,
        (
            (
                "class Attention",
                "Every token gathers from every token, itself included (section 1.3.3).",
            ),
            (
                "def __init__",
                "One linear layer makes queries, keys and values at once: {D} numbers in, {three_D} out. `scale` is one over "
                "the square root of d_k = {D} / {H} = {d_k}; the listing divides by the root of {D} instead.",
            ),
            (
                "def forward",
                "`qkv` makes {B} × {T} × {three_D}. `reshape` and `permute` split that into q, k and v, each with its {H} "
                "heads: {B} × {H} × {T} × {d_k}.",
            ),
            (
                "attention = (q",
                "Each query times each key, scaled; `softmax` makes each row sum to 1: {B} × {H} × {T} × {T}. `edit` lets "
                "the Attention page switch heads off.",
            ),
            (
                "x = self.attn_drop",
                "`attn_drop` zeroes some weights while training, where the recipe asks for it, as the listing does. Then the "
                "weighted sum of the values, head by head: {B} × {H} × {T} × {d_k}.",
            ),
            (
                "return self.proj",
                "The heads are laid side by side again, {B} × {T} × {D}, and `proj` mixes them. The attention itself is "
                "handed out, too: this app draws it.",
            ),
        ),
    ),
    "MLP": (
        Mlp,
        (
            (
                "class Mlp",
                "What each token does with what it has gathered. No token sees another here.",
            ),
            ("def __init__", "`fc1` widens {D} to {M} numbers, `fc2` narrows them back to {D}."),
            (
                "def forward",
                "Between them `act`, the GELU, bends: without it they would be one linear layer. {B} × {T} × {D} in and out.",
            ),
        ),
    ),
    "Block": (
        Block,
        (
            ("class Block", "One of {L} encoder blocks (section 1.3.1)."),
            (
                "def __init__",
                "Two norms, an attention, an MLP. `drop` and `drop_path` zero numbers or whole halves while training, against "
                "learning by heart; they are 0 in the listing.",
            ),
            ("def forward", "The first half: normalize (`norm1`), then attend."),
            (
                "attention_update =",
                "**Add** to what was there: the residual connection. Tokens are never replaced: {B} × {T} × {D} throughout.",
            ),
            (
                "mlp_update =",
                "The second half: normalize (`norm2`), MLP, add. The norm comes before each half (pre-norm); in the "
                "Transformer of 2017 it came after.",
            ),
        ),
    ),
    "Class": (
        VisionTransformer.classify,
        (
            ("def classify", "After the last block one more norm."),
            (
                "if self.config.pooling",
                "The class is read from CLS, token 0, alone: {B} × {D}. Other models take the mean of all tokens, or weigh "
                "them.",
            ),
            (
                "return self.head",
                "A linear layer makes {K} numbers of it, the **logits**: {B} × {K}.",
            ),
        ),
    ),
    "All of it": (
        VisionTransformer.forward,
        (
            ("def forward", "{B} × {C} × {S} × {S} in."),
            ("x = self.embed", "Patches, CLS, positions: {B} × {T} × {D}."),
            (
                "for block in",
                "{L} blocks, each {B} × {T} × {D} in and out, each with weights of its own.",
            ),
            ("return self.classify", "{B} × {K} logits. Softmax would make probabilities of them."),
        ),
    ),
}

LOOP = {
    "One batch": (
        Replicas.shard_gradients,
        (
            (
                "def shard_gradients",
                "A shard of a batch, on one core. `model.train()` turns dropout on.",
            ),
            (
                "images, targets",
                "Augmentation: random changes of the images, where the recipe asks for them.",
            ),
            (
                "with self._autocast",
                "Forward pass: images in, logits out. In bfloat16 where the machine is faster with it.",
            ),
            (
                "smoothing =",
                "**Cross-entropy**: minus the logarithm of the probability of the true class. 0 would be certain and "
                "correct.",
            ),
            (
                "model.zero_grad()",
                "Backward pass: `backward` goes from the loss back to every weight and stores the **gradient** there, that "
                "is, how the loss changes with the weight. The gradient of the last batch is cleared first.",
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
                "A generator: it reports each event as it happens. The caller can draw it, or stop the training by "
                "leaving the loop.",
            ),
            ("check_trainable", "Settings that cannot work are refused first, with advice."),
            (
                "state = new_state",
                "The `state` is all that training changes: the model, its moving average and the **optimizer**. A run that "
                "was stopped resumes from its `state_file`.",
            ),
            ("while state.epoch", "An **epoch** is one pass over all training images."),
            ("yield from train_epoch", "Learn from the training images: see *An epoch*."),
            (
                "yield from validate",
                "Then measure on images that the model does not learn from: see *Validation*.",
            ),
            ("yield EpochEnd", "The epoch is over, and all its metrics are known."),
        ),
    ),
    "An epoch": (
        train_epoch,
        (
            ("def train_epoch", "`order` is a new random order of the images, cut into batches."),
            ("state.step += 1", "The learning rate of this step. It may change during the run."),
            (
                "loss, outputs",
                "The model classifies the batch, and the **gradient** is computed: see *One batch*. If the loss is not "
                "finite, the run ends with advice.",
            ),
            ("state.optimizer.step()", "Every weight moves a little: see *Optimizer*."),
            (
                "logits.append(outputs)",
                "Keep the logits for the metrics and report the step: a `BatchEnd`.",
            ),
            (
                "return compute_metrics",
                "Every metric over all logits of the epoch at once. The paper's code updates its metrics batch by batch, "
                "which gives the same values except for the loss: it takes the mean over batches, and the last one is "
                "smaller.",
            ),
        ),
    ),
    "Validation": (
        validate,
        (
            (
                "def validate",
                "`predict` computes the logits batch by batch, without a gradient: see *Evaluation*.",
            ),
            (
                "metrics = compute_metrics",
                "The same metrics, of images that the model has not learned from.",
            ),
        ),
    ),
    "Optimizer": (
        make_optimizer,
        (
            (
                "def make_optimizer",
                "Adam divides the running mean of a weight's gradient by the root of the running mean of its square, and "
                "multiplies by the learning rate (`lr`): all weights move by steps of similar size.",
            ),
            (
                "weight_decay=",
                "Weight decay pulls weights to 0. Coupled (Adam, L2) it joins the gradient and is divided along with it; "
                "decoupled (AdamW) it stays apart, and each step shrinks every weight by the same share.",
            ),
        ),
    ),
    "Learning rate": (
        learning_rate,
        (
            ("def learning_rate", "How far the first step goes, the second, and so on."),
            (
                "if step <= warmup",
                "During the warm-up it rises in a straight line, while Adam's means are still young.",
            ),
            ("if config.schedule", "The listing's is constant."),
            (
                "done =",
                "Or it falls along half a cosine to 0: large steps first, fine ones at the end.",
            ),
        ),
    ),
    "Evaluation": (
        predict,
        (
            (
                "def predict",
                "The one way to ask a model, here, after each epoch and on the Attention page.",
            ),
            (
                "@torch.inference_mode",
                "Nothing is kept for a backward pass (`inference_mode`). Images are normalized on the way.",
            ),
            (
                "model.eval()",
                "`eval()` turns dropout off: the same image gets the same logits every time.",
            ),
        ),
    ),
}
