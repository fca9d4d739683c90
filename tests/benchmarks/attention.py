"""How soon the Attention page answers, and what its maps cost, with the plain ViT that ships.

    python -m tests.benchmarks.attention [--only clicks maps faithfulness] [--rounds 60]

clicks        from another picture, or another layer for that picture, to the server's word that the page is done; each
              view in turn.
maps          the maps of every layer and head of one picture, ready to be sent to the browser; beside it a plain forward
              pass of timm's model of the same shape with hooks that keep its attention, as far as the same numbers.
faithfulness  deletion and insertion over 100 pictures by every method, on all cores, as the page asks.
"""

import asyncio
import time
from pathlib import Path
from statistics import median, quantiles

import torch

from tests.benchmarks.app_runs import app, report, run_parts
from tests.benchmarks.visitors import Visitor
from tests.test_model import timm_twin
from vitdemo import load_checkpoint, load_cifar10
from vitdemo.data.cifar10 import normalize
from vitdemo.explain.attention import attention_maps
from vitdemo.explain.faithfulness import gaps_over
from vitdemo.explain.methods import METHODS
from vitdemo.figures.attention import thumbnails
from vitdemo.files import SHIPPED
from vitdemo.machine import available_cores
from vitdemo.ui.attention.faithfulness import SAMPLE, SAMPLE_POINTS
from vitdemo.ui.attention.state import VIEWS

CLICK, THUMBNAILS, FAITHFULNESS = 0.150, 0.500, 20.0  # seconds, wanted


def clicks(home: Path, rounds: int) -> None:
    """The 95th percentile of each view, once warm; nothing is asked twice."""

    async def measure(server, view: str) -> dict[str, list[float]]:
        taken = {"another picture": [], "another layer": []}
        async with Visitor(server.url, f"/attention?run=vit&view={view}&layer=1") as visitor:
            for number in range(-3, rounds):
                picture = await visitor.enter("Image number", number + 100)
                layer = await visitor.slide("Layer", (number + 3) % 5 + 1)
                if number >= 0:
                    taken["another picture"].append(picture)
                    taken["another layer"].append(layer)
        return taken

    with app(home) as server:
        for view in VIEWS:
            for what, taken in asyncio.run(measure(server, view)).items():
                late = quantiles(taken, n=20)[-1]
                figures = f"{late * 1000:.0f} ms (median {median(taken) * 1000:.0f})"
                name = f"{VIEWS[view]}, {what}, 95th percentile"
                report(name, figures, f"{CLICK * 1000:.0f} ms", late <= CLICK)


def maps(home: Path, rounds: int) -> None:
    """Medians over rounds in turns."""
    torch.set_num_threads(1)
    model, _ = load_checkpoint(SHIPPED / "vit.safetensors")
    twin = timm_twin(model)
    kept = []
    for block in twin.blocks:
        block.attn.attn_drop.register_forward_pre_hook(
            lambda module, inputs: kept.append(inputs[0])
        )
    image = normalize(load_cifar10(1, 1).validation.images)
    ways = {"to the figure": [], "trace alone": [], "timm with hooks": []}
    with torch.inference_mode():
        for _ in range(rounds):
            started = time.perf_counter()
            _, trace = model.trace(image)
            traced = time.perf_counter()
            thumbnails(attention_maps(trace, 0), 0, None, None, 330).to_json()
            drawn = time.perf_counter()
            kept.clear()
            twin(image)
            ended = time.perf_counter()
            for way, seconds in zip(
                ways, (drawn - started, traced - started, ended - drawn), strict=True
            ):
                ways[way].append(seconds)
    middle = {way: median(taken) for way, taken in ways.items()}
    words = f"{middle['to the figure'] * 1000:.0f} ms"
    report(
        "all layers and heads, drawn",
        words,
        f"{THUMBNAILS * 1000:.0f} ms",
        middle["to the figure"] <= THUMBNAILS,
    )
    ratio = middle["trace alone"] / middle["timm with hooks"]
    print(
        f"trace {middle['trace alone'] * 1000:.1f} ms, timm with hooks {middle['timm with hooks'] * 1000:.1f} ms: {ratio:.2f}"
    )


def faithfulness(home: Path, rounds: int) -> None:
    """Once over the page's sample, however many rounds are asked for."""
    torch.set_num_threads(available_cores())
    model, _ = load_checkpoint(SHIPPED / "vit.safetensors")
    images = normalize(load_cifar10(1, SAMPLE).validation.images)
    started = time.perf_counter()
    found = list(gaps_over(model, images, METHODS, SAMPLE_POINTS))
    seconds = time.perf_counter() - started
    report(
        f"{len(found)} pictures by {len(METHODS)} methods",
        f"{seconds:.1f} s",
        f"{FAITHFULNESS:.0f} s",
        seconds <= FAITHFULNESS,
    )


if __name__ == "__main__":
    run_parts(__doc__, (clicks, maps, faithfulness), rounds=60)
