"""Run the experiments of the lesson pages and store their results, which the pages show at first.

    python -m vitdemo.lessons.measure [NAME ...]

All experiments take one to three minutes on two cores. Run them on an otherwise idle machine, after
every change of their settings or of training; a test fails while the stored settings are others.
"""

import argparse
import time
from datetime import date

import torch

from ..config.settings import one_of
from ..machine import available_cores, processor
from .experiments import experiments
from .measured import FILE, Measurement, write_measurement


def main() -> None:
    """Measure the named experiments, or all of them."""
    known = experiments()
    parser = argparse.ArgumentParser(
        prog="python -m vitdemo.lessons.measure",
        description=f"Run experiments of the lesson pages and store their results in {FILE.name}.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(known)}")
    names = parser.parse_args().names or list(known)
    if unknown := [name for name in names if name not in known]:
        parser.error(f"There is no experiment {unknown[0]!r}. Use {one_of(known)}.")
    for name in names:
        started = time.perf_counter()
        results = tuple(known[name].steps())
        seconds = time.perf_counter() - started
        write_measurement(
            name, known[name], Measurement(date.today().isoformat(), machine(), seconds, results)
        )
        print(f"{name}: {len(results)} results in {seconds:.1f} s")


def machine() -> str:
    """Return the processor and the number of cores, which torch is told to use."""
    cores = available_cores()
    torch.set_num_threads(cores)
    return f"{processor()}, {cores} {'core' if cores == 1 else 'cores'}"


if __name__ == "__main__":
    main()
