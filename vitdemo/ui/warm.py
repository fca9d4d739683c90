"""Torch beside the page: what is loaded in the background, and how many threads a page's own sums may take."""

import threading

import torch


def one_thread() -> None:
    """Called by a page before it asks a model: the other cores belong to the trainings."""
    torch.set_num_threads(1)


def warm_up() -> None:
    """Import torchmetrics (seconds, at the end of a first epoch otherwise) and unpack the sample; once a process."""
    if not any(thread.name == "warm-up" for thread in threading.enumerate()):
        threading.Thread(target=_work, name="warm-up", daemon=True).start()


def _work() -> None:
    import torchmetrics.functional.classification  # noqa: F401

    from ..data import load_cifar10

    load_cifar10(1, 1)
