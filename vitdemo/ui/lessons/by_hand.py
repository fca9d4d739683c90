"""Attention by hand: numbers one can edit, the paper's own shapes, heads, and the paper's two divisors."""

import numpy as np
import streamlit as st
import torch

from ...config import ConfigError, ModelConfig
from ...data.cifar10 import normalize
from ...explain.importance import accuracy_and_loss
from ...figures.numbers import numbers, shades, two_lines
from ...lessons.attention_by_hand import (
    QUERIES,
    attention_steps,
    divided_by,
    entropy,
    heads_by_hand,
    read_matrix,
    scaling,
    softmax,
)
from ...model import Attention
from ..chart import chart
from .example import SAMPLE, first_pictures, plain_vit
from .lesson import Lesson

T, D_K = 4, 3  # of the small example
START = {  # its matrices at first
    "Q": "1 0 1\n0 2 0\n1 1 0\n0 0 1",
    "K": "1 0 0\n0 1 0\n1 1 0\n0 0 2",
    "V": "1 0 0\n0 1 0\n0 0 1\n1 1 1",
}
TIMES = 4  # heads of the embedding that the third divisor stands for
DIVISORS = {"root": "√d_k", "none": "1 (no scaling)", "width": f"√({TIMES} d_k)"}
PAPER = (4, 512, 64)  # tokens, embedding, d_k of the annotation's sample calculation
DIMS = (4, 8, 16, 32, 64, 128, 256, 512)
WIDTH, HEADS = 12, (1, 2, 3, 4, 6)  # of the example on heads


def small_enough_to_read(lesson: Lesson) -> None:
    """Four tokens, every number."""
    st.header("Small enough to read")
    st.latex(
        r"\mathrm{Attention}(Q, K, V) = \mathrm{softmax}\!\left(\frac{QK^\top}{\sqrt{d_k}}\right) V"
    )
    st.markdown(
        f"{T} tokens. Each asks with a **query**, a row of $Q$; each offers a **key**, a row of $K$, and a **value**, a row of "
        f"$V$; all have $d_k = {D_K}$ numbers. Change any of them and see what follows."
    )
    fields = st.columns(3)
    texts = {}
    for column, (name, start) in zip(fields, START.items(), strict=True):
        with column:
            texts[name] = lesson.write(
                name.lower(), name, start, f"{T} lines of {D_K} numbers: a row for each token.", 130
            )
    try:
        q, k, v = (read_matrix(text, T, D_K) for text in texts.values())
    except ConfigError as error:
        st.error(str(error))
        return
    left, right = st.columns(2)
    with left:
        row = (
            lesson.choose(
                "row",
                "Asking token",
                range(1, T + 1),
                1,
                "Its row is framed and worked out in words.",
            )
            - 1
        )
    with right:
        divisor = lesson.choose(
            "divisor", "Divide by", tuple(DIVISORS), "root", _WHY_DIVIDE, format_func=DIVISORS.get
        )
    by = {"root": D_K**0.5, "none": 1.0, "width": (TIMES * D_K) ** 0.5}[divisor]
    steps = attention_steps(q, k, v, by)
    for pair in _steps(steps, q, v, row, by):
        for column, (title, matrix, signed, words) in zip(st.columns(2), pair, strict=True):
            with column:
                st.markdown(f"**{title}**")
                alt = f"{title}: row {row + 1} is {_listed(matrix[row])}."
                chart(numbers(matrix, row, signed, most=_most(title)), key=f"hand-{title}", alt=alt)
                st.caption(words)
    lesson.predict(
        "same-keys",
        "If all four keys were the same, how much would each token get?",
        {"0": 0.0, "1/4": 0.25, "1/2": 0.5, "1": 1.0},
        lambda: attention_steps(q, np.tile(k[:1], (T, 1)), v, by).weights[row, 0],
        "With your Q and the first key four times, the first weight is {:.3g}: equal scores get equal shares, whatever the "
        "query.",
    )
    lesson.code(attention_steps, "The same four lines of arithmetic as above, in NumPy.")


_WHY_DIVIDE = (
    "The formula divides by √d_k. Without it large d_k makes large scores. The paper's code divides by the square root of the "
    f"whole embedding's width instead: with {TIMES} heads that is {TIMES} d_k."
)


def _listed(values: np.ndarray) -> str:
    return ", ".join(f"{value:.2f}" for value in values)


def _steps(steps, q: np.ndarray, v: np.ndarray, row: int, by: float) -> tuple:
    """Two and two: title, matrix, whether it is signed, and the framed row in words."""
    token, weights = row + 1, steps.weights[row]
    shares = " + ".join(
        f"{weight:.2f} × ({_listed(value)})" for weight, value in zip(weights, v, strict=True)
    )
    return (
        (
            (
                "1. Scores: QKᵀ",
                steps.scores,
                True,
                f"Row {token}: query {token}, ({_listed(q[row])}), times each key, number by number, and added; each column "
                "is a key. A large score: the two point the same way, or are long.",
            ),
            ("2. Divided", steps.scaled, True, f"Each score divided by {by:.3f}."),
        ),
        (
            (
                "3. Softmax",
                steps.weights,
                False,
                f"e to the power of each number, divided by the sum of these powers in the row. Row {token}: "
                f"{_listed(weights)}, together "
                f"{weights.sum():.2f}. This is the attention.",
            ),
            ("4. Weighted sum: times V", steps.output, True, f"Row {token}: {shares}."),
        ),
    )


