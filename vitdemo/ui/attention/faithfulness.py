"""Faithfulness: deletion, insertion, and shuffled weights as a sanity check."""

import numpy as np
import streamlit as st

from ...explain.faithfulness import (
    RANDOM,
    Curves,
    Verdict,
    area_under,
    curves,
    order_of,
    random_orders,
    scores_over,
    verdict,
)
from ...explain.methods import Method
from ...figures.faithfulness import removal_curves
from ..chart import chart
from ..task_panel import task_panel
from ..wording import plain
from . import sanity_check
from .attribution import known_map
from .case import CASE_HASHES, Case
from .sample import is_slow, sample_of

RANDOM_ORDERS, POINTS = 10, 17  # that the picture is compared with, and on each curve
FEW_RANDOM_ORDERS, FEW_POINTS = 5, 9  # the same for a large model
SAMPLE, SAMPLE_POINTS = 100, 9  # pictures of the long check, and points on its curves
HEIGHT = 300
LIMITS = (
    "- **Occluded pictures are unlike those that the model was trained on.** Their probability can "
    "fall because they look strange, not because evidence is gone, and it does so in any order. "
    "That is why the random orders are here. Retraining on occluded pictures would avoid it (S. "
    "Hooker et al., *A Benchmark for Interpretability Methods in Deep Neural Networks*, 2019).\n"
    "- **Occlusion has a head start.** Its map is computed by occluding patches with the mean "
    "color, which is how deletion and insertion test it.\n"
    "- **A true map can fall late.** If a picture has the same evidence in several places, the "
    "prediction holds until the last of them is occluded.\n\n"
    "Deletion and insertion are those of V. Petsiuk, A. Das and K. Saenko, *RISE*, 2018, with "
    "differences: here patches are occluded, not pixels, and with the mean color; there, insertion "
    "starts from a blurred picture."
)


def show(case: Case, methods: dict[str, Method]) -> None:
    """Draw the three checks: this picture, a sample of pictures, shuffled weights."""
    slow = is_slow(case.run.model)
    for_sample = {name: method for name, method in methods.items() if name != "occlusion"}
    if not slow:
        for_sample = methods
    elif known_map(case, methods["occlusion"]) is None:
        methods = for_sample
        st.info(
            "Occlusion is left out because it is slow for a model this large. Compute it under "
            "*Attribution* first."
        )
    st.header("This picture")
    checked = _this_picture(case, methods, slow)
    _sample(case, for_sample)
    st.header("Sanity check: shuffled weights")
    sanity_check.show(case, for_sample, slow, after=checked)


def _this_picture(case: Case, methods: dict[str, Method], slow: bool) -> tuple:
    """Delete and insert patches in the order of each map, and in random orders.

    Returns:
        The key of the task.
    """
    key = ("curves", *case.key, *methods.values())
    orders, points = (FEW_RANDOM_ORDERS, FEW_POINTS) if slow else (RANDOM_ORDERS, POINTS)
    total = len(methods) + orders

    def steps():
        for method in methods.values():
            yield _curves(case, method, points)
        for number in range(orders):
            yield _random_curves(case, number, points)

    def show_all(results: tuple[Curves, ...]) -> None:
        by_method = dict(zip(methods, results, strict=False))
        _draw_curves(case, by_method, list(results[len(methods) :]))

    task_panel(
        key,
        total,
        steps,
        "Check this picture",
        "patch orders",
        show_all,
        f"{2 * points} predictions for each map and for each of {orders} random orders.",
        auto_start=not slow,
    )
    return key


@st.cache_data(max_entries=512, show_spinner=False, hash_funcs=CASE_HASHES)
def _curves(case: Case, method: Method, points: int) -> Curves:
    order = order_of(known_map(case, method))
    return curves(case.model, case.images[0], case.class_, [order], points)[0]


@st.cache_data(max_entries=512, show_spinner=False, hash_funcs=CASE_HASHES)
def _random_curves(case: Case, number: int, points: int) -> Curves:
    *_, order = random_orders(case.run.model.num_patches, number + 1)
    return curves(case.model, case.images[0], case.class_, [order], points)[0]


