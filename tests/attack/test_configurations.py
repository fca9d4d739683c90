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

EXAMPLES = 1_000  # of each kind of configuration, and with each some variations
VARIATIONS = 4
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


def batches(kind):
    """Return five configurations: some allowed values, and these with junk in one field."""
    known = settings_of(kind)
    valid = st.one_of([st.tuples(st.just(name), allowed(known[name])) for name in known])
    junk = st.tuples(st.sampled_from([*known, *HOSTILE, "", 7]), JUNK)
    several = st.lists(junk, min_size=VARIATIONS, max_size=VARIATIONS)
    return st.tuples(st.lists(valid, max_size=6).map(dict), several).map(
        lambda drawn: [drawn[0], *(drawn[0] | {name: value} for name, value in drawn[1])]
    )


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
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def check_all(kind, check) -> None:
    """Check every configuration that is accepted, and that both happens often."""
    count = {True: 0, False: 0}

    @every_time_the_same
    @given(batches(kind))
    def each(batch):
        for values in batch:
            config = accepted(kind, values)
            count[config is not None] += 1
            if config is not None:
                check(config)

    each()
    assert sum(count.values()) >= EXAMPLES * (1 + VARIATIONS)
    assert min(count.values()) > EXAMPLES / 2, count


def test_model_is_refused_or_has_finite_costs():
    def check(config):
        assert config.grid_size * config.patch_size == config.image_size
        assert config.head_dim * config.num_heads == config.embed_dim
        costs = [*parameters(config).values(), *macs(config).values()]
        for cost in (*costs, activation_bytes(config, 1024), run_bytes(config)):
            assert isinstance(cost, int)
            assert 0 < cost < 2**63

    check_all(ModelConfig, check)


def test_recipe_is_refused_or_within_its_limits():
    def check(config):
        assert config.mixup + config.cutmix <= 1
        for name, setting in settings_of(TrainConfig).items():
            value = getattr(config, name)
            if setting.choices:
                assert value in setting.choices
            else:
                assert setting.limits[0] <= value <= setting.limits[1]

    check_all(TrainConfig, check)


@pytest.mark.parametrize("values", [None, 7, "x", [], [("depth", 1)], {None: 1}, {1: 1, "a": 2}])
@pytest.mark.parametrize("kind", [ModelConfig, TrainConfig])
def test_what_is_no_mapping_of_fields_is_refused(kind, values):
    assert accepted(kind, values) is None
