"""Judge: does a method's map tell the truth about this model? Deletion and insertion beside chance, and shuffled weights."""

from functools import partial

import numpy as np
import streamlit as st
import torch

from ... import tasks
from ...data import CLASSES, normalise
from ...explain.faithfulness import CHANCE, Curves, Verdict, area, curves, gaps_over, order_of, random_orders, verdict
from ...explain.randomisation import similarities
from ...figures.faithfulness import removal, similarity
from ...model import VisionTransformer
from ...runs import Run
from ..chart import chart
from ..progress import progress
from ..results import validation_split
from ..run_picker import model_of
from .follow import Case, key_of, map_of

RANDOM_ORDERS = 10  # that the picture on screen is compared with
POINTS = 17  # of each curve
SAMPLE, SAMPLE_POINTS = 100, 9  # pictures of the long check, and points of its curves
POLL_SECONDS = 1.0
HEIGHT = 300


def show(run: Run, case: Case, asked: dict[str, partial]) -> None:
    """This picture, a sample of pictures, and the check with shuffled weights."""
    _this_picture(case, asked)
    _sample(run, asked)
    _randomisation(case, asked)


def _this_picture(case: Case, asked: dict[str, partial]) -> None:
    st.subheader("This picture")
    found = {name: _curves((*case.key, *key_of(name, method)), case, name, method) for name, method in asked.items()}
    chance = _chance(case.key, case)
    left, right = st.columns(2)
    for column, part, better in ((left, "deletion", "lower is better"), (right, "insertion", "higher is better")):
        with column:
            st.markdown(f"**{part.capitalize()}**: {better}")
            chart(
                removal(found, chance, part, HEIGHT),
                key=part,
                alt=f"Probability of {CLASSES[case.class_]} by share of patches, {part}; areas: "
                + ", ".join(f"{name} {area(one.shares, getattr(one, part)):.2f}" for name, one in found.items()),
            )
    st.caption(
        "Patches are covered with the picture's mean colour, those first that a method ranks highest, and the model is asked "
        f"for {CLASSES[case.class_]} again (*deletion*); or all are covered and uncovered in the same order (*insertion*). If "
        "a map is true, deletion falls at once and insertion rises at once. Grey: ten random orders, from the least to the "
        "most, and their mean (dotted). V. Petsiuk, A. Das and K. Saenko, *RISE*, 2018, section 3.2."
    )
    by_chance = [one.gap for one in chance]
    rows = ["| Map | Deletion | Insertion | Gap | Beats random |", "|---|---:|---:|---:|---:|"]
    for name, one in found.items():
        deletion, insertion = (area(one.shares, getattr(one, part)) for part in ("deletion", "insertion"))
        beaten = sum(one.gap > other for other in by_chance)
        rows.append(f"| {name} | {deletion:.3f} | {insertion:.3f} | {one.gap:+.3f} | {beaten} of {len(by_chance)} |")
    deletion, insertion = (
        np.mean([area(one.shares, getattr(one, part)) for one in chance]) for part in ("deletion", "insertion")
    )
    rows.append(f"| random | {deletion:.3f} | {insertion:.3f} | {np.mean(by_chance):+.3f} | |")
    st.markdown("\n".join(rows))
    st.caption(
        "Areas under the curves. Gap: insertion minus deletion. *Beats random*: how many random orders have a smaller gap. One "
        "picture proves little: see below."
    )


@st.cache_data(max_entries=256, show_spinner="Covering and uncovering patches …")
def _curves(key: tuple, _case: Case, _name: str, _method: partial) -> Curves:
    order = order_of(map_of(_case, _name, _method))
    return curves(_case.model, _case.images[0], _case.class_, [order], POINTS)[0]


@st.cache_data(max_entries=64, show_spinner="Covering and uncovering patches …")
def _chance(key: tuple, _case: Case) -> list[Curves]:
    orders = random_orders(_case.model.config.num_patches, RANDOM_ORDERS)
    return curves(_case.model, _case.images[0], _case.class_, orders, POINTS)