def _draw_curves(case: Case, by_method: dict[str, Curves], random: list[Curves]) -> None:
    """Draw the curves that are known so far."""
    left, right = st.columns(2)
    with left:
        st.markdown("**Deletion**: lower is more faithful")
        _chart("deletion", "occluded", case.class_name, by_method, random)
    with right:
        st.markdown("**Insertion**: higher is more faithful")
        _chart("insertion", "shown", case.class_name, by_method, random)
    st.caption(
        "A map is faithful if the patches that it ranks highest matter most for the prediction. "
        "*Deletion*: patches are occluded with the picture's mean color, highest-ranked first. "
        "*Insertion*: the picture starts fully occluded, and patches are revealed in the same "
        f"order. For a faithful map, the probability of {plain(case.class_name)} falls earlier "
        "(deletion) and rises earlier (insertion) than for random orders. Gray: the range of "
        f"{len(random)} random orders, and their mean (dotted)."
    )
    if by_method and random:
        _table(by_method, random)
    with st.expander("What this can and cannot show", icon=":material/help:"):
        st.markdown(LIMITS)


def _chart(
    kind: str, what: str, class_: str, by_method: dict[str, Curves], random: list[Curves]
) -> None:
    """Draw the deletion or the insertion curves."""
    every = [*by_method.values(), *random]
    fractions = every[0].fractions if every else np.array([0.0, 1.0])
    areas = ", ".join(
        f"{name} {area_under(fractions, getattr(found, kind)):.2f}"
        for name, found in by_method.items()
    )
    chart(
        removal_curves(
            fractions,
            {name: getattr(found, kind) for name, found in by_method.items()},
            np.array([getattr(found, kind) for found in random]),
            what,
            HEIGHT,
        ),
        key=kind,
        alt=f"Probability of {class_} by fraction of patches, {kind}; AUC: {areas}",
    )


def _table(by_method: dict[str, Curves], random: list[Curves]) -> None:
    rows = [
        f"| Map | Deletion | Insertion | Score | Better than random, of {len(random)} |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, found in by_method.items():
        better = found.better_than(random)
        rows.append(
            f"| {name} | {found.deletion_auc:.3f} | {found.insertion_auc:.3f} | {found.score:+.3f} "
            f"| {better} |"
        )
    deletion = np.mean([found.deletion_auc for found in random])
    insertion = np.mean([found.insertion_auc for found in random])
    score = np.mean([found.score for found in random])
    rows.append(f"| random | {deletion:.3f} | {insertion:.3f} | {score:+.3f} | |")
    st.markdown("\n".join(rows))
    st.caption(
        "Deletion and insertion: area under the curve (AUC). Score: insertion AUC minus deletion "
        "AUC; higher is more faithful. Better than random: how many of the random orders have "
        "a lower score. One picture proves little, so check more pictures below."
    )


def _sample(case: Case, methods: dict[str, Method]) -> None:
    """Compare each method with random orders over many pictures."""
    sample = sample_of(case.run, SAMPLE)
    count = len(sample)
    st.header(f"{count} pictures")
    st.caption("It takes many pictures to tell whether a method is faithful to this model.")
    task_panel(
        ("faithfulness", *case.run.version, *methods.values()),
        count,
        lambda: scores_over(case.model, sample.images, methods, SAMPLE_POINTS),
        f"Check {count} pictures",
        "pictures",
        lambda results: _verdicts(results) if len(results) > 1 else None,
        "Runs deletion and insertion on the first validation images, for each method and for a "
        "random order.",
    )


def _verdicts(results: tuple[dict[str, float], ...]) -> None:
    """Write a sentence for each method."""
    lines = []
    for name in results[0]:
        if name != RANDOM:
            found = verdict((scores[name], scores[RANDOM]) for scores in results)
            lines.append(f"- {_sentence(name, found)}")
    st.markdown("\n".join(lines))
    st.caption(
        f"Over {len(results)} pictures, for the class that the model predicts. Score: insertion "
        "AUC minus deletion AUC. Difference: mean over the same pictures, ± its 95% confidence "
        "interval. If the interval contains 0, these pictures cannot tell the method from "
        "random orders; more pictures might. A striking map is not always a faithful one."
    )


def _sentence(name: str, found: Verdict) -> str:
    icon, said = {
        "more": (":green[:material/check_circle:]", "is **more faithful than chance**"),
        "less": (":red[:material/cancel:]", "is **less faithful than chance**"),
        "unclear": (":gray[:material/help:]", "**cannot be told from chance**"),
    }[found.word]
    return (
        f"{icon} **{name}** {said} with {found.images} pictures: score "
        f"{found.score:+.3f}, random orders {found.random_score:+.3f}, difference "
        f"{found.difference:+.3f} ± {found.margin:.3f}."
    )
