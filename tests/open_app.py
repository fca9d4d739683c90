"""The app under Streamlit's AppTest, without a browser, and what tests ask of its pages."""

from pathlib import Path

from streamlit.testing.v1 import AppTest

from vitdemo.data.cifar10 import load_cifar10
from vitdemo.runs.run import load_run, new_run
from vitdemo.runs.train_run import train_run

APP = str(Path(__file__).parents[1] / "app.py")


def open_app(page: str = "pages/train.py", **address) -> AppTest:
    """The app at a page, with these parameters in the address."""
    app = AppTest.from_file(APP, default_timeout=60)
    app.query_params.update({name: str(value) for name, value in address.items()})
    if page != "pages/train.py":
        app.switch_page(page)
    app.run()
    assert not app.exception
    return app


def by_label(widgets, label: str):
    """The one widget of that label."""
    found = [widget for widget in widgets if widget.label == label]
    assert len(found) == 1
    return found[0]


def trained_run(config, training):
    """A finished run on disk, with 10 validation images."""
    run = new_run(config, training)
    list(train_run(run, load_cifar10(20, 10)))
    return load_run(run.id)


def table(app: AppTest, corner: str = "") -> list[list[str]]:
    """The cells of the first table on the page whose first cell begins so, its head first."""
    text = next(
        element.value for element in app.markdown if element.value.startswith(f"| {corner}")
    )
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    return [rows[0], *rows[2:]]


def captions_of(app: AppTest) -> str:
    """Every caption on the page."""
    return "\n".join(caption.value for caption in app.caption)
