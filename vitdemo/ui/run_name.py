"""The name of a run: one line that tells it from the others, in pickers, captions and downloads."""

import time

from ..runs.own_models import name_of
from ..runs.run import DAMAGED, TIME, Run
from ..runs.summary import RunSummary


def run_name(run: Run | RunSummary) -> str:
    """Return one line that tells a run from the others. A name that was given to it is not ours."""
    if run.state == DAMAGED:
        return _joined(run.about.name, run.id, DAMAGED)
    state = "" if run.state == "finished" else _state(run)
    accuracy = "" if run.accuracy is None else f"accuracy {run.accuracy:.1%}"
    return _joined(_origin(run), state, accuracy, _shape(run), *_amounts(run))


def _state(run: Run | RunSummary) -> str:
    """Return the state of a run. The page around a list does not follow it in more detail."""
    return "in progress" if run.active else run.state


def _origin(run: Run | RunSummary) -> str:
    """Return the run's own name and when it was started, or which model it is."""
    if run.origin == "shipped":
        return f"Shipped example ({run.id})"
    if run.origin == "imagenet":
        name = f"ImageNet ({run.id})"
        return name if run.has_weights else f"{name}, not downloaded yet"
    if run.origin == "own":
        return f"Your model ({name_of(run)})"
    started = time.strftime("%b %d %H:%M:%S", time.strptime(run.id[:15], TIME))
    return _joined(run.about.name, started)


def _shape(run: Run | RunSummary) -> str:
    """Return depth, heads and patch size of the run's model."""
    model = run.model
    patch = f"patch {model.patch_size}"
    patch = patch if model.stem == "patch" else f"{patch} (conv)"
    return _joined(f"depth {model.depth}", f"{model.num_heads} heads", patch)


def _amounts(run: Run | RunSummary) -> list[str]:
    if run.origin in ("imagenet", "own"):
        return []
    return [f"{run.training.train_images:,} images", f"{run.training.epochs} epochs"]


def _joined(*parts: str) -> str:
    return " · ".join(part for part in parts if part)