def _sample(run: Run, asked: dict[str, partial]) -> None:
    st.subheader(f"{SAMPLE} pictures")
    options = [key_of(name, method) for name, method in asked.items()]
    key = ("faithfulness", run.id, run.weights.stat().st_mtime, *options)

    def steps():
        return gaps_over(model_of(run), normalise(validation_split(run).images[:SAMPLE]), asked, SAMPLE_POINTS)

    pictures = min(SAMPLE, run.training.validation_images)
    standing = tasks.task(key)
    running = standing is not None and standing.state == "running"
    with st.container(horizontal=True):
        st.button(
            f"Check over {pictures} pictures",
            on_click=tasks.begin,
            args=(key, pictures, steps),
            disabled=running or (standing is not None and standing.state == "done"),
            icon=":material/fact_check:",
            help="Deletion and insertion for each of the first validation images, by every method and in a random order.",
        )
        st.button("Stop", on_click=tasks.stop, args=(key,), disabled=not running, key="stop_sample")
    st.fragment(_watch, run_every=POLL_SECONDS if running else None)(key, running)


def _watch(key: tuple, was_running: bool) -> None:
    standing = tasks.task(key)
    if standing is None:
        st.caption("Whether a method is more faithful than chance for this model takes more than one picture.")
        return
    if standing.state == "failed":
        st.error("The check broke off: the server's log says why. Start it again.")
        return
    if standing.state == "running":
        progress(len(standing.answers) / standing.total, f"{len(standing.answers)} of {standing.total} pictures")
    if len(standing.answers) > 1:
        _verdicts(standing.answers)
    if was_running and standing.state != "running":
        st.rerun()


def _verdicts(answers: tuple[dict[str, float], ...]) -> None:
    """A row and a sentence for each method."""
    rows = [
        "| Map | Gap | Random | Difference, 95 % | For this model |",
        "|---|---:|---:|---:|---|",
    ]
    for name in answers[0]:
        if name != CHANCE:
            found = verdict((one[name], one[CHANCE]) for one in answers)
            rows.append(
                f"| {name} | {found.gap:+.3f} | {found.chance:+.3f} | {found.lead:+.3f} ± {found.margin:.3f} "
                f"| {_sentence(found)} |"
            )
    st.markdown("\n".join(rows))
    st.caption(
        f"Over {len(answers)} pictures, for the class that the model names. The interval is that of the mean difference on the "
        "same picture. A map that is no more faithful than chance may be pretty, but does not say what the answer hung on."
    )


def _sentence(found: Verdict) -> str:
    icon = {"more": ":green[:material/check_circle:]", "less": ":red[:material/cancel:]"}
    return f"{icon.get(found.word, ':gray[:material/help:]')} {found.word} faithful than chance"


def _randomisation(case: Case, asked: dict[str, partial]) -> None:
    st.subheader("Does it depend on what was learnt?")
    checked = {name: _similarities((*case.key, *key_of(name, method)), case, method) for name, method in asked.items()}
    found = {name: list(stages.values()) for name, stages in checked.items()}
    stages = list(checked["attention"])
    chart(
        similarity(found, stages, HEIGHT),
        key="similarity",
        alt="Rank correlation of each method's map with its own after all weights are shuffled: "
        + ", ".join(f"{name} {values[-1]:.2f}" for name, values in found.items()),
    )
    st.caption(
        "The numbers in each weight tensor are put in another order, first in the head, then in the last block as well, and so "
        "on down. 1: the map ranks the patches as before. About 0: nothing of it is left, as it should be, since the model has "
        "forgotten everything. A map that stays shows the picture or the architecture, not what the model learnt. Attention "
        "cannot change with the head, which comes after it. J. Adebayo et al., *Sanity Checks for Saliency Maps*, 2018, "
        "section 4.1, with shuffled instead of new weights."
    )


@st.cache_data(max_entries=256, show_spinner="Shuffling weights …")
def _similarities(key: tuple, _case: Case, _method: partial) -> dict[str, float]:
    """Of each stage of the shuffling."""

    def explain(model: VisionTransformer) -> torch.Tensor:
        return _method(model, _case.images, _case.classes)[0].detach()

    return dict(similarities(_case.model, explain))
