"""The tabs of the page: each shows one picture and one model in its own way."""

from dataclasses import dataclass

import numpy as np

from ...runs.run import Run
from ..picture_picker import Picture
from . import ablation, attention_maps, attribution, faithfulness, heads, side_by_side, snapshots
from .case import Case, seen
from .state import CONTROLS, choose_tab
from .view import View, choose_view


@dataclass(frozen=True)
class Shown:
    """The model and the picture of the page, with the prediction."""

    run: Run
    picture: Picture
    probabilities: np.ndarray  # (K,) of the picture

    @property
    def prediction(self) -> Case:
        """The case of the predicted class."""
        return Case(self.run, self.picture, int(self.probabilities.argmax()))


def show(shown: Shown) -> tuple[str, View]:
    """Draw the tabs, the controls of the chosen one, and the tab; return which, and the view."""
    tab = choose_tab()
    view = choose_view(shown.run.model, CONTROLS[tab])
    run, picture = shown.run, shown.picture
    if tab == "attention":
        attention_maps.show(run.model, picture, seen(run, picture, view.norms), view)
        side_by_side.show(run, picture, view)
    elif tab in ("attribution", "faithfulness"):
        class_, methods = attribution.choose(shown.probabilities, run.classes, view)
        case = Case(run, picture, class_)
        if tab == "attribution":
            attribution.show(case, view, methods)
        else:
            faithfulness.show(case, methods)
    elif tab == "ablation":
        ablation.show(run, picture, shown.probabilities, view)
    elif tab == "training":
        snapshots.show(run, picture, view)
    else:
        heads.show(run, view)
    return tab, view
