"""Notes on the source of the model: label -> the part, and (words of a line, what happens there).

In the notes, `{B}`, `{T}` and the like stand for the sizes of the model on the page.
"""

from ...model import Attention, Block, Mlp, PatchEmbed, VisionTransformer

MODEL = {
    "Patches": (
        PatchEmbed,
        (
            (
                "class PatchEmbed",
                "A PyTorch module: it creates its weights in `__init__` and applies them in "
                "`forward`.",
            ),
            (
                "def __init__",
                "`proj` is a convolution with a kernel of {P} × {P} pixels and a stride of {P}, so "
                "it covers each patch exactly once: {patch} numbers in, {D} out. This is the same "
                "as a linear layer on flattened patches.",
            ),
            (
                "def forward",
                "Input: {B} × {C} × {S} × {S}. `proj` returns {B} × {D} × {side} × {side}. "
                "`flatten` turns the {side} rows of patches into one sequence, and `transpose` "
                "moves the embedding dimension to the end: {B} × {N} × {D}.",
            ),
        ),
    ),
    "CLS and positions": (
        VisionTransformer.embed,
        (
            (
                "def embed",
                "Images of the wrong shape are rejected with a clear message, before a matrix "
                "multiplication fails with an obscure one.",
            ),
            (
                "x = self.patch_embed",
                "The patch tokens, {B} × {N} × {D}, plus their position embeddings. `pos_embed` "
                "has one learned vector per position; its first row belongs to CLS and is left out "
                "here.",
            ),
            (
                "self.training",
                "**PatchDropout**: some recipes drop random patches during training. Fewer tokens "
                "make a step faster. At inference all patches are used.",
            ),
            (
                "if c.has_cls:",
                "The CLS token, one learned vector for all {B} images, is prepended with a "
                "position embedding of its own: {B} × {T} × {D}.",
            ),
        ),
    ),
    "Attention": (
        Attention,
        (
            (
                "class Attention",
                "Multi-head self-attention: every token attends to every token, itself included "
                "(section 1.3.3).",
            ),
            (
                "def __init__",
                "One linear layer, `qkv`, computes queries, keys and values together: {D} numbers "
                "in, {three_D} out. `scale` is 1 / √d_k with d_k = {D} / {H} = {d_k}. The paper's "
                "code divides by √{D} instead.",
            ),
            (
                "def forward",
                "`qkv` returns {B} × {T} × {three_D}. `reshape` and `permute` split this into q, k "
                "and v with {H} heads each: {B} × {H} × {T} × {d_k}.",
            ),
            (
                "attention = (q",
                "The scores: the dot product of each query with each key, scaled. `softmax` turns "
                "each row into **attention weights** that sum to 1: {B} × {H} × {T} × {T}. `edit` "
                "lets the Attention page change these weights, for instance to ablate a head.",
            ),
            (
                "x = self.attn_drop",
                "`attn_drop` is dropout on the attention weights, during training only; the "
                "paper's code uses it. Then each head computes the weighted sum of the values: "
                "{B} × {H} × {T} × {d_k}.",
            ),
            (
                "return self.proj",
                "The outputs of the heads are concatenated, {B} × {T} × {D}, and the linear layer "
                "`proj` mixes them. The attention weights are returned too, because this app "
                "draws them.",
            ),
        ),
    ),
    "MLP": (
        Mlp,
        (
            (
                "class Mlp",
                "The feed-forward network, a multilayer perceptron (MLP). It processes each token "
                "separately: no information passes between tokens here.",
            ),
            ("def __init__", "`fc1` expands {D} numbers to {M}; `fc2` projects them back to {D}."),
            (
                "def forward",
                "Between them is `act`, the GELU nonlinearity. Without it, the two layers would "
                "collapse into a single linear one. {B} × {T} × {D} in and out.",
            ),
        ),
    ),
    "Block": (
        Block,
        (
            ("class Block", "One of {L} encoder blocks (section 1.3.1)."),
            (
                "def __init__",
                "Two LayerNorms, attention and an MLP. `drop` (dropout) zeroes random numbers and "
                "`drop_path` (stochastic depth) skips whole updates. Both act only during "
                "training, to reduce overfitting. The paper's code sets `drop` to 0 and has no "
                "`drop_path`.",
            ),
            ("def forward", "The first half of the block: normalize (`norm1`), then attend."),
            (
                "attention_update =",
                "**Add** the result to the tokens: the residual connection. The tokens are "
                "updated, never replaced, and keep their shape {B} × {T} × {D}.",
            ),
            (
                "mlp_update =",
                "The second half: normalize (`norm2`), apply the MLP, add. LayerNorm comes before "
                "each half (**pre-norm**); in the Transformer of 2017 it came after (post-norm).",
            ),
        ),
    ),
    "Classification head": (
        VisionTransformer.classify,
        (
            ("def classify", "One more LayerNorm after the last block."),
            (
                "if self.config.pooling",
                "**Pooling**: this model classifies the image from CLS, token 0, alone: "
                "{B} × {D}. Other models use a weighted or unweighted mean of all tokens.",
            ),
            (
                "return self.head",
                "A linear layer maps this vector to {K} numbers per image, the **logits**: "
                "{B} × {K}.",
            ),
        ),
    ),
    "Whole model": (
        VisionTransformer.forward,
        (
            ("def forward", "Input: {B} × {C} × {S} × {S}."),
            ("x = self.embed", "Patches, CLS and positions: {B} × {T} × {D}."),
            (
                "for block in",
                "{L} blocks, each with its own weights: {B} × {T} × {D} in and out.",
            ),
            (
                "return self.classify",
                "{B} × {K} logits. Softmax would turn them into probabilities.",
            ),
        ),
    ),
}
