"""Judge: does a method's map tell the truth about this model? Deletion and insertion beside chance, and shuffled weights."""

from functools import partial

import numpy as np
import streamlit as st
import torch

from ...explain.faithfulness import (
    CHANCE,
    Curves,
    Verdict,
    area,
    curves,
    gaps_over,
    order_of,
    random_orders,
    verdict,
)
from ...explain.randomization import similarities
from ...figures.faithfulness import removal, similarity
from ...model import VisionTransformer
from ...runs.run import Run
from ..chart import chart
from ..task_panel import task_panel
from .attribution import Case, key_of, map_of
from .sample import pictures_of, sample, slow

RANDOM_ORDERS, POINTS = 10, 17  # that the picture on screen is compared with, and of each curve
FEW_RANDOM_ORDERS, FEW_POINTS = 5, 9  # the same of a large model
SAMPLE, SAMPLE_POINTS = 100, 9  # pictures of the long check, and points of its curves
HEIGHT = 300


def show(run: Run, case: Case, asked: dict[str, partial]) -> None:
    """This picture, a sample of pictures, and the check with shuffled weights."""
    large = slow(case.model.config)
    if large and map_of(case, "occlusion", asked["occlusion"]) is None:
        asked = {name: method for name, method in asked.items() if name != "occlusion"}
        st.info(
            "Occlusion is left out: of so large a model it takes a while. Work it out under *Follow* first."
        )
    st.subheader("This picture")
    if large:
        _this_picture_later(case, asked)
    else:
        found = {
            name: _curves((*case.key, *key_of(name, method)), case, name, method)
            for name, method in asked.items()
        }
        _this_picture(case, found, _chance(case.key, case))
    _sample(run, case, asked)
    st.subheader("Does it depend on what was learned?")
    asked = {name: method for name, method in asked.items() if not large or name != "occlusion"}
    if large:
        _randomization_later(case, asked)
    else:
        checked = {
            name: _similarities((*case.key, *key_of(name, method)), case, method)
            for name, method in asked.items()
        }
        _randomization(
            {name: list(stages.values()) for name, stages in checked.items()},
            list(checked["attention"]),
        )


def _this_picture(case: Case, found: dict[str, Curves], chance: list[Curves]) -> None:
    left, right = st.columns(2)
    for column, part, better in (
        (left, "deletion", "lower is better"),
        (right, "insertion", "higher is better"),
    ):
        with column:
            st.markdown(f"**{part.capitalize()}**: {better}")
            chart(
                removal(found, chance, part, HEIGHT),
                key=part,
                alt=f"Probability of {case.class_name} by share of patches, {part}; areas: "
                + ", ".join(
                    f"{name} {area(one.shares, getattr(one, part)):.2f}"
                    for name, one in found.items()
                ),
            )
    st.caption(
        "Patches are covered with the picture's mean color, those first that a method ranks highest, and the model is asked "
        f"for {case.class_name} again (*deletion*); or all are covered and uncovered in the same order (*insertion*). If "
        f"a map is true, deletion falls at once and insertion rises at once. Gray: {len(chance)} random orders, from the "
        "least to the most, and their mean (dotted). V. Petsiuk, A. Das and K. Saenko, *RISE*, 2018, section 3.2."
    )
    by_chance = [one.gap for one in chance]
    rows = ["| Map | Delete | Insert | Gap | Beats |", "|---|---:|---:|---:|---:|"]
    for name, one in found.items():
        deletion, insertion = (
            area(one.shares, getattr(one, part)) for part in ("deletion", "insertion")
        )
        beaten = sum(one.gap > other for other in by_chance)
        rows.append(
            f"| {name} | {deletion:.3f} | {insertion:.3f} | {one.gap:+.3f} | {beaten}/{len(by_chance)} |"
        )
    deletion, insertion = (
        np.mean([area(one.shares, getattr(one, part)) for one in chance])
        for part in ("deletion", "insertion")
    )
    rows.append(f"| random | {deletion:.3f} | {insertion:.3f} | {np.mean(by_chance):+.3f} | |")
    st.markdown("\n".join(rows))
    st.caption(
        "Areas under the curves of deletion and insertion. Gap: insertion minus deletion. *Beats*: how many of the random "
        "orders have a smaller gap. One picture proves little: see below."
    )


@st.cache_data(max_entries=256, show_spinner="Covering and uncovering patches …")
def _curves(key: tuple, _case: Case, _name: str, _method: partial) -> Curves:
    order = order_of(map_of(_case, _name, _method))
    return curves(_case.model, _case.images[0], _case.class_, [order], POINTS)[0]


@st.cache_data(max_entries=64, show_spinner="Covering and uncovering patches …")
def _chance(key: tuple, _case: Case) -> list[Curves]:
    orders = random_orders(_case.model.config.num_patches, RANDOM_ORDERS)
    return curves(_case.model, _case.images[0], _case.class_, orders, POINTS)


def _grid(case: Case, name: str, method: partial) -> np.ndarray:
    """`map_of` for a background thread, which has none of Streamlit's caches."""
    if name == "occlusion":
        return map_of(case, name, method)
    return method(case.model, case.images, case.classes)[0].numpy(force=True)


