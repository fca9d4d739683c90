"""How many students a server carries, alone and with a Ray cluster, computed from measured figures.

    python -m tests.benchmarks.capacity [--as-recorded]

Everyone trains 600 images for 3 epochs and submits within a minute, while pages poll and sliders
move as in tests/load.py. A class is carried if its first epochs are shown within 30 s (95%) and
pages answer within 1 s (95%). The figures are seconds of processor time, which other work on the
machine changes little. `--as-recorded` takes those of the README instead of measuring; what a run
on a cluster costs the server is measured where VITDEMO_RAY_ADDRESS is set.
"""

import argparse
import os
from collections import deque
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from math import ceil, inf, log
from statistics import quantiles

from tests.benchmarks import class_costs
from vitdemo.background.turns import Claim, order, yields

MINUTE, EPOCHS = 60.0, 3
POLL_EVERY, MOVE_EVERY = 3.0, 10.0  # seconds; as the Train page polls, and as in tests/load.py
FIRST_EPOCH, ANSWER = 30.0, 1.0  # seconds: targets for 95%
CORES, NODES = (1, 2, 4, 8, 16), (1, 2, 3, 4)


@dataclass(frozen=True)
class Figures:
    """What things cost, in seconds of one core."""

    epoch: float  # of a run, with what is saved
    python: float  # of these, the part in which no other thread can run Python, at most
    move: float  # a slider is moved: the whole page reruns
    poll: float  # a page with a run polls, and nothing has changed
    remote: float  # an epoch that a cluster trains: what is left to the server


# Measured on 2026-11-27; see "capacity" in the README here.
RECORDED = Figures(epoch=1.86, python=0.41, move=0.058, poll=0.014, remote=0.042)


@dataclass(frozen=True)
class Verdict:
    """What becomes of a class."""

    pages: float  # cores that its pages need; they run Python in one process, on one core at most
    runs: float  # that train at full speed at the same time
    first_epoch: float  # seconds until it is shown, 95%
    limit: str  # what a larger class meets first

    @property
    def carried(self) -> bool:
        """Whether its first epochs come in time. Pages then answer in time, too."""
        return self.first_epoch <= FIRST_EPOCH


def busiest(figures: Figures) -> float:
    """Return the fraction of a core that Python may be busy for 95% of the answers within ANSWER.

    A rerun that takes s seconds of a core that is busy for the fraction u answers after
    s / (1 - u) in the mean. 95% of the times are below ln 20 times that, as in a queue with random
    arrivals (M/M/1).
    """
    return max(0.0, 1 - log(20) * figures.move / ANSWER)


def verdict(students: int, cores: int, nodes: int, figures: Figures) -> Verdict:
    """Return what becomes of a class.

    Args:
        students: all of them have a page open and train.
        cores: of the server, and of each node.
        nodes: of the cluster; 0 if runs train on the server.
        figures: what things cost.
    """
    pages = students * (figures.poll / POLL_EVERY + figures.move / MOVE_EVERY)
    left = busiest(figures) - pages  # of the core that runs Python, for the runs
    # Without a cluster, the runs share the cores with the pages.
    by_cores = nodes * cores if nodes else cores - pages
    by_python = left * figures.epoch / (figures.remote if nodes else figures.python)
    runs = min(by_cores, by_python)
    limit = "cores" if by_cores < by_python else "server"
    if runs <= 0:
        return Verdict(pages, 0.0, inf, limit)
    places = ceil(runs)
    seconds = first_epochs(students, places, figures.epoch * places / runs)
    late = quantiles(seconds, n=20, method="inclusive")[-1] if students > 1 else seconds[0]
    return Verdict(pages, runs, late + POLL_EVERY, limit)


def first_epochs(students: int, cores: int, epoch: float) -> list[float]:
    """Return the seconds from submission to the end of the first epoch, for each student.

    Plays the turns of the queue, as vitdemo/background/turns.py orders them.

    Args:
        students: submit one after another, evenly within a minute.
        cores: runs that train at the same time.
        epoch: seconds of an epoch.
    """
    coming = deque(MINUTE * number / students for number in range(students))
    waiting: list[Claim] = []
    running = []  # (when the epoch ends, when the turn began, when it was submitted, claim)
    submitted, found = {}, {}
    now, turn = 0.0, 0
    while coming or waiting or running:
        while waiting and len(running) < cores:
            chosen = min(waiting, key=lambda claim: order(claim, now, turn))
            waiting.remove(chosen)
            heappush(running, (now + epoch, now, chosen.id, chosen))
            turn += 1
        if coming and (not running or coming[0] <= running[0][0]):
            now = coming.popleft()
            name = f"{len(submitted):06}"
            submitted[name] = now
            waiting.append(Claim(name, EPOCHS, epoch, waiting_since=now))
            continue
        now, began, name, claim = heappop(running)
        found.setdefault(name, now - submitted[name])
        claim = replace(claim, epochs_left=claim.epochs_left - 1, epochs_done=1)
        claim = replace(claim, used=claim.used + epoch)
        if claim.epochs_left and yields(claim, waiting, now, now - began):
            waiting.append(replace(claim, waiting_since=now))
        elif claim.epochs_left:
            heappush(running, (now + epoch, began, name, claim))
    return list(found.values())


def most_students(cores: int, nodes: int, figures: Figures) -> tuple[int, str]:
    """Return the largest class that is carried, and what one more student meets."""
    students, largest = 1, 0
    while (found := verdict(students, cores, nodes, figures)).runs > 0:
        largest = students if found.carried else largest
        students += 1
    return largest, verdict(largest + 1, cores, nodes, figures).limit


def main() -> None:
    """Measure, compute, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--as-recorded", action="store_true")
    figures = RECORDED
    if not parser.parse_args().as_recorded:
        epoch, python = class_costs.of_an_epoch()
        move, poll = class_costs.of_a_page()
        figures = Figures(epoch, python, move, poll, RECORDED.remote)
        if os.environ.get("VITDEMO_RAY_ADDRESS"):
            figures = replace(figures, remote=class_costs.of_a_remote_epoch())
    print(f"{figures}\nPython may be busy for {busiest(figures):.0%} of a core.\n")
    print("students (what a larger class meets first: the cores, or the one process of the server)")
    print("cores  server alone    " + "".join(f"{f'nodes: {n}':16}" for n in NODES))
    for cores in CORES:
        found = [most_students(cores, nodes, figures) for nodes in (0, *NODES)]
        print(f"{cores:5}  " + "".join(f"{f'{count} ({limit})':16}" for count, limit in found))


if __name__ == "__main__":
    main()
