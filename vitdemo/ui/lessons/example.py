"""The trained model that the pages of the annotation ask, and a few pictures."""

from ...data.cifar10 import Split, load_cifar10
from ...model import VisionTransformer
from ...runs.run import Run, shipped_runs
from ..cached import model_of

PICTURES = 30  # to choose from
SAMPLE = 200  # pictures, for an accuracy


def plain_vit() -> tuple[Run, VisionTransformer]:
    """The shipped ViT of the annotation's kind: patches and CLS."""
    run = next(run for run in shipped_runs() if run.model.has_cls and run.model.stem == "patch")
    return run, model_of(run)


def first_pictures(count: int) -> Split:
    """Test images, which the model never learned from."""
    return load_cifar10(1, count).validation