def _options(asked: dict[str, partial]) -> tuple:
    return tuple(key_of(name, method) for name, method in asked.items())


def _this_picture_later(case: Case, asked: dict[str, partial]) -> None:
    """Of a large model: an order a step."""
    total = len(asked) + FEW_RANDOM_ORDERS

    def steps():
        orders = [order_of(_grid(case, name, method)) for name, method in asked.items()]
        for order in orders + random_orders(case.model.config.num_patches, FEW_RANDOM_ORDERS):
            yield curves(case.model, case.images[0], case.class_, [order], FEW_POINTS)[0]

    def show_all(answers: tuple[Curves, ...]) -> None:
        if len(answers) == total:
            _this_picture(
                case, dict(zip(asked, answers, strict=False)), list(answers[len(asked) :])
            )

    task_panel(
        ("curves", *case.key, *_options(asked)),
        total,
        steps,
        "Check this picture",
        "orders",
        show_all,
        f"The model is asked {2 * FEW_POINTS} times for each map and each of {FEW_RANDOM_ORDERS} random orders.",
    )


def _sample(run: Run, case: Case, asked: dict[str, partial]) -> None:
    if slow(case.model.config):
        asked = {name: method for name, method in asked.items() if name != "occlusion"}
    pictures, (images, _) = pictures_of(run, SAMPLE), sample(run, case.model, SAMPLE)
    st.subheader(f"{pictures} pictures")
    st.caption(
        "Whether a method is more faithful than chance for this model takes more than one picture."
    )
    task_panel(
        ("faithfulness", *run.version, *_options(asked)),
        pictures,
        lambda: gaps_over(case.model, images, asked, SAMPLE_POINTS),
        f"Check over {pictures} pictures",
        "pictures",
        lambda answers: _verdicts(answers) if len(answers) > 1 else None,
        "Deletion and insertion for each of the first validation images, by every method and in a random order.",
    )


def _verdicts(answers: tuple[dict[str, float], ...]) -> None:
    """A sentence for each method."""
    st.markdown(
        "\n".join(
            f"- {_sentence(name, verdict((one[name], one[CHANCE]) for one in answers))}"
            for name in answers[0]
            if name != CHANCE
        )
    )
    st.caption(
        f"Over {len(answers)} pictures, for the class that the model names. Gap: area under insertion minus area under "
        "deletion. ±: the 95 % interval of the mean difference on the same picture. A map that is no more faithful than chance "
        "may be pretty, but does not say what the answer hung on."
    )


def _sentence(name: str, found: Verdict) -> str:
    icon = {"more": ":green[:material/check_circle:]", "less": ":red[:material/cancel:]"}
    return (
        f"{icon.get(found.word, ':gray[:material/help:]')} **{name}** is **{found.word} faithful than chance** for this model: "
        f"gap {found.gap:+.3f}, random orders {found.chance:+.3f}, difference {found.lead:+.3f} ± {found.margin:.3f}."
    )


def _randomization(found: dict[str, list[float]], stages: list[str]) -> None:
    chart(
        similarity(found, stages, HEIGHT),
        key="similarity",
        alt="Rank correlation of each method's map with its own after all weights are shuffled: "
        + ", ".join(f"{name} {values[-1]:.2f}" for name, values in found.items()),
    )
    st.caption(
        "The numbers in each weight tensor are put in another order, first in the head, then in the last block as well, and so "
        "on down. 1: the map ranks the patches as before. About 0: nothing of it is left, as it should be, since the model has "
        "forgotten everything. A map that stays shows the picture or the architecture, not what the model learned. Attention "
        "cannot change with the head, which comes after it. J. Adebayo et al., *Sanity Checks for Saliency Maps*, 2018, "
        "section 4.1, with shuffled instead of new weights."
    )


def _explain(case: Case, method: partial, model: VisionTransformer) -> torch.Tensor:
    return method(model, case.images, case.classes)[0].detach()


@st.cache_data(max_entries=256, show_spinner="Shuffling weights …")
def _similarities(key: tuple, _case: Case, _method: partial) -> dict[str, float]:
    """Of each stage of the shuffling."""
    return dict(similarities(_case.model, partial(_explain, _case, _method)))


def _randomization_later(case: Case, asked: dict[str, partial]) -> None:
    """Of a large model: a stage of one method a step."""
    stages = case.model.config.depth + 2

    def steps():
        for method in asked.values():
            yield from similarities(case.model, partial(_explain, case, method))

    def show_all(answers: tuple[tuple[str, float], ...]) -> None:
        if len(answers) == stages * len(asked):
            values = [value for _, value in answers]
            found = {
                name: values[place * stages : (place + 1) * stages]
                for place, name in enumerate(asked)
            }
            _randomization(found, [stage for stage, _ in answers[:stages]])

    task_panel(
        ("randomization", *case.key, *_options(asked)),
        stages * len(asked),
        steps,
        "Shuffle the weights",
        "maps of shuffled models",
        show_all,
        "From the head down to the embedding, for each method.",
    )
