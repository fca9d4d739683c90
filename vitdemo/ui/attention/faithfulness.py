"""Faithfulness: deletion, insertion, and shuffled weights as a sanity check."""

import numpy as np
import streamlit as st

from ...explain.faithfulness import (
    RANDOM,
    Curves,
    Verdict,
    curves,
    order_of,
    random_orders,
    scores_over,
    verdict,
)
from ...explain.methods import Method
from ...explain.randomization import similarities
from ...figures.faithfulness import removal_curves, similarity_by_stage
from ..chart import chart
from ..task_panel import task_panel
from .attribution import known_map
from .case import CASE_HASHES, Case
from .sample import is_slow, sample_of

RANDOM_ORDERS, POINTS = 10, 17  # that the picture is compared with, and on each curve
FEW_RANDOM_ORDERS, FEW_POINTS = 5, 9  # the same for a large model
SAMPLE, SAMPLE_POINTS = 100, 9  # pictures of the long check, and points on its curves
HEIGHT = 300


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
    st.subheader("This picture")
    _this_picture(case, methods, slow)
    _sample(case, for_sample)
    st.subheader("Sanity check: shuffled weights")
    _sanity_check(case, for_sample, slow)


def _this_picture(case: Case, methods: dict[str, Method], slow: bool) -> None:
    """Delete and insert patches in the order of each map, and in random orders."""
    orders, points = (FEW_RANDOM_ORDERS, FEW_POINTS) if slow else (RANDOM_ORDERS, POINTS)
    total = len(methods) + orders

    def steps():
        for method in methods.values():
            yield _curves(case, method, points)
        for number in range(orders):
            yield _random_curves(case, number, points)

    def show_all(results: tuple[Curves, ...]) -> None:
        if len(results) == total:
            by_method = dict(zip(methods, results, strict=False))
            _draw_curves(case, by_method, list(results[len(methods) :]))

    task_panel(
        ("curves", *case.key, *methods.values()),
        total,
        steps,
        "Check this picture",
        "patch orders",
        show_all,
        f"{2 * points} predictions for each map and for each of {orders} random orders.",
        auto_start=not slow,
    )


@st.cache_data(max_entries=512, show_spinner=False, hash_funcs=CASE_HASHES)
def _curves(case: Case, method: Method, points: int) -> Curves:
    order = order_of(known_map(case, method))
    return curves(case.model, case.images[0], case.class_, [order], points)[0]


@st.cache_data(max_entries=512, show_spinner=False, hash_funcs=CASE_HASHES)
def _random_curves(case: Case, number: int, points: int) -> Curves:
    *_, order = random_orders(case.run.model.num_patches, number + 1)
    return curves(case.model, case.images[0], case.class_, [order], points)[0]


def _draw_curves(case: Case, by_method: dict[str, Curves], random: list[Curves]) -> None:
    fractions, alt = random[0].fractions, f"Probability of {case.class_name} by fraction of patches"
    left, right = st.columns(2)
    with left:
        st.markdown("**Deletion**: lower is more faithful")
        values = {name: found.deletion for name, found in by_method.items()}
        baseline = np.stack([found.deletion for found in random])
        areas = ", ".join(f"{name} {found.deletion_auc:.2f}" for name, found in by_method.items())
        figure = removal_curves(fractions, values, baseline, "occluded", HEIGHT)
        chart(figure, key="deletion", alt=f"{alt}, deletion; AUC: {areas}")
    with right:
        st.markdown("**Insertion**: higher is more faithful")
        values = {name: found.insertion for name, found in by_method.items()}
        baseline = np.stack([found.insertion for found in random])
        areas = ", ".join(f"{name} {found.insertion_auc:.2f}" for name, found in by_method.items())
        figure = removal_curves(fractions, values, baseline, "shown", HEIGHT)
        chart(figure, key="insertion", alt=f"{alt}, insertion; AUC: {areas}")
    st.caption(
        "A map is faithful if the patches that it ranks highest matter most for the prediction. "
        "*Deletion*: patches are occluded with the picture's mean color, highest-ranked first. "
        "*Insertion*: the picture starts fully occluded, and patches are revealed in the same "
        f"order. For a faithful map, the probability of {case.class_name} falls earlier (deletion) "
        f"and rises earlier (insertion) than for random orders. Gray: the range of {len(random)} "
        "random orders, and their mean (dotted). V. Petsiuk, A. Das and K. Saenko, *RISE*, 2018, "
        "section 3.2."
    )
    _table(by_method, random)


