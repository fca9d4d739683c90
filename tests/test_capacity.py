"""The arithmetic of tests/benchmarks/capacity.py, against values computed by hand."""

from dataclasses import replace
from math import inf

import pytest

from tests.benchmarks.capacity import (
    RECORDED,
    Figures,
    busiest,
    first_epochs,
    most_students,
    verdict,
)

# A page takes 0.03 / 3 + 0.1 / 10 = 0.02 of a core.
ROUND = Figures(epoch=2.0, python=0.5, move=0.1, poll=0.03, remote=0.2)


def test_python_may_be_busy_until_answers_come_late():
    """95% of the answers take up to ln 20 = 2.9957 times 0.1 s / (1 - u): 1 s at u = 0.70043."""
    assert busiest(ROUND) == pytest.approx(0.70043, abs=1e-5)
    assert busiest(replace(ROUND, move=0.5)) == 0.0


@pytest.mark.parametrize(
    ("students", "cores", "nodes", "runs", "limit"),
    [
        (10, 2, 0, 1.8, "cores"),  # 2 - 0.2; Python allows (0.70043 - 0.2) * 2 / 0.5 = 2.0017
        (20, 8, 0, 1.2017, "server"),  # (0.70043 - 0.4) * 2 / 0.5; the cores allow 7.6
        (20, 2, 1, 2, "cores"),  # of the node; Python allows (0.70043 - 0.4) * 2 / 0.2 = 3.0043
        (20, 2, 2, 3.0043, "server"),
    ],
)
def test_runs_at_full_speed(students, cores, nodes, runs, limit):
    found = verdict(students, cores, nodes, ROUND)
    assert found.pages == pytest.approx(0.02 * students)
    assert (found.runs, found.limit) == (pytest.approx(runs, abs=1e-4), limit)


def test_pages_alone_can_be_too_many():
    """36 pages take 0.72 of a core."""
    found = verdict(36, 8, 4, ROUND)
    assert (found.runs, found.first_epoch, found.limit) == (0.0, inf, "server")
    assert not found.carried


@pytest.mark.parametrize(
    ("students", "cores", "epoch", "seconds"),
    [
        (2, 1, 10, [10, 10]),  # the first run has ended when the second comes, at 30 s
        (2, 1, 20, [20, 30]),  # the second comes at 30 s, in an epoch that ends at 40 s
        (2, 2, 40, [40, 40]),
        # One comes every 10 s and is preferred, until the first run has waited for 30 s: it gets
        # the turn at 50 s, before the last.
        (6, 1, 10, [10, 10, 10, 10, 10, 20]),
    ],
)
def test_first_epochs(students, cores, epoch, seconds):
    assert first_epochs(students, cores, epoch) == seconds


def test_slow_epochs_carry_nobody():
    assert most_students(1, 0, replace(ROUND, epoch=31.0, python=0.1)) == (0, "cores")


def test_more_nodes_carry_more_until_the_server_is_the_limit():
    found = [most_students(1, nodes, RECORDED) for nodes in range(1, 6)]
    counts, limits = zip(*found, strict=True)
    assert list(counts) == sorted(counts)
    assert (limits[0], limits[-1]) == ("cores", "server")
    assert counts[-1] == counts[-2]
