"""Whose turn it is, and when each training is expected to start and end."""

import random
from dataclasses import replace
from itertools import pairwise

import pytest

from vitdemo.background.turns import (
    PATIENCE,
    SHORTEST,
    SLICE,
    Claim,
    eligible,
    forecast,
    order,
    yields,
)


def chosen(claims, now=0.0, turn=0):
    return min(claims, key=lambda claim: order(claim, now, turn)).id


def test_whoever_has_no_epoch_comes_first_in_the_order_of_arrival():
    begun = Claim("begun", 1, 0.1, epochs_done=5)
    new = [Claim("second", 9, 9.0, waiting_since=2.0), Claim("first", 90, 9.0, waiting_since=1.0)]
    assert chosen([begun, *new], now=3.0) == "first"


def test_then_whoever_ends_first():
    long, short = Claim("long", 80, 1.0, 1), Claim("short", 2, 3.0, 1)
    assert chosen([long, short]) == "short"


def test_a_slow_first_epoch_is_preferred_for_one_turn_only():
    slow, begun = Claim("slow", 3, 600.0, used=SLICE), Claim("begun", 3, 1.0, 1)
    assert chosen([slow, begun]) == "begun"
    assert chosen([replace(slow, used=0.0), begun]) == "slow"


def test_every_fourth_turn_goes_to_whoever_waits_too_long():
    long = Claim("long", 800, 1.0, 1, waiting_since=0.0)
    new = Claim("new", 1, 0.1, waiting_since=PATIENCE)
    turns = [chosen([new, long], PATIENCE + 1, turn) for turn in range(8)]
    assert turns == ["new", "long", "new", "new"] * 2


def test_each_owner_has_one_turn_at_a_time():
    claims = [Claim("a1", 1, 1, owner="a"), Claim("b1", 1, 1, owner="b")]
    claims += [Claim("a2", 1, 1, owner="a"), Claim("x", 1, 1), Claim("y", 1, 1)]
    assert [claim.id for claim in eligible(claims, [])] == ["a1", "b1", "x", "y"]
    assert [claim.id for claim in eligible(claims, ["a", ""])] == ["b1", "x", "y"]


def test_a_training_yields_to_a_new_one_at_once_and_to_a_shorter_one_after_a_while():
    runner = Claim("runner", 10, 1.0, 1)
    new, shorter = Claim("new", 100, 1.0), Claim("shorter", 9, 1.0, 1)
    longer = Claim("longer", 11, 1.0, 1)
    assert not yields(runner, [], 0.0, 100.0)
    assert yields(runner, [longer, new], 0.0, 0.1)
    assert not yields(runner, [shorter], 0.0, SHORTEST / 2)
    assert yields(runner, [shorter], 0.0, SHORTEST)
    assert not yields(runner, [longer], 0.0, SHORTEST)
    assert yields(runner, [longer], PATIENCE, SHORTEST)
    assert yields(runner, [longer, replace(new, waiting_since=PATIENCE)], PATIENCE, 0.1)


# Forecasts


def test_forecast_of_one_run():
    claim = Claim("a", 5, 2.0)
    assert forecast([claim], [], 2, 10.0, 0) == {"a": (0.0, pytest.approx(10.0))}
    assert forecast([], [claim], 1, 10.0, 0) == {"a": (0.0, pytest.approx(10.0))}


def test_forecast_by_hand():
    """On one core: b's first epoch, a to its end, as it has less left, then b."""
    a, b = Claim("a", 4, 2.0, 1), Claim("b", 5, 2.0, waiting_since=0.0)
    assert forecast([], [a, b], 1, 0.0, 0) == {"b": (0.0, 18.0), "a": (2.0, 10.0)}


def claims_of(generator, count):
    return [
        Claim(
            str(number),
            generator.randint(1, 40),
            generator.choice([0.01, 0.3, 2.0, 25.0, 200.0]),
            waiting_since=generator.random() * 60,
            owner=generator.choice(["", str(number % 7)]),
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("cores", [1, 2, 5])
def test_forecast_ends_every_training_and_wastes_no_core(seed, cores):
    generator = random.Random(seed)
    claims = [replace(claim, owner="") for claim in claims_of(generator, generator.randint(1, 40))]
    found = forecast([], claims, cores, 60.0, 0)
    assert found.keys() == {claim.id for claim in claims}
    work = sum(claim.seconds_left for claim in claims)
    longest = max(claim.seconds_left for claim in claims)
    last = max(end for _, end in found.values())
    assert work / cores - 1e-6 <= last <= work / cores + longest
    for claim in claims:
        start, end = found[claim.id]
        assert 0 <= start <= end - claim.seconds_left / max(cores, 1) + 1e-6


@pytest.mark.parametrize("seed", range(10))
def test_runs_of_one_owner_follow_each_other(seed):
    claims = [replace(claim, owner="a") for claim in claims_of(random.Random(seed), 5)]
    found = forecast([], claims, 2, 60.0, 0)
    spans = [found[claim.id] for claim in claims]
    assert all(end <= start + 1e-6 for (_, end), (start, _) in pairwise(spans))


def test_a_class_of_forty_sees_its_first_epochs_before_anyone_ends():
    claims = [Claim(str(number), 3, 1.0, owner=str(number)) for number in range(40)]
    found = forecast([], claims, 2, 0.0, 0)
    assert max(start for start, _ in found.values()) == 19.0
    assert max(end for _, end in found.values()) == 60.0


def test_a_huge_training_keeps_nobody_waiting():
    huge = [Claim(name, 100, 600.0, owner=name) for name in ("a", "b")]
    small = Claim("small", 1, 0.1, owner="c", waiting_since=1.0)
    start, end = forecast(huge, [small], 2, 1.0, 0)["small"]
    assert start <= SLICE
    assert end <= SLICE + 0.2
