"""What is said of the running source, piece by piece: label -> the part, and (a line of it, what happens there).

In the words `{B}`, `{T}` and the like stand for the sizes of the model on the page.
"""

from ...model import Attention, Block, Mlp, PatchEmbed, VisionTransformer
from ...training.loop import predict, train
from ...training.optimizer import learning_rate, make_optimizer
from ...training.replicas import Workers

MODEL = {
    "Patches": (
        PatchEmbed,
        (
            ("class PatchEmbed", "A module keeps its weights and says in `forward` what it does with them."),
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
            ("def embed", "Pictures of another shape are refused in words, before a product of matrices would break."),
            (
                "x = self.patch_embed",
                "The patches' tokens, {B} × {N} × {D}, and to each the learnt numbers of its place, `pos_embed`. The first row "
                "of `pos_embed` belongs to CLS and is left out here.",
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
            ("class Attention", "Every token gathers from every token, itself included (section 1.3.3)."),
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
            ("class Mlp", "What each token does with what it has gathered. No token sees another here."),
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
            ("def forward", "The first half: normalise (`norm1`), then attend."),
            (
                "x = x + self.drop_path(self.drop(attended))",
                "**Add** to what was there: the residual connection. Tokens are never replaced: {B} × {T} × {D} throughout.",
            ),
            (
                "self.mlp(self.norm2(x))",
                "The second half: normalise (`norm2`), MLP, add. The norm comes before each half (pre-norm); in the "
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
            ("return self.head", "A linear layer makes {K} numbers of it, the **logits**: {B} × {K}."),
        ),
    ),
    "All of it": (
        VisionTransformer.forward,
        (
            ("def forward", "{B} × {C} × {S} × {S} in."),
            ("x = self.embed", "Patches, CLS, positions: {B} × {T} × {D}."),
            ("for block in", "{L} blocks, each {B} × {T} × {D} in and out, each with weights of its own."),
            ("return self.classify", "{B} × {K} logits. Softmax would make probabilities of them."),
        ),
    ),
}

LOOP = {
    "One batch": (
        Workers._part,
        (
            ("def _part", "A share of a batch, on one core. `train()` switches dropout on."),
            ("images, targets", "Other random changes of the images in each epoch, where the recipe asks for them."),
            (
                "with self._autocast",
                "Forward: pictures in, logits out. Half precision where the machine is quicker with it.",
            ),
            (
                "loss = F.cross_entropy",
                "**Cross-entropy**: minus the logarithm of the probability that the right class got. 0 would be certain and "
                "right.",
            ),
            (
                "twin.zero_grad()",
                "Backward: `backward` walks from the loss back to every weight and leaves there the **gradient**, how the "
                "loss changes with it. What the last batch left is cleared first.",
            ),
            ("return loss.item()", "The number, and the logits, cut off from the way back."),
        ),
    ),
    "The loop": (
        train,
        (
            (
                "def train",
                "A generator: after each step it reports what happened. Who called it can draw that, or stop the training "
                "by asking for no more.",
            ),
            (
                "if not len(data.train)",
                "Settings that cannot work are refused first, with advice.",
            ),
            (
                "learner = copy_of",
                "The **optimiser** will move the weights. A training that was stopped goes on from its file: `done` epochs "
                "are behind it.",
            ),
            ("for epoch in", "An **epoch** is all training images once, in a new random order, cut into batches."),
            ("for group in", "The learning rate of this step. It may change over the training."),
            (
                "loss, outputs",
                "The model answers, and the **gradient** is computed: see *One batch*. If the loss is no finite number "
                "any more, the training ends, with advice.",
            ),
            ("optimizer.step()", "Move every weight a little: see *Optimiser*."),
            ("logits.append(outputs)", "Keep the answers for the metrics, and report the step: a `BatchEnd`."),
            (
                "train_metrics =",
                "Every metric over all answers of the epoch at once. The listing updates its metrics batch by batch, which "
                "comes to the same, except for the loss: it takes the mean over batches, the last of which is smaller.",
            ),
            ("enumerate(workers.predict", "Now the images that the model does not learn from, without a gradient."),
            (
                "validation_metrics = compute_metrics",
                "The same metrics of these, and the epoch is over: an `EpochEnd`.",
            ),
        ),
    ),
    "Optimiser": (
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
            ("done =", "Or it falls along half a cosine to 0: large steps first, fine ones at the end."),
        ),
    ),
    "Evaluation": (
        predict,
        (
            ("def predict", "`eval()` switches dropout off: the same picture gets the same answer every time."),
            ("for start in", "Batch by batch, in order, with nothing kept for a way back (`inference_mode`)."),
        ),
    ),
}
