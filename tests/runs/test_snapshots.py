from itertools import pairwise

import pytest
import torch
from safetensors.torch import load_file

from vitdemo.config import ModelConfig, TrainConfig
from vitdemo.data.cifar10 import load_cifar10
from vitdemo.model import VisionTransformer
from vitdemo.runs.checkpoint import load_checkpoint, save_checkpoint
from vitdemo.runs.snapshots import save_snapshot, snapshot_steps
from vitdemo.training.loop import BatchEnd, evaluate, train


@pytest.mark.parametrize("steps", [1, 2, 9, 10, 11, 12, 15, 20, 33, 60, 100, 564, 4_690, 46_920, 10**7])
def test_snapshots_are_taken_from_the_tenth_step_on_and_before_the_last(steps):
    taken = snapshot_steps(steps)
    assert taken == sorted(set(taken))
    assert all(10 <= step < steps for step in taken)
    assert taken[:1] == ([10] if steps > 10 else [])
    assert len(taken) == 8 or steps < 60
    assert len(taken) <= 8


def test_snapshots_are_as_far_apart_as_their_steps_are_late():
    taken = [*snapshot_steps(100_000), 100_000]
    ratios = [late / early for early, late in pairwise(taken)]
    assert ratios == pytest.approx([10_000 ** (1 / 8)] * 8, rel=0.02)


def test_a_snapshot_is_the_model_in_half_precision_with_its_moment(tmp_path):
    config = ModelConfig(patch_size=4, embed_dim=16, depth=1, num_heads=2, stem="conv", pooling="mean")
    model, data = VisionTransformer(config, seed=0), load_cifar10(20, 30)
    (*_, event) = (
        event for event in train(model, data, TrainConfig(epochs=2, batch_size=8)) if type(event) is BatchEnd
    )
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    save_snapshot(tmp_path / "growth", 4, model, event, data.validation)

    path = tmp_path / "growth" / "4.safetensors"
    loaded, card = load_checkpoint(path)
    assert loaded.config == config
    assert (card["step"], card["epochs"]) == (6, 2.0)
    assert card["validation"] == evaluate(model, data.validation)
    for name, tensor in load_file(path).items():
        assert torch.equal(tensor, before[name].half() if before[name].is_floating_point() else before[name])
        assert torch.equal(model.state_dict()[name], before[name])
    save_checkpoint(tmp_path / "full.safetensors", model, card)
    assert path.stat().st_size < 0.55 * (tmp_path / "full.safetensors").stat().st_size


def test_the_moment_is_told_in_fractions_of_an_epoch(tmp_path, tiny):
    save_snapshot(
        tmp_path, 1, VisionTransformer(tiny, seed=0), BatchEnd(3, 1, 4, 2.0, 1.0), load_cifar10(1, 20).validation
    )
    _, card = load_checkpoint(tmp_path / "1.safetensors")
    assert (card["step"], card["epochs"]) == (9, 2.25)


def test_a_snapshot_changes_no_number_of_the_training(tmp_path, tiny):
    data, config = load_cifar10(20, 10), TrainConfig(epochs=2, batch_size=8)
    plain, looked_at = (VisionTransformer(tiny, seed=0) for _ in range(2))
    list(train(plain, data, config))
    for event in train(looked_at, data, config):
        if isinstance(event, BatchEnd):
            save_snapshot(tmp_path, event.batch, looked_at, event, data.validation)
    assert all(torch.equal(mine, its) for mine, its in zip(plain.parameters(), looked_at.parameters(), strict=True))
