"""What a page that reruns all the time costs a training, and what the switch interval of jobs.py brings back.

    python -m tests.benchmarks.beside_a_busy_page

Trains with one torch thread: alone, then beside a Python thread that is busy all the time and one that is busy a
quarter of it, with Python's own interval and with ours. Prints images a second and the share of "alone".
"""

import sys
import threading
import time

import torch

from vitdemo import ModelConfig, TrainConfig, VisionTransformer, load_cifar10, train
from vitdemo.background.training_queue import SWITCH_INTERVAL
from vitdemo.training.loop import BatchEnd

SECONDS = 6.0


def busy_page(stop: threading.Event, share: float) -> None:
    """Pure Python work for `share` of each 100 ms."""
    while not stop.is_set():
        until = time.perf_counter() + 0.1 * share
        while time.perf_counter() < until:
            sum(i * i for i in range(1000))
        if share < 1:
            time.sleep(0.1 * (1 - share))


def images_per_second(share: float, interval: float) -> float:
    """Training speed beside a page that is busy for `share` of the time."""
    sys.setswitchinterval(interval)
    torch.set_num_threads(1)
    data = load_cifar10(5000, 1)
    model = VisionTransformer(ModelConfig(num_heads=4), seed=0)
    stop = threading.Event()
    page = threading.Thread(target=busy_page, args=(stop, share), daemon=True)
    if share:
        page.start()
    seen, started = 0, None
    for event in train(model, data, TrainConfig(batch_size=32)):
        if isinstance(event, BatchEnd):
            if started is None:
                started = time.perf_counter()  # the first step warms up
            else:
                seen += 32
                if time.perf_counter() - started > SECONDS:
                    break
    stop.set()
    return seen / (time.perf_counter() - started)


def main() -> None:
    """Print the table."""
    default = sys.getswitchinterval()
    alone = images_per_second(0, default)
    print(f"alone{'':34}{alone:7.0f} images/s")
    for share in (1, 0.25):
        for interval in (default, SWITCH_INTERVAL):
            speed = images_per_second(share, interval)
            where = f"page busy {share:4.0%}, interval {interval * 1000:3.1f} ms"
            print(f"{where} {speed:12.0f} images/s {speed / alone:7.0%}")


if __name__ == "__main__":
    main()
