"""Open the app under Streamlit's AppTest, without a browser, and read its pages."""

import json
from pathlib import Path

from streamlit.testing.v1 import AppTest

from vitdemo.config import ModelConfig
from vitdemo.data.cifar10 import CLASSES, Data, Split, load_cifar10
from vitdemo.runs.run import load_run, new_run
from vitdemo.runs.train_run import train_run
from vitdemo.ui.train.controls import GROUPS
from vitdemo.ui.train.settings import group_key

CAT, DOG = CLASSES.index("cat"), CLASSES.index("dog")
APP = str(Path(__file__).parents[1] / "app.py")


def open_app(page: str = "pages/train.py", **parameters) -> AppTest:
    """Open a page of the app with these URL parameters."""
    app = AppTest.from_file(APP, default_timeout=60)
    app.query_params.update({name: str(value) for name, value in parameters.items()})
    if page != "pages/train.py":
        app.switch_page(page)
    app.run()
    assert not app.exception
    return app


def open_groups(app: AppTest) -> None:
    """Open every group of settings on the Train page; they are empty until then."""
    for label in GROUPS:
        app.session_state[group_key(label)] = True
    app.run()


def by_label(widgets, label: str):
    """Return the only widget with a label."""
    found = [widget for widget in widgets if widget.label == label]
    assert len(found) == 1
    return found[0]


def sent(app: AppTest, key: str) -> dict:
    """Return the data of a component."""
    (part,) = [part for part in app.get("bidi_component") if part.key == key]
    return json.loads(part.proto.json)


def prediction_of(app: AppTest) -> list[str]:
    """Return the lines of the prediction on the Attention page."""
    return sent(app, "top_classes")["charts"][0]["title"].splitlines()


def trained_run(config, training):
    """Train a run on 20 images, with 10 validation images, and return it as saved."""
    run = new_run(config, training)
    list(train_run(run, load_cifar10(20, 10)))
    return load_run(run.id)


def two_class_run(training, **changes):
    """Train a run on 20 images of two classes, one's own arrays, and return it as saved.

    Args:
        training: settings of the run.
        changes: to the smallest of models.
    """
    few = {"patch_size": 16, "embed_dim": 8, "depth": 1, "num_heads": 2, "mlp_ratio": 1.0}
    run = new_run(ModelConfig(num_classes=2, **(few | changes)), training)
    photos = load_cifar10(200, 1).train
    chosen = (photos.labels == CAT) | (photos.labels == DOG)
    split = Split(photos.images[chosen], (photos.labels[chosen] == DOG).long())
    list(train_run(run, Data(split[:20], split[20:], ("cat", "dog"))))
    return load_run(run.id)


def table(app: AppTest, corner: str = "") -> list[list[str]]:
    """Return the cells of a table, head first: the first whose first cell starts with `corner`."""
    text = next(
        element.value for element in app.markdown if element.value.startswith(f"| {corner}")
    )
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    return [rows[0], *rows[2:]]


def captions_of(app: AppTest) -> str:
    """Return all captions on the page as one text."""
    return "\n".join(caption.value for caption in app.caption)