def _table(by_method: dict[str, Curves], random: list[Curves]) -> None:
    rows = [
        "| Map | Deletion | Insertion | Score | Better |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, found in by_method.items():
        better = found.better_than(random)
        rows.append(
            f"| {name} | {found.deletion_auc:.3f} | {found.insertion_auc:.3f} | {found.score:+.3f} "
            f"| {better}/{len(random)} |"
        )
    deletion = np.mean([found.deletion_auc for found in random])
    insertion = np.mean([found.insertion_auc for found in random])
    score = np.mean([found.score for found in random])
    rows.append(f"| random | {deletion:.3f} | {insertion:.3f} | {score:+.3f} | |")
    st.markdown("\n".join(rows))
    st.caption(
        "Deletion and insertion: area under the curve (AUC). Score: insertion AUC minus deletion "
        "AUC; higher is more faithful. Better: number of random orders with a lower score. One "
        "picture proves little, so check more pictures below."
    )


def _sample(case: Case, methods: dict[str, Method]) -> None:
    """Compare each method with random orders over many pictures."""
    sample = sample_of(case.run, SAMPLE)
    count = len(sample)
    st.subheader(f"{count} pictures")
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


def _sanity_check(case: Case, methods: dict[str, Method], slow: bool) -> None:
    """Compare each map with the maps of models whose weights are shuffled from the top down."""
    stages = case.run.model.depth + 2
    compare = _compared_step_by_step if slow else _compared

    def steps():
        for method in methods.values():
            yield from compare(case, method)

    def show_all(results: tuple[tuple[str, float], ...]) -> None:
        if len(results) == stages * len(methods):
            found = {}
            for number, name in enumerate(methods):
                own = results[number * stages : (number + 1) * stages]
                found[name] = [value for _, value in own]
            _draw_similarities(found, [stage for stage, _ in results[:stages]])

    task_panel(
        ("randomization", *case.key, *methods.values()),
        stages * len(methods),
        steps,
        "Shuffle the weights",
        "maps of shuffled models",
        show_all,
        "Shuffles the weights from the head down to the embedding and recomputes each method's "
        "map.",
        auto_start=not slow,
    )


def _compared_step_by_step(case: Case, method: Method):
    """Yield stage and similarity."""
    return similarities(
        case.model, lambda model: method(model, case.images, case.classes)[0].detach()
    )


@st.cache_data(max_entries=512, show_spinner=False, hash_funcs=CASE_HASHES)
def _compared(case: Case, method: Method) -> list[tuple[str, float]]:
    """Return the same for a small model at once, so that it need not be computed again."""
    return list(_compared_step_by_step(case, method))


def _draw_similarities(found: dict[str, list[float]], stages: list[str]) -> None:
    chart(
        similarity_by_stage(found, stages, HEIGHT),
        key="similarity",
        alt="Rank correlation of each method's map with its own after all weights are shuffled: "
        + ", ".join(f"{name} {values[-1]:.2f}" for name, values in found.items()),
    )
    st.caption(
        "The numbers in each weight tensor are shuffled: first in the classification head, then "
        "also in the last block, and so on down to the embedding. 1: the map still ranks the "
        "patches as before. About 0: nothing is left of the ranking, as it should be, since the "
        "model has lost what it learned. A map that hardly changes reflects the picture or the "
        "architecture, not what the model learned. Shuffling the head alone cannot change "
        "attention, which is computed before it. J. Adebayo et al., *Sanity Checks for Saliency "
        "Maps*, 2018, section 4.1, with shuffled instead of reinitialized weights."
    )
