"""Sanity check: does a map still look the same when the model has lost what it learned?"""

import numpy as np
import streamlit as st

from ...background import tasks
from ...explain.methods import Method
from ...explain.randomization import similarities, similarities_between, stages
from ...figures.faithfulness import similarity_by_stage
from ...runs.run import Run
from ..cached import model_of
from ..chart import chart
from ..task_panel import task_panel
from .case import CASE_HASHES, Case
from .sample import sample_of

SHUFFLES, FEW_SHUFFLES = 5, 2  # with different seeds; few for a large model
PICTURES = 12  # whose maps are compared with each other: 66 pairs
UNRELATED = "other pictures"  # the stage of their similarities
HEIGHT = 300
LONGEST = 600  # seconds that the check waits for the task before it

# The method's name, the stage, and a similarity; for UNRELATED those of all pairs of pictures.
Found = tuple[str, str, float | np.ndarray]


def show(case: Case, methods: dict[str, Method], slow: bool, after: tuple) -> None:
    """Compare each map with the maps of models whose weights are shuffled from the top down.

    Args:
        case: picture, model and class.
        methods: attribution methods by name.
        slow: whether the check waits for a button, as the model is large.
        after: key of a task that comes first.
    """
    shuffles = FEW_SHUFFLES if slow else SHUFFLES
    compare = _compared_step_by_step if slow else _compared

    def steps():
        tasks.wait(after, LONGEST)  # both together would use more threads than there are cores
        for seed in range(shuffles):
            for name, method in methods.items():
                for stage, value in compare(case, method, seed):
                    yield name, stage, value
                if seed == 0:
                    yield name, UNRELATED, _unrelated(case.run, method)

    count = shuffles * len(stages(case.run.model.depth)) + 1
    task_panel(
        ("randomization", *case.key, *methods.values()),
        len(methods) * count,
        steps,
        "Shuffle the weights",
        "maps of shuffled models",
        lambda results: _draw(case, results, shuffles),
        f"Shuffles the weights from the head down to the embedding, {shuffles} times, and "
        "recomputes each method's map.",
        auto_start=not slow,
    )


def _compared_step_by_step(case: Case, method: Method, seed: int):
    """Yield stage and similarity."""
    return similarities(
        case.model, lambda model: method(model, case.images, case.classes)[0].detach(), seed
    )


@st.cache_data(max_entries=2048, show_spinner=False, hash_funcs=CASE_HASHES)
def _compared(case: Case, method: Method, seed: int) -> list[tuple[str, float]]:
    """Return the same for a small model at once, so that it need not be computed again."""
    return list(_compared_step_by_step(case, method, seed))


@st.cache_data(max_entries=128, show_spinner=False, hash_funcs=CASE_HASHES)
def _unrelated(run: Run, method: Method) -> np.ndarray:
    """Return the similarity of a method's maps for different pictures, all pairs of them."""
    model, sample = model_of(run), sample_of(run, PICTURES)
    classes = model(sample.images).argmax(dim=1)
    return similarities_between(method(model, sample.images, classes).detach())


def _draw(case: Case, results: tuple[Found, ...], shuffles: int) -> None:
    """Draw the mean of the shuffles so far, and the range of unrelated maps."""
    names, shown = dict.fromkeys(name for name, _, _ in results), stages(case.run.model.depth)
    by_stage, unrelated = {}, {}
    for name, stage, value in results:
        if stage == UNRELATED:
            unrelated[name] = value
        else:
            by_stage.setdefault((name, stage), []).append(value)
    means = {
        name: [float(np.mean(by_stage.get((name, stage), np.nan))) for stage in shown]
        for name in names
    }
    pairs = np.concatenate([*unrelated.values(), np.empty(0)])
    chart(
        similarity_by_stage(means, shown, middle(pairs), HEIGHT),
        key="similarity",
        alt="Rank correlation of each method's map with its own after all weights are shuffled: "
        + ", ".join(f"{name} {values[-1]:.2f}" for name, values in means.items()),
    )
    ranges = ", ".join(
        f"{name} {round(low, 2) + 0.0:.2f} to {round(high, 2) + 0.0:.2f}"  # + 0.0: no "-0.00"
        for name, values in unrelated.items()
        if values.size
        for low, high in [middle(values)]
    )
    st.caption(_how_to_read(case, shuffles, ranges))


def middle(values: np.ndarray) -> tuple[float, float] | None:
    """Return the ends of the middle 95% of some numbers; None if there are none."""
    return tuple(np.percentile(values, [2.5, 97.5]).tolist()) if values.size else None


def _how_to_read(case: Case, shuffles: int, ranges: str) -> str:
    if case.run.model.pooling == "attention":
        head = (
            "Here the head includes the pooling layer, whose weights are part of all maps but "
            "occlusion, so they change with it. "
        )
    else:
        head = "Shuffling the head alone cannot change attention and rollout, computed before it. "
    return (
        "The numbers in each weight tensor are shuffled: first in the classification head, then "
        "also in the last block, and so on down to the embedding. 1: the map ranks the patches as "
        f"before; 0: the rankings have nothing in common; below 0: the reverse ranking. Mean of "
        f"{shuffles} shuffles. Gray: 95% of the correlations between maps of different pictures "
        f"({ranges}). Unrelated maps reach that, too, so read only what lies outside of it. A "
        "map that stays above it reflects the picture or the architecture, not what the model "
        f"learned. {head}After J. Adebayo et al., *Sanity Checks for Saliency Maps*, 2018, with "
        "shuffled instead of reinitialized weights."
    )
