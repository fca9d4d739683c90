"""Follow: which patches did the answer come from? Four methods side by side, each with its formula and source."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st
import torch

from ...background import tasks
from ...data.cifar10 import normalize
from ...explain.methods import METHODS
from ...explain.occlusion import occlusion_in_parts
from ...explain.rollout import FUSIONS
from ...figures.attention import overlay
from ...model import VisionTransformer
from ...runs.run import Run
from ..chart import chart
from ..picture_picker import Picture
from ..task_panel import task_panel
from .attention_maps import View
from .sample import slow
from .state import DISCARDS, WINDOWS

AT_A_TIME = 7  # patches of a large model, between two steps of its progress
TITLES = {
    "attention": "Attention of one layer",
    "rollout": "Attention rollout",
    "relevance": "Gradient-weighted relevance",
    "occlusion": "Occlusion",
}
UNITS = {
    "attention": "attention",
    "rollout": "share",
    "relevance": "relevance",
    "occlusion": "fall",
}
WORDS = {
    "attention": "What the class's token takes from each patch in one layer, most where it is bright. Quick, but blind to all "
    "other layers, and the same for every class.",
    "rollout": "What of each patch's embedding has reached it through all layers, most where it is bright, if attention and "
    "the residual connection were all there is. The same for every class.",
    "relevance": "Attention through all layers, but only where more of it would raise the class's logit. Bright patches speak "
    "for the class.",
    "occlusion": "How far the class's probability falls when the patch is covered with the picture's mean color. No "
    "attention is looked at: the model is only asked again. Orange patches speak for the class, purple ones against it.",
}
FORMULAS = {
    "attention": (
        r"A^{(l)}_h = \mathrm{softmax}\!\left(\frac{QK^\top}{\sqrt{d_k}}\right)",
        "A. Vaswani et al., *Attention Is All You Need*, 2017, equation 1; section 1.3.3 of the annotation. Without a head, "
        "the mean over all $h$.",
    ),
    "rollout": (
        r"\tilde A^{(l)} = \mathrm{rows}\!\left(\bar A^{(l)} + I\right), \qquad "
        r"R = \tilde A^{(L)} \cdots \tilde A^{(2)} \tilde A^{(1)}",
        "S. Abnar and W. Zuidema, *Quantifying Attention Flow in Transformers*, 2020, section 3. $\\bar A$ is the mean of the "
        "heads (or their largest or smallest entries), $\\mathrm{rows}$ divides each row by its sum. Discarding the smallest "
        "entries first is not in the paper.",
    ),
    "relevance": (
        r"\bar A^{(l)} = \frac1H \sum_h \left(\nabla A^{(l)}_h \odot A^{(l)}_h\right)^{+}, \qquad "
        r"R \leftarrow R + \bar A^{(l)} R",
        "H. Chefer, S. Gur and L. Wolf, *Generic Attention-model Explainability*, 2021, rules 5 and 6. $\\nabla A$ is the "
        "gradient of the class's logit, $^{+}$ leaves negative products out, and $R$ begins as the identity.",
    ),
    "occlusion": (
        r"\Delta_p = P(c \mid x) - P(c \mid x \text{ with patch } p \text{ covered})",
        "M. Zeiler and R. Fergus, *Visualizing and Understanding Convolutional Networks*, 2014, section 4.2.",
    ),
}


def choose(
    probabilities: np.ndarray, classes: tuple[str, ...], view: View
) -> tuple[int, dict[str, partial]]:
    """The class to explain, and every method with its options: model, pictures, classes -> (B, n, n)."""
    first, second, third, fourth = st.columns(4, vertical_alignment="bottom")
    best = classes[int(probabilities.argmax())]
    class_ = first.selectbox(
        "Class",
        ("answer", *classes),
        key="explained",
        persist_state="session",
        format_func=lambda name: f"the answer ({best})" if name == "answer" else name,
        help="Relevance and occlusion ask what speaks for this class. Take one that the model did not name to see why not.",
    )
    fusion = second.selectbox(
        "Heads in rollout",
        FUSIONS,
        key="fusion",
        persist_state="session",
        help="How the heads of a layer become one matrix: their mean, as in the paper, or for each pair of tokens the largest "
        "or the smallest.",
    )
    discard = third.selectbox(
        "Discarded in rollout",
        DISCARDS,
        key="discard",
        persist_state="session",
        format_func=lambda share: f"{share:.0%}",
        help="This share of each layer's matrix, its smallest entries, counts as 0. It makes the map clearer, not truer.",
    )
    window = fourth.selectbox(
        "Covered in occlusion",
        WINDOWS,
        key="window",
        persist_state="session",
        format_func=lambda side: "one patch" if side == 1 else f"{side} by {side} patches",
        help="How much is covered at a time. One patch is often too little to matter: its neighbors say the same.",
    )
    chosen = int(probabilities.argmax()) if class_ == "answer" else classes.index(class_)
    options = {
        "attention": {"layer": view.layer, "head": view.head},
        "rollout": {"fusion": fusion, "discard": discard},
        "relevance": {},
        "occlusion": {"window": window},
    }
    return chosen, {name: partial(METHODS[name], **options[name]) for name in METHODS}


@dataclass(frozen=True)
class Case:
    """What a map is asked about."""

    model: VisionTransformer
    images: torch.Tensor  # (1, C, H, W), normalized
    class_: int
    class_name: str
    key: tuple  # that no other model, picture and class have

    @property
    def classes(self) -> torch.Tensor:
        """(1,) int64."""
        return torch.tensor([self.class_])


def case_of(run: Run, model: VisionTransformer, picture: Picture, class_: int) -> Case:
    """This picture, asked of this run's model for this class."""
    return Case(
        model,
        normalize(picture.image[None]),
        class_,
        run.classes[class_],
        (*run.version, picture.digest, class_),
    )


