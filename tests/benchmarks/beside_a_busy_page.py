"""What a page that reruns all the time costs a run, and what our switch interval recovers.

    python -m tests.benchmarks.beside_a_busy_page

Trains with one torch thread: alone, then beside a Python thread that is busy all the time or a
quarter of it, with Python's default switch interval and with that of training_queue.py. Prints
images per second, and the percentage of "alone".
"""

import sys
import threading
import time

import torch

from vitdemo import ModelConfig, TrainConfig, VisionTransformer, load_cifar10, train
from vitdemo.background.work import SWITCH_INTERVAL
from vitdemo.training.loop import BatchEnd

SECONDS = 6.0
BATCH = 32


def busy_page(stop: threading.Event, load: float) -> None:
    """Run pure Python code for the fraction `load` of each 100 ms."""
    while not stop.is_set():
        until = time.perf_counter() + 0.1 * load
        while time.perf_counter() < until:
            sum(i * i for i in range(1000))
        if load < 1:
            time.sleep(0.1 * (1 - load))


def images_per_second(load: float, interval: float) -> float:
    """Return the training speed beside a page that is busy for the fraction `load` of the time."""
    sys.setswitchinterval(interval)
    torch.set_num_threads(1)
    data = load_cifar10(5000, 1)
    model = VisionTransformer(ModelConfig(num_heads=4), seed=0)
    stop = threading.Event()
    if load:
        threading.Thread(target=busy_page, args=(stop, load), daemon=True).start()
    images, started = 0, None
    for event in train(model, data, TrainConfig(batch_size=BATCH)):
        if not isinstance(event, BatchEnd):
            continue
        if started is None:  # the first step warms up
            started = time.perf_counter()
            continue
        images += BATCH
        if time.perf_counter() - started > SECONDS:
            break
    stop.set()
    return images / (time.perf_counter() - started)


def main() -> None:
    """Print the table."""
    default = sys.getswitchinterval()
    alone = images_per_second(0, default)
    print(f"alone{'':34}{alone:7.0f} images/s")
    for load in (1, 0.25):
        for interval in (default, SWITCH_INTERVAL):
            speed = images_per_second(load, interval)
            condition = f"page busy {load:4.0%}, interval {interval * 1000:3.1f} ms"
            print(f"{condition} {speed:12.0f} images/s {speed / alone:7.0%}")


if __name__ == "__main__":
    main()
