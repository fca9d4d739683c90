"""Load in the background what the first training needs, after the first page is on the screen."""

import threading


def warm_up() -> None:
    """Import torchmetrics (seconds, at the end of a first epoch otherwise) and unpack the sample; once a process."""
    if not any(thread.name == "warm-up" for thread in threading.enumerate()):
        threading.Thread(target=_work, name="warm-up", daemon=True).start()


def _work() -> None:
    import torchmetrics.functional.classification  # noqa: F401

    from ..data import load_cifar10

    load_cifar10(1, 1)
