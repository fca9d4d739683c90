import copy
import threading
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from vitdemo.config import ModelConfig, TrainConfig
from vitdemo.data.cifar10 import Split, load_cifar10, normalize
from vitdemo.model import VisionTransformer
from vitdemo.training.loop import predict
from vitdemo.training.replicas import Replicas, replica_of

SMALL = ModelConfig(patch_size=16, embed_dim=16, depth=2, num_heads=2)
CONV = replace(SMALL, patch_size=4, stem="conv", pooling="attention")
RECIPE = TrainConfig(batch_size=48, precision="float32")


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """Give conv stems few channels, to save time."""
    monkeypatch.setattr("vitdemo.config.model_config.STEM_WIDTH", 4)


@pytest.fixture
def images():
    return load_cifar10(48, 20).train


@pytest.fixture
def threads():
    """Return the function that sets the torch threads of this test."""
    yield torch.set_num_threads
    torch.set_num_threads(1)


def gradients_of(model):
    return {name: weight.grad.clone() for name, weight in model.named_parameters()}


def by_hand(model, shard, size, smoothing=0.0):
    """Return a shard's part of the mean loss of `size` images, and its gradient."""
    torch.set_num_threads(1)
    model = copy.deepcopy(model).train()
    logs = model(normalize(shard.images)).log_softmax(dim=1)
    correct = logs[torch.arange(len(shard)), shard.labels]
    loss = -((1 - smoothing) * correct + smoothing * logs.mean(dim=1)).sum() / size
    loss.backward()
    return loss.item(), gradients_of(model)


def in_shards(model, batch, count):
    """Compute loss and gradient shard by shard on one thread, and add them up."""
    indices = torch.arange(len(batch)).chunk(count)
    results = [by_hand(model, batch[chosen], len(batch)) for chosen in indices]
    names = results[0][1]
    gradients = {name: sum(gradients[name] for _, gradients in results) for name in names}
    return sum(loss for loss, _ in results), gradients


def assert_same(one, other):
    assert one[0] == pytest.approx(other[0], rel=1e-5)
    for name, gradient in one[1].items():
        torch.testing.assert_close(
            gradient, other[1][name], rtol=1e-4, atol=1e-6, msg=lambda text, n=name: f"{n}: {text}"
        )


