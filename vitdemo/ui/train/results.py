"""After a run: the paper's table, who is taken for whom, the surest hits and misses, and everything to keep."""

import csv
import io
import json
from dataclasses import asdict, replace

import numpy as np
import streamlit as st

from ...config import PRESETS, ConfigError
from ...data.cifar10 import CLASSES
from ...explain.predictions import confusion_matrix, surest
from ...figures.curves import all_curves
from ...figures.predictions import confusion
from ...lessons.paper import TABLE_2
from ...runs.run import Run
from ...training.metrics import METRICS
from ..cached import probabilities_of, validation_split
from ..chart import chart
from ..run_picker import run_name

SHOWN = 6  # pictures of hits, and of misses
PICTURE_WIDTH = 104  # pixels; three fit side by side on a phone


def show_results(run: Run) -> None:
    """Everything about a run that has ended and has weights."""
    if not run.history or not run.has_weights:
        return
    table, right = st.columns([2, 3])
    with table:
        _table(run)
        st.page_link(
            "pages/attention.py", label="See where it looks", icon=":material/center_focus_strong:"
        )
        _downloads(run)
    try:
        split, probabilities = validation_split(run), probabilities_of(run)
    except ConfigError as error:
        right.warning(str(error))
        return
    labels = split.labels.numpy()
    first = "the first " * (len(labels) < run.training.validation_images)
    with right:
        st.header("Who is taken for whom")
        matrix = confusion_matrix(labels, probabilities.argmax(axis=1), len(CLASSES))
        chart(confusion(matrix, CLASSES), key="confusion", alt=_confusion_alt(matrix))
        st.caption(
            f"Confusion matrix over {first}{len(labels):,} validation images. Row: what the image is. Column: what the model "
            "calls it. Bright squares off the diagonal are its habits."
        )
    for hit, title in ((True, "Surest hits"), (False, "Surest misses")):
        st.header(title)
        _pictures(split, probabilities, labels, surest(probabilities, labels, hit, SHOWN))


def _table(run: Run) -> None:
    st.header("After the last epoch")
    last = run.history[-1]
    paper = (run.model, replace(run.training, seed=0)) == PRESETS["annotation"]
    show_metrics(last, paper)
    note = (
        " The paper's values are those of the annotation's Table 2 (section 1.5.4)."
        if paper
        else ""
    )
    st.caption(
        "AUROC, F1, precision and recall are computed for each class and averaged with the number of its images as "
        f"weight, so recall equals accuracy.{note}"
    )


def show_metrics(last: dict, paper: bool) -> None:
    """An epoch's metrics; if asked for in two tables, each beside what the paper printed."""
    ours = {"Train": last["train"], "Validation": last["validation"]}
    if not paper:
        st.markdown(_metrics("Metric", ours))
        return
    with st.container(horizontal=True):  # one below the other where there is no room
        for place, (part, values) in enumerate(ours.items()):
            printed = {key: pair[place] for key, pair in TABLE_2.items()}
            st.markdown(_metrics(part, {"Here": values, "Paper": printed}), width="content")


def _metrics(title: str, columns: dict[str, dict]) -> str:
    """In Markdown. Not for st.dataframe: it loads pandas and pyarrow, 60 MB that nothing else here needs."""
    rows = [[title, *columns], ["---", *["---:"] * len(columns)]]
    for key, (name, _) in METRICS.items():
        values = [column[key] for column in columns.values()]
        rows.append([name, *("none" if value is None else f"{value:.4f}" for value in values)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _pictures(split, probabilities: np.ndarray, labels: np.ndarray, chosen: np.ndarray) -> None:
    if not len(chosen):
        st.write("There are none.")
        return
    with st.container(horizontal=True):
        for index in chosen:
            called = probabilities[index].argmax()
            text = f"{CLASSES[called]} {probabilities[index, called]:.0%}"
            if called != labels[index]:
                text += f", is {CLASSES[labels[index]]}"
            image = split.images[index].permute(1, 2, 0).numpy().repeat(4, axis=0).repeat(4, axis=1)
            st.image(
                image, caption=text, alt=f"Validation image {index}: {text}", width=PICTURE_WIDTH
            )


def _downloads(run: Run) -> None:
    st.header("Keep it")
    name = f"vit-{run.id}"
    row = st.container(horizontal=True)
    row.download_button(
        "Metrics, CSV", lambda: metrics_csv(run), f"{name}.csv", "text/csv", on_click="ignore"
    )
    row.download_button(
        "Metrics, JSON",
        lambda: metrics_json(run),
        f"{name}.json",
        "application/json",
        on_click="ignore",
    )
    row.download_button(
        "Weights",
        run.weights.read_bytes,
        f"{name}.safetensors",
        on_click="ignore",
        help="safetensors",
    )
    row.download_button(
        "Charts, HTML",
        lambda: charts_html(run),
        f"{name}.html",
        "text/html",
        on_click="ignore",
        help="One file with all charts; it opens in any browser, without a network.",
    )


def metrics_csv(run: Run) -> str:
    """One line an epoch, a column for each metric of each part."""
    file = io.StringIO()
    parts = [(part, key) for part in ("train", "validation") for key in METRICS]
    writer = csv.writer(file)
    writer.writerow(
        ["epoch", *(f"{part}_{key}" for part, key in parts), "seconds", "images_per_second"]
    )
    for record in run.history:
        values = (record[part][key] for part, key in parts)
        writer.writerow([record["epoch"], *values, record["seconds"], record["images_per_second"]])
    return file.getvalue()


def metrics_json(run: Run) -> str:
    """Configuration and every epoch's record."""
    return json.dumps(asdict(run), indent=2)


def charts_html(run: Run) -> str:
    """Every chart in one page that needs no network."""
    title = f"Vision Transformer, {run_name(run)}"
    page = all_curves(run.history, run.training.epochs, title).to_html(include_plotlyjs=True)
    return page.replace("<head>", f"<head><title>{title}</title>", 1)


def _confusion_alt(matrix: np.ndarray) -> str:
    off = matrix - np.diag(np.diag(matrix))
    is_, called = np.unravel_index(off.argmax(), off.shape)
    return (
        f"Confusion matrix: {np.trace(matrix)} of {matrix.sum()} on the diagonal; the most frequent mistake is "
        f"{CLASSES[is_]} called {CLASSES[called]}, {off.max()} times."
    )
