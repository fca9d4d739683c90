import pytest
import torch

from vitdemo.config import TrainConfig
from vitdemo.training import precision
from vitdemo.training.precision import fastest_precision, working_precision

FLOAT, BFLOAT = "float32", "bfloat16"


class Clock:
    """A clock that only the timed work moves."""

    now = 100.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def simulated(monkeypatch):
    """Return a function that sets the seconds of each format per round and counts the rounds."""
    clock, rounds = Clock(), {FLOAT: 0, BFLOAT: 0}
    softmax = torch.Tensor.softmax

    def start(seconds):
        def timed(self, dim):
            name = str(self.dtype).removeprefix("torch.")
            clock.now += seconds[name][rounds[name]]
            rounds[name] += 1
            return softmax(self, dim)

        monkeypatch.setattr(torch.Tensor, "softmax", timed)
        return rounds

    monkeypatch.setattr(precision, "time", clock)
    fastest_precision.cache_clear()
    yield start
    fastest_precision.cache_clear()


@pytest.mark.parametrize(
    ("floats", "bfloats", "faster"),
    [
        ([2] * 6, [1] * 6, BFLOAT),
        ([1] * 6, [2] * 6, FLOAT),
        ([0.1, 5, 5, 5, 5, 5], [9, 4, 4, 4, 4, 4], BFLOAT),
        ([9, 4, 4, 4, 4, 4], [0.1, 5, 5, 5, 5, 5], FLOAT),
        ([3, 3, 3, 3, 3, 3], [4, 9, 9, 2, 9, 9], BFLOAT),
    ],
    ids=["bfloat16", "float32", "slow warm-up", "fast warm-up", "slow rounds"],
)
def test_fastest_precision_has_the_fastest_round_after_the_first(
    simulated, floats, bfloats, faster
):
    simulated({FLOAT: floats, BFLOAT: bfloats})
    assert fastest_precision() == faster
    assert working_precision(TrainConfig()) == faster


def test_fastest_precision_is_measured_once(simulated):
    rounds = simulated({FLOAT: [1] * 100, BFLOAT: [2] * 100})
    fastest_precision()
    measured = dict(rounds)
    fastest_precision()
    assert rounds == measured
    assert min(measured.values()) >= 3


def test_real_measurement_returns_one_of_both_formats():
    assert fastest_precision() in (FLOAT, BFLOAT)


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_configured_precision_is_not_measured(simulated, name):
    simulated({FLOAT: [], BFLOAT: []})
    assert working_precision(TrainConfig(precision=name)) == name