def papers_shapes(lesson: Lesson) -> None:
    """X 4 x 512, W 512 x 64."""
    tokens, width, d_k = PAPER
    st.header("The shapes of the annotation")
    st.markdown(
        f"The annotation's example has $X$ of {tokens} × {width}: {tokens} tokens of {width} numbers. Three matrices of "
        f"weights of {width} × {d_k} make $Q = XW_Q$, $K = XW_K$ and $V = XW_V$ of {tokens} × {d_k}. Here all are drawn at "
        f"random, the weights so small ($1/\\sqrt{{{width}}}$) that $Q$ and $K$ keep the size of $X$."
    )
    generator = np.random.default_rng(0)
    x = generator.normal(size=(tokens, width))
    q, k, v = (x @ generator.normal(scale=width**-0.5, size=(width, d_k)) for _ in range(3))
    steps = attention_steps(q, k, v, d_k**0.5)
    _shaded(f"X, {tokens} × {width}", x)
    _shaded(f"Q, K and V, each {tokens} × {d_k}, side by side", np.hstack([q, k, v]))
    st.caption("One line a token; purple is negative, orange positive.")
    raw = softmax(steps.scores)
    parts = (
        ("1. Scores: QKᵀ", steps.scores, True),
        (f"2. Divided by √{d_k}", steps.scaled, True),
        ("3. Softmax", steps.weights, False),
        ("Softmax, not divided", raw, False),
    )
    for column, (title, matrix, signed) in zip(st.columns(4), parts, strict=True):
        with column:
            st.markdown(f"**{title}**")
            chart(
                numbers(matrix, signed=signed, decimals=1 if signed else 2, most=_most(title)),
                key=f"paper-{title}",
                alt=f"{title}: row 1 is {_listed(matrix[0])}.",
            )
    _shaded(f"4. Weighted sum: times V, {tokens} × {d_k}", steps.output)
    st.caption(
        f"The scores spread by {steps.scores.std():.1f} (standard deviation): a sum of {d_k} products of size 1 spreads by "
        f"about √{d_k} = {d_k**0.5:.0f}. Undivided, softmax takes nearly all from one token: a row's largest weight is "
        f"{raw.max(axis=1).mean():.2f} on average, divided {steps.weights.max(axis=1).mean():.2f}."
    )


def _most(title: str) -> float | None:
    return 1.0 if "Softmax" in title else None  # its weights are shares


def _shaded(title: str, matrix: np.ndarray, cuts: int = 1) -> None:
    st.markdown(f"**{title}**")
    chart(
        shades(matrix, 110, cuts),
        key=f"paper-{title}",
        alt=f"{title}: from {matrix.min():.1f} to {matrix.max():.1f}.",
    )


def without_scaling(lesson: Lesson) -> None:
    """Why divide by sqrt(d_k)."""
    st.header("What leaving the scaling out does")
    if not lesson.predict(
        "largest",
        f"Random queries and keys of {PAPER[2]} numbers, {PAPER[0]} tokens, no scaling. How much goes to the token that gets "
        "most, on average?",
        {"40 %": 0.4, "60 %": 0.6, "95 %": 0.95},
        lambda: scaling((PAPER[2],), scaled=False).largest[0],
        f"Computed over {QUERIES} random queries: {{:.0%}}. Softmax has all but chosen one token.",
    ):
        return
    divided, raw = scaling(DIMS, scaled=True), scaling(DIMS, scaled=False)
    left, right = st.columns(2)
    with left:
        st.markdown("**Largest weight of a row**")
        lines = {"divided by √d_k": divided.largest, "not divided": raw.largest}
        alt = f"Largest weight at d_k {DIMS[-1]}: {divided.largest[-1]:.2f} divided, {raw.largest[-1]:.2f} not."
        chart(
            two_lines(DIMS, lines, "d_k", "mean over rows", 260, logarithmic="x"),
            key="largest",
            alt=alt,
        )
    with right:
        st.markdown("**Gradient that reaches a query**")
        lines = {"divided by √d_k": divided.gradient, "not divided": raw.gradient}
        alt = f"Gradient at d_k {DIMS[-1]}: {divided.gradient[-1]:.2f} divided, {raw.gradient[-1]:.3f} not."
        chart(
            two_lines(DIMS, lines, "d_k", "median over queries", 260, logarithmic="x"),
            key="gradient",
            alt=alt,
        )
    st.caption(
        f"{QUERIES} random queries, {PAPER[0]} random keys each. The gradient: how much a query's weights change with its "
        "numbers "
        "(size of the derivative). Divided, both hardly depend on d_k. Not divided, half of the queries have a gradient "
        f"below {raw.gradient[-1]:.4f} at d_k = {DIMS[-1]}: softmax has chosen one token, whatever the loss says hardly "
        "anything comes back, and such queries stop learning (Vaswani et al. 2017, section 3.2.1)."
    )
    lesson.code(scaling, "How the two charts come about.")


