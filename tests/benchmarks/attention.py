"""Response time of the Attention page, and the cost of its maps, with the shipped plain ViT.

    python -m tests.benchmarks.attention [--only clicks maps faithfulness] [--rounds 60]

clicks        from choosing another picture, or another layer for that picture, to the server's
              message that the page is done; one tab of the page after the other.
maps          the maps of every layer and head of one picture, ready to be sent to the browser.
              Beside it, a forward pass of timm's model of the same shape, with hooks that keep its
              attention: the same numbers as our `trace`.
faithfulness  deletion and insertion over 100 pictures by every method, on all cores, as on
              the page.
"""

import asyncio
import time
from pathlib import Path
from statistics import median, quantiles

import torch

from tests.benchmarks.app_runs import app, report, run_parts
from tests.benchmarks.visitors import Visitor
from tests.e2e.server import Server
from tests.test_model import timm_model
from vitdemo import load_checkpoint, load_cifar10
from vitdemo.data.cifar10 import normalize
from vitdemo.explain.attention import attention_maps
from vitdemo.explain.faithfulness import scores_over
from vitdemo.explain.methods import METHODS
from vitdemo.figures.thumbnails import thumbnails
from vitdemo.files import SHIPPED
from vitdemo.machine import available_cores
from vitdemo.ui.attention.faithfulness import SAMPLE, SAMPLE_POINTS
from vitdemo.ui.attention.state import TABS

CLICK, THUMBNAILS, FAITHFULNESS = 0.150, 0.500, 20.0  # targets in seconds
WARM_UP = 3  # clicks of each kind that do not count


async def click_times(server: Server, tab: str, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of clicks in one tab; none of them asks for what was shown before."""
    times = {"another picture": [], "another layer": []}
    async with Visitor(server.url, f"/attention?run=vit&view={tab}&layer=1") as visitor:
        await visitor.shown("Image number", "number_input")
        for number in range(-WARM_UP, rounds):
            picture = await visitor.enter("Image number", number + 100)
            layer = await visitor.slide("Layer", (number + WARM_UP) % 5 + 1)
            if number >= 0:
                times["another picture"].append(picture)
                times["another layer"].append(layer)
    return times


def clicks(home: Path, rounds: int) -> None:
    """Measure the 95th percentile of clicks in each tab."""
    with app(home) as server:
        for tab, title in TABS.items():
            for click, seconds in asyncio.run(click_times(server, tab, rounds)).items():
                late = quantiles(seconds, n=20)[-1]
                value = f"{late * 1000:.0f} ms (median {median(seconds) * 1000:.0f})"
                name = f"{title}, {click}, 95th percentile"
                report(name, value, f"{CLICK * 1000:.0f} ms", late <= CLICK)


def maps(home: Path, rounds: int) -> None:
    """Measure the maps of every layer and head, our trace and timm with hooks, taking turns."""
    torch.set_num_threads(1)
    model, _ = load_checkpoint(SHIPPED / "vit.safetensors")
    twin = timm_model(model)
    kept = []
    for block in twin.blocks:
        block.attn.attn_drop.register_forward_pre_hook(
            lambda module, inputs: kept.append(inputs[0])
        )
    image = normalize(load_cifar10(1, 1).validation.images)
    drawn, traced, hooked = [], [], []
    with torch.inference_mode():
        for _ in range(rounds):
            started = time.perf_counter()
            _, trace = model.trace(image)
            traced.append(time.perf_counter() - started)
            grids = attention_maps(trace.attention, 0, has_cls=True)
            thumbnails(grids, height=330).to_json()
            drawn.append(time.perf_counter() - started)
            kept.clear()
            started = time.perf_counter()
            twin(image)
            hooked.append(time.perf_counter() - started)
    milliseconds = f"{median(drawn) * 1000:.0f} ms"
    target = f"{THUMBNAILS * 1000:.0f} ms"
    report("all layers and heads, drawn", milliseconds, target, median(drawn) <= THUMBNAILS)
    ours, theirs = median(traced) * 1000, median(hooked) * 1000
    print(f"trace {ours:.1f} ms, timm with hooks {theirs:.1f} ms: {ours / theirs:.2f}")


def faithfulness(home: Path, rounds: int) -> None:
    """Measure deletion and insertion over the page's sample, once."""
    torch.set_num_threads(available_cores())
    model, _ = load_checkpoint(SHIPPED / "vit.safetensors")
    images = normalize(load_cifar10(1, SAMPLE).validation.images)
    started = time.perf_counter()
    found = list(scores_over(model, images, METHODS, SAMPLE_POINTS))
    seconds = time.perf_counter() - started
    name = f"{len(found)} pictures by {len(METHODS)} methods"
    report(name, f"{seconds:.1f} s", f"{FAITHFULNESS:.0f} s", seconds <= FAITHFULNESS)


if __name__ == "__main__":
    run_parts(__doc__, (clicks, maps, faithfulness), rounds=60)
