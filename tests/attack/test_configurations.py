"""10,000 configurations that nobody would write: each is accepted, or refused with a reason."""

import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vitdemo.config import ConfigError, ModelConfig, TrainConfig, config_from_dict
from vitdemo.config.settings import settings_of
from vitdemo.costs import activation_bytes, macs, parameters, run_bytes
from vitdemo.files import PROJECT

CASES = 5_000  # of each kind of configuration
HOSTILE = ("<script>alert(1)</script>", "../../../etc/passwd", "\x00", "x" * 1_000, "\ud800")
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**63, -(10**400), 10**5_000]),  # more digits than Python likes to print
    st.floats(),
    st.sampled_from(HOSTILE),
    st.text(max_size=20),
    st.binary(max_size=8),
    st.recursive(st.none(), lambda inner: st.lists(inner, max_size=2) | st.tuples(inner)),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


def allowed(setting):
    """Return values that a field takes by itself; with others, it may not fit."""
    if setting.choices:
        return st.sampled_from(setting.choices)
    low, high = setting.limits
    if setting.type is float:
        return st.floats(low, high) | st.integers(math.ceil(low), math.floor(high))
    powers = [2**n for n in range(17) if low <= 2**n <= high]  # these fit together more often
    return st.sampled_from(powers) | st.integers(low, high)


def fields(kind):
    """Return some fields of a configuration, with junk in a few of them."""
    known = settings_of(kind)
    valid = st.one_of([st.tuples(st.just(name), allowed(known[name])) for name in known])
    junk = st.tuples(st.sampled_from([*known, *HOSTILE, "", 7]), JUNK)
    lists = st.tuples(st.lists(valid, max_size=6), st.lists(junk, max_size=1))
    return lists.map(lambda pairs: dict(pairs[0] + pairs[1]))


def accepted(kind, values):
    """Return the configuration; None if it was refused with a message that can be shown."""
    try:
        config = config_from_dict(kind, values)
    except ConfigError as error:
        message = str(error)
        assert len(message) < 600
        assert message.endswith(".")
        assert str(PROJECT) not in message
        assert str(Path.home()) not in message
        return None
    with pytest.raises(AttributeError):
        config.seed = 1  # it stays as it was checked
    return config


every_time_the_same = settings(
    max_examples=CASES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@every_time_the_same
@given(fields(ModelConfig))
def test_model_is_refused_or_has_finite_costs(values):
    config = accepted(ModelConfig, values)
    if config is None:
        return
    assert config.grid_size * config.patch_size == config.image_size
    assert config.head_dim * config.num_heads == config.embed_dim
    costs = [*parameters(config).values(), *macs(config).values()]
    for cost in (*costs, activation_bytes(config, 1024), run_bytes(config)):
        assert isinstance(cost, int)
        assert 0 < cost < 2**63


@every_time_the_same
@given(fields(TrainConfig))
def test_recipe_is_refused_or_within_its_limits(values):
    config = accepted(TrainConfig, values)
    if config is None:
        return
    assert config.mixup + config.cutmix <= 1
    for name, setting in settings_of(TrainConfig).items():
        value = getattr(config, name)
        if setting.choices:
            assert value in setting.choices
        else:
            assert setting.limits[0] <= value <= setting.limits[1]


@pytest.mark.parametrize("kind", [ModelConfig, TrainConfig])
def test_some_are_accepted_and_some_are_not(kind):
    found = set()

    @settings(every_time_the_same, max_examples=200)
    @given(fields(kind))
    def look(values):
        found.add(accepted(kind, values) is not None)

    look()
    assert found == {True, False}


@pytest.mark.parametrize("values", [None, 7, "x", [], [("depth", 1)], {None: 1}, {1: 1, "a": 2}])
@pytest.mark.parametrize("kind", [ModelConfig, TrainConfig])
def test_what_is_no_mapping_of_fields_is_refused(kind, values):
    assert accepted(kind, values) is None
