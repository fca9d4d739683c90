"""Attention heads by hand, and the two divisors of the paper."""

from dataclasses import dataclass

import numpy as np
import streamlit as st
import torch

from ...config import ModelConfig
from ...data.cifar10 import normalize
from ...explain.importance import accuracy_and_loss
from ...lessons.attention_by_hand import divided_by, entropy, heads_by_hand
from ...model import Attention
from ...runs.run import Run
from ..cached import HASHES, model_of
from .example import SAMPLE, first_pictures, plain_vit
from .lesson import Lesson
from .matrices import draw_matrix, listed, matrix_chart

TOKENS, WIDTH, HEADS = 4, 12, (1, 2, 3, 4, 6)  # of the example


def heads(lesson: Lesson) -> None:
    """Split queries, keys and values among heads, attend, and concatenate."""
    st.header("Heads: split, attend, concatenate")
    help = "The number of heads that the columns of Q, K and V are divided among."
    count = lesson.choose("heads", "Heads", HEADS, 3, help)
    module, x = _random_attention(count)
    with torch.no_grad():
        expected = module(x[None])[0][0].numpy()
        q = module.qkv(x)[:, :WIDTH].numpy()
    weights, output = heads_by_hand(module, x)
    d_k = WIDTH // count
    named = "1 head" if count == 1 else f"{count} heads"
    st.markdown(
        f"There are {TOKENS} tokens of {WIDTH} numbers. $Q$, $K$ and $V$, each "
        f"{TOKENS} × {WIDTH}, are computed from the whole tokens: every column already mixes all "
        f"{WIDTH} numbers. Then these columns, not the tokens, are **split** among {named}: "
        f"$d_k$ = {WIDTH} / {count} = {d_k} columns per head. Each head "
        "computes **attention** on its own. The outputs are **concatenated** to "
        f"{TOKENS} × {WIDTH} again, and a linear layer, the output projection, mixes them."
    )
    draw_matrix(f"Split: Q, {TOKENS} × {WIDTH}, with {d_k} columns per head", q, cuts=count)
    for head, column in enumerate(st.columns(max(3, count))[:count]):
        with column:
            st.markdown(f"**Attend: head {head + 1}**")
            alt = f"Attention weights of head {head + 1}: row 1 is {listed(weights[head][0])}."
            matrix_chart("numbers", weights[head], f"head-{head}", alt, most=1.0)
    draw_matrix(f"Concatenate and project: {TOKENS} × {WIDTH}", output)
    st.caption(
        "Each head has its own queries and keys, so its attention matrix can differ from that of "
        "the others. Nothing forces it to: in trained models many heads can be removed at little "
        "cost (Michel et al. 2019). The output, computed here head by head, differs "
        f"from that of the model's own module by at most {np.abs(expected - output).max():.7f}, "
        "which is rounding error."
    )
    lesson.code(
        Attention,
        "All heads at once: one `reshape` splits the columns, another concatenates the outputs.",
    )


def _random_attention(heads: int) -> tuple[Attention, torch.Tensor]:
    """Return the model's attention module with random weights, and random tokens (T, D)."""
    module = Attention(ModelConfig(embed_dim=WIDTH, num_heads=heads), torch.Generator())
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(generator=generator, std=0.4)
    return module, torch.randn(TOKENS, WIDTH, generator=generator)


def two_divisors(lesson: Lesson) -> None:
    """Compare the divisor in the paper's formula with the one in its code."""
    st.header("The paper's formula and its code differ")
    paper = ModelConfig()
    st.markdown(
        "The paper's formula divides the scores by $\\sqrt{d_k}$; its code divides them by "
        "`emb_size ** 0.5`, the square root of the whole embedding dimension. With "
        f"{paper.embed_dim} dimensions and {paper.num_heads} heads that is "
        f"{paper.embed_dim**0.5:.2f} instead of {paper.head_dim**0.5:.2f}. Every score is too "
        f"small by a factor of $\\sqrt{{{paper.num_heads}}}$ = {paper.num_heads**0.5:.2f}, and "
        "attention is more uniform than intended. A model that is trained with the wrong divisor "
        "can compensate by learning larger weights. A model that was trained with the correct "
        "divisor cannot. How much accuracy does it lose with the wrong one?"
    )
    run, _ = plain_vit()
    formula, code = run.model.head_dim**0.5, run.model.embed_dim**0.5
    before = evaluate_with(run, formula).accuracy
    if lesson.predict(
        "divisor-accuracy",
        f"The ViT that ships with this app was trained with $\\sqrt{{d_k}}$ = {formula:.2f} and "
        f"classifies {before:.0%} of {SAMPLE} test images correctly. What is its accuracy if we "
        f"divide by $\\sqrt{{{run.model.embed_dim}}}$ = {code:.2f} instead?",
        {"80%": 0.8, "45%": 0.45, "10%": 0.1},
        lambda: evaluate_with(run, code).accuracy,
        "{:.1%}. A larger divisor makes attention more uniform, but keeps the order of the scores.",
    ):
        _draw_table(run, {"√d_k": formula, "√embed_dim": code})
    lesson.code(divided_by, "A copy of the model with the same weights and another divisor.")


def _draw_table(run: Run, divisors: dict[str, float]) -> None:
    rows = ["| Divisor | Accuracy | Entropy of the last layer's attention |", "|---|---:|---:|"]
    entropies = []
    for name, divisor in divisors.items():
        found = evaluate_with(run, divisor)
        entropies.append(found.entropy)
        rows.append(f"| {name} = {divisor:.2f} | {found.accuracy:.1%} | {found.entropy:.2f} bits |")
    st.markdown("\n".join(rows))
    tokens = run.model.num_tokens
    st.caption(
        "Entropy measures how evenly attention is distributed: 0 bits if a query attends to a "
        f"single token, {np.log2(tokens):.2f} bits if it attends to all {tokens} tokens uniformly. "
        f"The two differ by only {np.ptp(entropies):.2f} bits: in this model, the attention of the "
        "last layer is nearly uniform with either divisor."
    )


@dataclass(frozen=True)
class Evaluation:
    """A model on the first SAMPLE test images."""

    accuracy: float
    entropy: float  # of the last layer's attention, in bits


@st.cache_data(show_spinner="Evaluating the model with another divisor …", hash_funcs=HASHES)
def evaluate_with(run: Run, divisor: float) -> Evaluation:
    """Evaluate the shipped ViT with its scores divided by `divisor`."""
    split = first_pictures(SAMPLE)
    images = normalize(split.images)
    changed = divided_by(model_of(run), divisor)
    accuracy, _ = accuracy_and_loss(changed, images, split.labels)
    with torch.inference_mode():
        _, trace = changed.trace(images)
    return Evaluation(accuracy, entropy(trace.attention[-1]))
