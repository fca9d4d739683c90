"""A model at a few moments of its training, small enough to ship, to see how it grew."""

from pathlib import Path

from ..data.cifar10 import Split
from ..model import VisionTransformer
from ..training.loop import BatchEnd, evaluate
from .checkpoint import save_checkpoint

COUNT = 8
FIRST = 10  # steps


def snapshot_steps(steps: int) -> list[int]:
    """After which of a training's steps: even on a logarithmic scale up to its end, which is a checkpoint anyway."""
    ratio = max(1.0, steps / FIRST) ** (1 / COUNT)
    return sorted({step for i in range(COUNT) if (step := round(FIRST * ratio**i)) < steps})


def save_snapshot(folder: Path, number: int, model: VisionTransformer, event: BatchEnd, validation: Split) -> None:
    """Write `folder`/NUMBER.safetensors in half precision; its card says when it was taken and how good it is."""
    step = (event.epoch - 1) * event.batches + event.batch
    card = {"step": step, "epochs": step / event.batches, "validation": evaluate(model, validation)}
    save_checkpoint(folder / f"{number}.safetensors", model, card, half=True)