def heads(lesson: Lesson) -> None:
    """Split, attend, join."""
    st.header("Heads: split, attend, join")
    count = lesson.choose(
        "heads",
        "Heads",
        HEADS,
        3,
        f"How many parts the {WIDTH} numbers of each token are split into.",
    )
    config = ModelConfig(embed_dim=WIDTH, num_heads=count)
    module = Attention(config, torch.Generator())
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(generator=generator, std=0.4)
        x = torch.randn(T, WIDTH, generator=generator)
        whole = module(x[None])[0][0].numpy()
        q = module.qkv(x)[:, :WIDTH].numpy()
    weights, joined = heads_by_hand(module, x)
    st.markdown(
        f"{T} tokens of {WIDTH} numbers. $Q$, $K$ and $V$ of {T} × {WIDTH} are **split** into {count} parts of "
        f"$d_k$ = {WIDTH} / {count} = {config.head_dim} columns. Each part **attends** for itself. The {count} results are "
        f"**joined** to {T} × {WIDTH} again, and a last matrix mixes them."
    )
    _shaded(f"Split: Q, {T} × {WIDTH}, in {count} times {config.head_dim} columns", q, cuts=count)
    for head, column in enumerate(st.columns(max(3, count))[:count]):
        with column:
            st.markdown(f"**Attend: head {head + 1}**")
            chart(
                numbers(weights[head], most=1.0),
                key=f"head-{head}",
                alt=f"Weights of head {head + 1}: {_listed(weights[head][0])}, …",
            )
    _shaded(f"Join, and mix: {T} × {WIDTH}", joined)
    st.caption(
        "One matrix of weights a head: the same tokens, other queries and keys, another pattern. Computed head by head, the "
        f"joined result differs from the module of this app by at most {np.abs(whole - joined).max():.7f}, which is rounding."
    )
    lesson.code(Attention, "All heads at once: the split is a `reshape`, the join is one, too.")


def two_divisors(lesson: Lesson) -> None:
    """The formula and the code of the paper differ."""
    st.header("Formula and code of the paper differ")
    shape = ModelConfig()
    st.markdown(
        "The annotation's formula divides by $\\sqrt{d_k}$, its listing by `emb_size ** 0.5`, the square root of the whole "
        f"embedding. With its {shape.embed_dim} numbers and {shape.num_heads} heads that is {shape.embed_dim**0.5:.2f} in "
        f"place of {shape.head_dim**0.5:.2f}: every score is $\\sqrt{{{shape.num_heads}}}$ = {shape.num_heads**0.5:.2f} times "
        "too small, and every attention flatter than meant. A model that is trained that way can learn larger weights to make "
        "up for it. What does the wrong divisor cost a model that was trained with the right one?"
    )
    run, _ = plain_vit()
    trained = run.model
    if lesson.predict(
        "divisor-accuracy",
        f"The example that ships with the app was trained with $\\sqrt{{d_k}}$ = {trained.head_dim**0.5:.2f}. What is left "
        f"of its accuracy if we divide by $\\sqrt{{{trained.embed_dim}}}$ = {trained.embed_dim**0.5:.2f} instead?",
        {"nearly all": 0.9, "about half": 0.45, "chance (10 %)": 0.1},
        lambda: two_accuracies(run.id)["code"][0],
        f"It still names {{:.0%}} of {SAMPLE} test images rightly.",
    ):
        found = two_accuracies(run.id)
        rows = [
            "| Divided by | Accuracy | Entropy of the last layer's attention |",
            "|---|---:|---:|",
        ]
        rows += [
            f"| {name} = {number:.2f} | {found[key][0]:.1%} | {found[key][1]:.2f} bits |"
            for key, name, number in (
                ("formula", "√d_k", trained.head_dim**0.5),
                ("code", "√embed_dim", trained.embed_dim**0.5),
            )
        ]
        st.markdown("\n".join(rows))
        st.caption(
            "Entropy says how evenly attention is spread: 0 bits is all on one token, "
            f"{np.log2(trained.num_tokens):.2f} bits is even over all {trained.num_tokens}."
        )
    lesson.code(divided_by, "The same weights, another divisor.")


@st.cache_data(show_spinner="Asking the model with both divisors …")
def two_accuracies(run_id: str) -> dict[str, tuple[float, float]]:
    """Accuracy over SAMPLE test images and entropy of the last layer's attention, with the formula's divisor and the code's."""
    (run, model), split = plain_vit(), first_pictures(SAMPLE)
    images, found = normalize(split.images), {}
    for key, number in (("formula", run.model.head_dim**0.5), ("code", run.model.embed_dim**0.5)):
        changed = divided_by(model, number)
        accuracy, _ = accuracy_and_loss(changed, images, split.labels)
        with torch.inference_mode():
            found[key] = accuracy, entropy(changed.trace(images)[1].attention[-1])
    return found
