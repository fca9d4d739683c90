"""Downloads of a run: metrics, weights and charts."""

import csv
import html
import io
from dataclasses import asdict

import streamlit as st

from ...data.cifar10 import MEAN, STD
from ...figures.curves import all_curves
from ...files import json_text
from ...runs.run import Run, load_weights
from ...runs.to_timm import timm_file, why_not
from ...training.metrics import METRICS
from ..run_name import run_name

TIMM_HELP = """The model for timm's `VisionTransformer`, with the same logits. To load it:

```python
with safe_open(path, "pt") as file:
    arguments = json.loads(file.metadata()["timm"])
    model = VisionTransformer(**arguments)
model.load_state_dict(load_file(path))
```
"""


def show_downloads(run: Run) -> None:
    """Draw a button for each file; a file is made when its button is clicked."""
    st.header("Download")
    name = f"vit-{run.id}"
    row = st.container(horizontal=True)
    row.download_button(
        "Metrics (CSV)", lambda: metrics_csv(run), f"{name}.csv", "text/csv", on_click="ignore"
    )
    row.download_button(
        "Metrics (JSON)",
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
        help="The weights after the last epoch, as a safetensors file of this project. Its header "
        f"states how pixels are normalized: (x − {MEAN}) / {STD}, of values from 0 to 1.",
    )
    problem = why_not(run.model)
    row.download_button(
        "For timm",
        lambda: timm_file(load_weights(run), run.classes),
        f"{name}-timm.safetensors",
        on_click="ignore",
        disabled=bool(problem),
        help=problem or TIMM_HELP,
    )
    row.download_button(
        "Charts (HTML)",
        lambda: charts_html(run),
        f"{name}.html",
        "text/html",
        on_click="ignore",
        help="All charts in one file that opens in any browser, offline.",
    )


def metrics_csv(run: Run) -> str:
    """Return one line per epoch, with a column for each metric in training and validation."""
    file = io.StringIO()
    columns = [(part, key) for part in ("train", "validation") for key in METRICS]
    writer = csv.writer(file)
    names = [f"{part}_{key}" for part, key in columns]
    writer.writerow(["epoch", *names, "seconds", "images_per_second"])
    for record in run.history:
        values = (record[part][key] for part, key in columns)
        writer.writerow([record["epoch"], *values, record["seconds"], record["images_per_second"]])
    return file.getvalue()


def metrics_json(run: Run) -> str:
    """Return the configuration and the record of every epoch."""
    return json_text(asdict(run), indent=2)


def charts_html(run: Run) -> str:
    """Return a page with every chart, which needs no network."""
    title = html.escape(f"Vision Transformer, {run_name(run)}")
    figure = all_curves(run.history, run.training.epochs, run.model.num_classes, title)
    page = figure.to_html(include_plotlyjs=True)
    return page.replace("<head>", f"<head><title>{title}</title>", 1)
