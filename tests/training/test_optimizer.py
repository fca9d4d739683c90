import functools
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from vitdemo.config import TrainConfig
from vitdemo.model import VisionTransformer
from vitdemo.training.optimizer import _unwrapped, learning_rate, make_optimizer


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_optimizer_has_all_parameters(tiny, optimizer):
    model = VisionTransformer(tiny, seed=0)
    config = TrainConfig(optimizer=optimizer, learning_rate=0.01, weight_decay=0.2)
    groups = make_optimizer(model, config).param_groups
    assert {id(weight) for group in groups for weight in group["params"]} == {
        id(w) for w in model.parameters()
    }
    assert all((group["lr"], group["weight_decay"]) == (0.01, 0.2) for group in groups)


@pytest.mark.parametrize(
    ("optimizer", "reference"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)]
)
def test_steps_equal_those_of_torchs_optimizer(tiny, optimizer, reference):
    ours, expected = VisionTransformer(tiny, seed=0), VisionTransformer(tiny, seed=0)
    config = TrainConfig(optimizer=optimizer, learning_rate=0.01, weight_decay=0.2)
    pairs = [
        (ours, make_optimizer(ours, config)),
        (expected, reference(expected.parameters(), lr=0.01, weight_decay=0.2, fused=True)),
    ]
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    for _ in range(3):
        for model, optimizing in pairs:
            optimizing.zero_grad()
            model(images).square().sum().backward()
            optimizing.step()
    for mine, its in zip(ours.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(mine, its, rtol=0, atol=0)


ROOT = Path(__file__).parents[2]
# In a fresh process: which file wraps each method of torch's Adam, and which one defines it.
WRAPPED = """
import torch
if {used}:
    torch.optim.Adam([torch.zeros(1)])
from vitdemo.training.optimizer import Adam, _unwrapped
for name in ("add_param_group", "state_dict", "load_state_dict", "step"):
    method = getattr(torch.optim.Adam, name)
    while hasattr(method, "__wrapped__"):
        outer, method = method, method.__wrapped__
    assert method is _unwrapped(getattr(torch.optim.Adam, name))
    print(name, outer.__code__.co_filename, method.__code__.co_filename)
"""


@pytest.mark.slow
@pytest.mark.parametrize("used", [False, True], ids=["new", "used before"])
def test_unwrapped_methods_are_those_inside_torchs_own_wrappers(used):
    """torch adds a third wrapper, for the profiler, when its first Adam is made."""
    command = [sys.executable, "-c", WRAPPED.format(used=used)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    folder = Path(torch.__file__).parent
    found = {name: files for name, *files in map(str.split, done.stdout.splitlines())}
    base, compile_file = str(folder / "optim" / "optimizer.py"), str(folder / "_compile.py")
    assert found == {
        "add_param_group": [compile_file, base],
        "state_dict": [compile_file, base],
        "load_state_dict": [compile_file, base],
        "step": [base, str(folder / "optim" / "adam.py")],
    }


@pytest.mark.parametrize("name", ["add_param_group", "state_dict", "load_state_dict", "step"])
def test_method_with_another_wrapper_is_refused(name):
    method = getattr(torch.optim.Adam, name)

    @functools.wraps(method)
    def outer(*arguments):
        return method(*arguments)

    with pytest.raises(RuntimeError, match=rf"wraps Adam\.{name} in test_method.*outer"):
        _unwrapped(outer)

    inside = functools.wraps(outer)(lambda *arguments: outer(*arguments))
    with pytest.raises(RuntimeError, match=rf"wraps Adam\.{name} in "):
        _unwrapped(inside)


@pytest.mark.slow
def test_training_step_does_not_load_torchs_compiler():
    code = "import sys; from vitdemo import ModelConfig, TrainConfig, VisionTransformer; "
    code += "from vitdemo import load_cifar10, train; "
    code += "model = VisionTransformer(ModelConfig(patch_size=16, embed_dim=8, depth=1), seed=0); "
    code += "next(train(model, load_cifar10(8, 4), TrainConfig(epochs=1, batch_size=8))); "
    code += "print('torch._dynamo' in sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("config", "expected"),
    [  # with two steps per epoch
        (TrainConfig(epochs=3, learning_rate=0.8), [0.8] * 6),
        (TrainConfig(epochs=3, learning_rate=0.8, warmup_epochs=2), [0.2, 0.4, 0.6, 0.8, 0.8, 0.8]),
        (TrainConfig(epochs=2, learning_rate=0.8, warmup_epochs=2), [0.2, 0.4, 0.6, 0.8]),
        (TrainConfig(epochs=2, learning_rate=0.8, warmup_epochs=0.25), [0.8] * 4),
        (
            TrainConfig(epochs=3, learning_rate=0.8, schedule="cosine"),
            [0.4 * (1 + math.cos(math.pi * done / 6)) for done in range(6)],
        ),
        (
            TrainConfig(epochs=3, learning_rate=0.8, schedule="cosine", warmup_epochs=1),
            [0.4, 0.8, 0.8, 0.4 * (1 + math.sqrt(0.5)), 0.4, 0.4 * (1 - math.sqrt(0.5))],
        ),
        (
            TrainConfig(epochs=2, learning_rate=0.8, schedule="cosine", warmup_epochs=2),
            [0.2, 0.4, 0.6, 0.8],
        ),
    ],
)
def test_learning_rate_of_each_step(config, expected):
    rates = [learning_rate(config, step, 2) for step in range(1, len(expected) + 1)]
    assert rates == pytest.approx(expected)


def test_cosine_schedule_ends_near_zero():
    config = TrainConfig(epochs=10, learning_rate=1.0, schedule="cosine")
    assert learning_rate(config, 10 * 100, 100) < 1e-5


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
@pytest.mark.parametrize("warmup", [0.0, 0.3, 1.0, 2.7, 3.0])
def test_learning_rate_stays_between_zero_and_its_peak(schedule, warmup):
    config = TrainConfig(epochs=3, learning_rate=0.5, schedule=schedule, warmup_epochs=warmup)
    rates = [learning_rate(config, step, 7) for step in range(1, 22)]
    assert all(0 < rate <= 0.5 for rate in rates)