@pytest.mark.parametrize("size", [48, 25, 4, 1])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_gradient_is_that_of_the_whole_batch(images, threads, count, size):
    threads(count)
    model = VisionTransformer(SMALL, seed=0)
    with Replicas(model, replace(RECIPE, label_smoothing=0.3)) as replicas:
        replicas.gradients(images)  # must not add to the next gradient
        loss, logits = replicas.gradients(images[:size])
    assert_same((loss, gradients_of(model)), by_hand(model, images[:size], size, 0.3))
    torch.testing.assert_close(logits, model(normalize(images.images[:size])), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_each_shard_has_its_own_batch_norm_statistics(images, threads, count):
    threads(count)
    model = VisionTransformer(CONV, seed=0)
    with Replicas(model, RECIPE) as replicas:
        loss, _ = replicas.gradients(images[:31])
    assert_same((loss, gradients_of(model)), in_shards(model, images[:31], 2))
    assert all(norm.running_mean.any() for norm in model.patch_embed.norms)


def test_loss_is_that_of_augmented_images_and_targets(images, threads, monkeypatch):
    threads(2)
    targets = torch.rand(48, 10, generator=torch.Generator().manual_seed(0)).softmax(dim=1)

    def changed(shard, labels, classes, config, generator):
        numbers = [
            int((images.images == image).flatten(1).all(dim=1).nonzero()[0]) for image in shard
        ]
        return normalize(shard).flip(-2), targets[numbers]

    monkeypatch.setattr("vitdemo.training.replicas.augment", changed)
    model = VisionTransformer(SMALL, seed=0)
    with Replicas(model, replace(RECIPE, label_smoothing=0.2)) as replicas:
        loss, _ = replicas.gradients(images)
    logs = model(normalize(images.images).flip(-2)).log_softmax(dim=1)
    assert loss == pytest.approx(
        -((0.8 * targets + 0.02) * logs).sum(dim=1).mean().item(), rel=1e-5
    )


@pytest.mark.parametrize(
    ("batch_size", "shards"),
    [(1, 1), (8, 1), (15, 1), (16, 2), (31, 2), (64, 2), (128, 2), (129, 3), (256, 4), (1000, 16)],
)
def test_number_of_shards_depends_only_on_the_batch_size(threads, tiny, batch_size, shards):
    for count in (1, 3):
        threads(count)
        with Replicas(
            VisionTransformer(tiny, seed=0), replace(RECIPE, batch_size=batch_size)
        ) as replicas:
            assert len(replicas.models) == shards


def run_together(replicas, count):
    """Check that `count` tasks run at the same time, and twice as many one after the other."""
    barrier = threading.Barrier(count, timeout=30)
    for task in [replicas.pool.submit(barrier.wait) for _ in range(2 * count)]:
        task.result()


@pytest.mark.parametrize(("count", "workers", "each"), [(1, 1, 1), (2, 2, 1), (3, 2, 1), (4, 2, 2)])
def test_threads_are_shared_among_the_shards(threads, tiny, count, workers, each):
    threads(count)
    before = set(threading.enumerate())
    with Replicas(VisionTransformer(tiny, seed=0), RECIPE) as replicas:
        run_together(replicas, workers)
        assert len(set(threading.enumerate()) - before) == workers
        assert replicas.pool.submit(torch.get_num_threads).result() == each
    assert torch.get_num_threads() == count


@pytest.mark.parametrize("config", [SMALL, CONV], ids=["patch", "conv"])
def test_gradients_are_bit_identical_on_one_or_two_threads(threads, images, config):
    results = []
    for count in (1, 2):
        threads(count)
        model = VisionTransformer(replace(config, dropout=0.3), seed=0)
        with Replicas(
            model, replace(RECIPE, precision="bfloat16", augmentation="flip_and_translate")
        ) as replicas:
            replicas.begin_epoch(1)
            results.append((replicas.gradients(images)[0], gradients_of(model)))
    assert results[0][0] == results[1][0]
    assert all(
        torch.equal(gradient, results[1][1][name]) for name, gradient in results[0][1].items()
    )


def test_epoch_uses_the_torch_threads_at_its_start(threads, tiny):
    threads(1)
    before = set(threading.enumerate())
    with Replicas(VisionTransformer(tiny, seed=0), RECIPE) as replicas:
        for epoch, count in enumerate((1, 2, 1), start=1):
            threads(count)
            replicas.begin_epoch(epoch)
            run_together(replicas, count)
            assert len(set(threading.enumerate()) - before) == count


def test_threads_end_with_the_with_block(threads, tiny, images):
    threads(3)
    before = set(threading.enumerate())
    with Replicas(VisionTransformer(tiny, seed=0), RECIPE) as replicas:
        replicas.gradients(images)
        assert 1 <= len(set(threading.enumerate()) - before) <= 3
    assert set(threading.enumerate()) == before


def test_error_in_a_shard_is_raised(threads, tiny, images):
    threads(2)
    wrong = Split(images.images, torch.where(torch.arange(48) < 40, images.labels, 10))
    with (
        Replicas(VisionTransformer(tiny, seed=0), RECIPE) as replicas,
        pytest.raises(RuntimeError, match="num_classes"),
    ):
        replicas.gradients(wrong)


# Replicas


@pytest.mark.parametrize("config", [SMALL, CONV], ids=["patch", "conv"])
def test_replicasshare_only_their_weights(config):
    model = VisionTransformer(config, seed=1)
    replica = replica_of(model)
    pairs = list(zip(model.parameters(), replica.parameters(), strict=True))
    assert all(mine.data_ptr() == its.data_ptr() and mine is not its for mine, its in pairs)
    replica(torch.rand(4, 3, 32, 32)).sum().backward()
    assert all(mine.grad is None and its.grad is not None for mine, its in pairs)
    assert model.generator is not replica.generator
    for mine, its in zip(model.buffers(), replica.buffers(), strict=True):
        assert mine.data_ptr() != its.data_ptr()


def test_optimizer_step_changes_all_replicas():
    model = VisionTransformer(SMALL, seed=1)
    replica = replica_of(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)
    pixels = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    before = model(pixels)
    before.square().sum().backward()
    optimizer.step()
    assert torch.equal(model(pixels), replica(pixels))
    assert not torch.allclose(model(pixels), before, atol=1e-2)


# Random numbers


def draws(replicas, epoch):
    order = replicas.begin_epoch(epoch)
    return [
        torch.rand(20, generator=generator)
        for generator in (order, *(model.generator for model in replicas.models))
    ]


def test_order_and_shards_have_different_random_numbers_in_each_epoch(threads, tiny):
    threads(3)
    seen = []
    for seed in (0, 1, 2**31 - 1):
        with Replicas(VisionTransformer(tiny, seed=0), replace(RECIPE, seed=seed)) as replicas:
            seen += [draw for epoch in (1, 2, 1000) for draw in draws(replicas, epoch)]
    assert len({tuple(draw.tolist()) for draw in seen}) == len(seen) == 3 * 3 * 3


def test_random_numbers_of_an_epoch_do_not_depend_on_earlier_ones(threads, tiny):
    threads(2)
    with Replicas(VisionTransformer(tiny, seed=0), RECIPE) as replicas:
        first = draws(replicas, 5)
        draws(replicas, 6)
        assert all(
            torch.equal(one, other) for one, other in zip(first, draws(replicas, 5), strict=True)
        )


def test_dropout_differs_between_shards(threads):
    threads(2)
    image = load_cifar10(1, 1).train
    batch = Split(image.images.expand(16, -1, -1, -1), image.labels.expand(16))
    with Replicas(VisionTransformer(replace(SMALL, dropout=0.5), seed=0), RECIPE) as replicas:
        replicas.begin_epoch(1)
        _, logits = replicas.gradients(batch)
    assert not torch.isclose(logits[:8], logits[8:], atol=1e-4).all(dim=1).any()


# Precision


def test_bfloat16_rounds_multiplications_not_weights_or_results(threads, images):
    threads(2)
    model = VisionTransformer(SMALL, seed=0)
    formats = set()
    model.blocks[0].mlp.fc1.register_forward_hook(
        lambda module, inputs, output: formats.add(output.dtype)
    )
    with Replicas(model, replace(RECIPE, precision="bfloat16")) as replicas:
        loss, logits = replicas.gradients(images)
        assert formats == {torch.bfloat16}
        (validation,) = predict(model, images, replicas.pool.map)
    assert formats == {torch.bfloat16, torch.float32}
    assert logits.dtype == validation.dtype == torch.float32
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert {weight.grad.dtype for weight in model.parameters()} == {torch.float32}
    exact, gradients = by_hand(model, images, 48)
    assert loss == pytest.approx(exact, rel=0.01)
    assert loss != pytest.approx(exact, rel=1e-6)
    for name, gradient in gradients_of(model).items():
        assert F.cosine_similarity(gradient.flatten(), gradients[name].flatten(), dim=0) > 0.98, (
            name
        )


# Validation


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(
    "config", [replace(SMALL, dropout=0.5, patch_drop=0.5), CONV], ids=["patch", "conv"]
)
def test_predictions_are_ordered_and_deterministic(threads, images, config, count, monkeypatch):
    monkeypatch.setattr("vitdemo.training.loop.VALIDATION_BATCH", 7)
    threads(count)
    model = VisionTransformer(config, seed=0).train()
    with Replicas(model, RECIPE) as replicas:
        logits = list(predict(model, images, replicas.pool.map))
    assert [len(batch) for batch in logits] == [7] * 6 + [6]
    with torch.no_grad():
        expected = model.eval()(normalize(images.images))
    torch.testing.assert_close(torch.cat(logits), expected, rtol=1e-4, atol=1e-5)
    assert not any(batch.requires_grad for batch in logits)


def test_predictions_are_those_of_the_given_model(threads, tiny, images):
    threads(1)
    other = VisionTransformer(tiny, seed=1).eval()
    with Replicas(VisionTransformer(tiny, seed=0), RECIPE) as replicas:
        logits = torch.cat(list(predict(other, images, replicas.pool.map)))
    with torch.no_grad():
        torch.testing.assert_close(logits, other(normalize(images.images)), rtol=1e-4, atol=1e-5)