def key_of(name: str, method: partial) -> tuple:
    """The method with its options."""
    return (name, *method.keywords.values())


def map_of(case: Case, name: str, method: partial) -> np.ndarray | None:
    """(n, n); computed once for each case and option, since a moved slider leaves most maps as they were.

    None for the occlusion of a large model, until `show` has asked for it and its answer is there.
    """
    if name == "occlusion" and slow(case.model.config):
        return _laid_out(tasks.results(_occlusion_key(case, method)), case)
    return _map_of((*case.key, *key_of(name, method)), case, method)


def _laid_out(parts: tuple | None, case: Case) -> np.ndarray | None:
    side = case.model.config.grid_size
    return None if parts is None else torch.cat(parts).reshape(side, side).numpy()


def _occlusion_key(case: Case, method: partial) -> tuple:
    return ("occlusion", *case.key, *key_of("occlusion", method))


@st.cache_data(max_entries=512, show_spinner=False)
def _map_of(key: tuple, _case: Case, _method: partial) -> np.ndarray:
    return _method(_case.model, _case.images, _case.classes)[0].numpy(force=True)


def show(case: Case, picture: Picture, view: View, asked: dict[str, partial]) -> None:
    """Each method's map over the picture."""
    for pair in (("attention", "rollout"), ("relevance", "occlusion")):
        for column, name in zip(st.columns(2), pair, strict=True):
            asks = f" ({view.where})" if name == "attention" else ""
            for_ = f" for {case.class_name}" if name in ("relevance", "occlusion") else ""
            with column:
                st.markdown(f"**{TITLES[name]}{for_}**{asks}")
                grid = map_of(case, name, asked[name])
                if grid is None:
                    _occlude(case, asked[name])
                else:
                    _draw(case, picture, view, name, grid, f"{TITLES[name]}{for_}{asks}")
                st.caption(WORDS[name])
                with st.expander("Formula and source", icon=":material/function:"):
                    formula, source = FORMULAS[name]
                    st.latex(formula)
                    st.markdown(source)


def _draw(
    case: Case, picture: Picture, view: View, name: str, grid: np.ndarray, title: str
) -> None:
    chart(
        overlay(
            picture.pixels,
            grid,
            case.model.config.patch_size,
            None,
            view.strength,
            smooth=view.smooth,
            unit=UNITS[name],
            signed=name == "occlusion",
        ),
        key=f"map-{name}",
        alt=f"{title} over the patches: from {grid.min():.3f} to {grid.max():.3f}.",
    )


def _occlude(case: Case, method: partial) -> None:
    """Of a large model: a button, then how far it is. The finished map is drawn by `show`."""
    patches = case.model.config.num_patches

    def steps():
        return occlusion_in_parts(
            case.model, case.images[0], case.class_, method.keywords["window"], AT_A_TIME
        )

    task_panel(
        _occlusion_key(case, method),
        -(-patches // AT_A_TIME),
        steps,
        f"Cover each of {patches} patches in turn",
        f"parts of {AT_A_TIME} patches",
        lambda parts: None,
        "The model is large: on two cores it takes about half a second a patch or less. You can go on meanwhile.",
    )
