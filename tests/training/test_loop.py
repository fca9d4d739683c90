import math
import threading
from dataclasses import asdict, replace

import pytest
import torch
from torch.nn import functional as F

from vitdemo.config import PRESETS, ConfigError, ModelConfig, TrainConfig
from vitdemo.data.cifar10 import Split, load_cifar10, normalize
from vitdemo.model import VisionTransformer, copy_of
from vitdemo.training import augmentation
from vitdemo.training.loop import (
    BatchEnd,
    EpochEnd,
    TrainingDiverged,
    ValidationBatchEnd,
    evaluate,
    predict,
    train,
)
from vitdemo.training.optimizer import learning_rate, make_optimizer
from vitdemo.training.whitening import whiten

KEYS = ["loss", "accuracy", "auroc", "f1", "precision", "recall", "top1", "top5"]
PLAIN_MODEL = ModelConfig(patch_size=8, embed_dim=16, depth=2, num_heads=2)
RANDOM_MODEL = replace(
    PLAIN_MODEL, dropout=0.2, attention_dropout=0.2, drop_path=0.3, patch_drop=0.25
)
RANDOM_RECIPE = TrainConfig(
    epochs=2,
    batch_size=16,
    schedule="cosine",
    augmentation="flip_and_translate",
    jitter=0.3,
    cutout=8,
    mixup=0.4,
    cutmix=0.4,
    label_smoothing=0.1,
    ema_decay=0.9,
    precision="float32",
    seed=5,
)
CONV_MODEL = replace(RANDOM_MODEL, patch_size=4, stem="conv", pooling="attention")
RANDOMNESS = {  # source -> the settings that use it
    "order": {"batch_size": 8},
    "dropout": {"dropout": 0.2},
    "attention_dropout": {"attention_dropout": 0.2},
    "drop_path": {"drop_path": 0.5},
    "patch_drop": {"patch_drop": 0.5},
    "augmentation": {"augmentation": "flip_and_translate"},
    "jitter": {"jitter": 0.5},
    "cutout": {"cutout": 16},
    "mixup": {"mixup": 1.0},
    "cutmix": {"cutmix": 1.0},
}


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """Give conv stems few channels, to save time."""
    monkeypatch.setattr("vitdemo.config.model_config.STEM_WIDTH", 8)


def events_of(model, data, config, kind=object):
    return [event for event in train(model, data, config) if isinstance(event, kind)]


def trained(model_config, config, data, threads=1):
    """Return the metrics of every epoch and the final weights."""
    torch.set_num_threads(threads)
    model = VisionTransformer(model_config, seed=config.seed)
    epochs = events_of(model, data, config, EpochEnd)
    torch.set_num_threads(1)
    return [(epoch.train, epoch.validation) for epoch in epochs], model.state_dict()


def same(one, other):
    metrics = one[0] == other[0]
    return metrics and all(torch.equal(one[1][name], other[1][name]) for name in one[1])


# Reproducibility


@pytest.mark.parametrize("precision", ["auto", "float32", "bfloat16"])
@pytest.mark.parametrize("threads", [1, 2])
def test_training_is_bit_reproducible(threads, precision):
    data, recipe = load_cifar10(50, 20), replace(RANDOM_RECIPE, precision=precision)
    torch.manual_seed(1)
    first = trained(RANDOM_MODEL, recipe, data, threads)
    torch.manual_seed(2)
    assert same(first, trained(RANDOM_MODEL, recipe, data, threads))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("threads", [1, 2])
def test_parallel_training_does_not_change_the_results(threads, precision):
    data, recipe = load_cifar10(50, 20), replace(RANDOM_RECIPE, precision=precision)
    alone = trained(RANDOM_MODEL, recipe, data, threads)
    enough, started = threading.Event(), threading.Event()

    def train_others():
        torch.set_num_threads(threads)
        seed = 0
        while not enough.is_set():
            seed += 1
            torch.manual_seed(seed)
            for _ in train(
                VisionTransformer(RANDOM_MODEL, seed=seed), data, replace(recipe, seed=seed)
            ):
                started.set()
                if enough.is_set():
                    break

    other = threading.Thread(target=train_others)
    other.start()
    assert started.wait(30)
    parallel = [trained(RANDOM_MODEL, recipe, data, threads) for _ in range(3)]
    enough.set()
    other.join()
    assert all(same(alone, one) for one in parallel)


def test_another_seed_gives_other_results():
    data = load_cifar10(50, 20)
    first, second = (
        trained(RANDOM_MODEL, replace(RANDOM_RECIPE, seed=seed), data) for seed in (5, 6)
    )
    assert first[0] != second[0]


@pytest.mark.parametrize("changes", RANDOMNESS.values(), ids=RANDOMNESS)
def test_seed_decides_each_source_of_randomness(changes):
    data = load_cifar10(32, 10)
    fields = asdict(PLAIN_MODEL)
    model_config = replace(
        PLAIN_MODEL, **{name: value for name, value in changes.items() if name in fields}
    )
    recipe = TrainConfig(epochs=1, batch_size=32, precision="float32")
    recipe = replace(
        recipe, **{name: value for name, value in changes.items() if name not in fields}
    )
    losses = []
    for seed in (1, 1, 2):
        model = VisionTransformer(model_config, seed=0)
        model.generator.manual_seed(len(losses))  # its state before must not matter
        losses.append(
            [event.loss for event in events_of(model, data, replace(recipe, seed=seed), BatchEnd)]
        )
    assert losses[0] == losses[1]
    assert losses[0] != pytest.approx(losses[2], rel=1e-5)


# Optimizer steps


def stepped_by_hand(model, data, config, steps):
    """Take full-batch steps of Adam (Kingma and Ba 2015) or AdamW by their formulas."""
    weights = dict(model.named_parameters())
    mean = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    square = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    for t in range(1, steps + 1):
        loss = F.cross_entropy(model(normalize(data.train.images)), data.train.labels)
        gradients = torch.autograd.grad(loss, list(weights.values()))
        with torch.no_grad():
            for (name, weight), gradient in zip(weights.items(), gradients, strict=True):
                if config.optimizer == "adam":
                    gradient = gradient + config.weight_decay * weight
                else:
                    weight *= 1 - config.learning_rate * config.weight_decay
                mean[name] = 0.9 * mean[name] + 0.1 * gradient
                square[name] = 0.999 * square[name] + 0.001 * gradient**2
                corrected = mean[name] / (1 - 0.9**t)
                weight -= (
                    config.learning_rate
                    * corrected
                    / ((square[name] / (1 - 0.999**t)).sqrt() + 1e-8)
                )
    return model


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_steps_equal_the_formulas_of_adam(tiny, optimizer, steps, monkeypatch):
    data = load_cifar10(20, 5)
    config = TrainConfig(
        epochs=steps,
        batch_size=20,
        learning_rate=1e-2,
        weight_decay=0.3,
        optimizer=optimizer,
        precision="float32",
    )
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)  # compute in float64
    expected = stepped_by_hand(VisionTransformer(tiny, seed=0).double(), data, config, steps)

    model = VisionTransformer(tiny, seed=0).double()
    losses = [event.loss for event in train(model, data, config) if isinstance(event, BatchEnd)]
    for name, weight in expected.named_parameters():
        torch.testing.assert_close(model.get_parameter(name), weight, rtol=1e-6, atol=1e-8)
    assert len(losses) == steps


def test_each_step_uses_its_learning_rate(tiny, monkeypatch):
    used = []

    def recorded(model, config):
        optimizer = make_optimizer(model, config)
        optimizer.register_step_pre_hook(lambda taken, *_: used.append(taken.param_groups[0]["lr"]))
        return optimizer

    monkeypatch.setattr("vitdemo.training.state.make_optimizer", recorded)
    config = TrainConfig(
        epochs=2, batch_size=8, learning_rate=0.01, schedule="cosine", warmup_epochs=0.5
    )
    events_of(VisionTransformer(tiny, seed=0), load_cifar10(20, 5), config)
    assert used == [learning_rate(config, step, 3) for step in range(1, 7)]


# Events


@pytest.mark.parametrize(("images", "batch_size"), [(20, 8), (16, 8), (5, 8), (2, 1)])
def test_order_of_events(tiny, images, batch_size, monkeypatch):
    monkeypatch.setattr("vitdemo.training.loop.VALIDATION_BATCH", 4)
    config = TrainConfig(epochs=2, batch_size=batch_size)
    events = events_of(VisionTransformer(tiny, seed=0), load_cifar10(images, 10), config)
    steps = math.ceil(images / batch_size)
    expected = []
    for epoch in (1, 2):
        expected += [(BatchEnd, epoch, batch, steps) for batch in range(1, steps + 1)]
        expected += [(ValidationBatchEnd, epoch, batch, 3) for batch in (1, 2, 3)]
        expected += [(EpochEnd, epoch)]
    found = []
    for event in events:
        if isinstance(event, EpochEnd):
            found.append((EpochEnd, event.epoch))
        else:
            found.append((type(event), event.epoch, event.batch, event.batches))
    assert found == expected


def test_epoch_end_has_all_metrics(tiny, short):
    (first, last) = events_of(
        VisionTransformer(tiny, seed=0), load_cifar10(20, 10), short, EpochEnd
    )
    for epoch in (first, last):
        assert list(epoch.train) == list(epoch.validation) == KEYS
        assert all(
            math.isfinite(value) for value in (*epoch.train.values(), *epoch.validation.values())
        )
        assert epoch.seconds >= 20 / epoch.images_per_second > 0


@pytest.mark.parametrize("threads", [1, 2])
def test_validation_metrics_are_those_of_the_model_after_the_epoch(threads):
    torch.set_num_threads(threads)
    data = load_cifar10(40, 30)
    model = VisionTransformer(RANDOM_MODEL, seed=0)
    for event in train(model, data, RANDOM_RECIPE):
        if isinstance(event, EpochEnd):
            assert evaluate(model, data.validation) == pytest.approx(event.validation, abs=1e-6)


@pytest.mark.parametrize("threads", [1, 2])
def test_training_metrics_are_not_the_mean_over_batches(tiny, threads):
    torch.set_num_threads(threads)
    # At this learning rate, the weights hardly change.
    config = TrainConfig(epochs=1, batch_size=16, learning_rate=1e-7, precision="float32")
    model, data = VisionTransformer(tiny, seed=0), load_cifar10(20, 5)
    events = events_of(model, data, config)
    losses = [event.loss for event in events if isinstance(event, BatchEnd)]
    assert events[-1].train["loss"] == pytest.approx(
        (16 * losses[0] + 4 * losses[1]) / 20, rel=1e-5
    )
    assert events[-1].train["loss"] != pytest.approx((losses[0] + losses[1]) / 2, rel=1e-4)
    assert events[-1].train == pytest.approx(evaluate(model, data.train), abs=1e-4)


def test_training_metrics_are_measured_with_dropout():
    model = VisionTransformer(replace(RANDOM_MODEL, dropout=0.8), seed=0)
    data = load_cifar10(30, 5)
    (epoch,) = events_of(
        model, data, TrainConfig(epochs=1, batch_size=30, learning_rate=1e-7), EpochEnd
    )
    assert epoch.train["loss"] != pytest.approx(evaluate(model, data.train)["loss"], rel=1e-3)


def test_each_epoch_has_all_images_in_a_new_order(tiny, monkeypatch):
    data = load_cifar10(20, 5)
    seen = []
    monkeypatch.setattr(
        "vitdemo.training.replicas.augment",
        lambda *given: seen.append(given[0]) or augmentation.augment(*given),
    )
    events_of(VisionTransformer(tiny, seed=0), data, TrainConfig(epochs=2, batch_size=8))
    number = {image.numpy().tobytes(): n for n, image in enumerate(data.train.images)}
    order = [number[image.numpy().tobytes()] for batch in seen for image in batch]
    assert sorted(order[:20]) == sorted(order[20:]) == list(range(20))
    assert order[:20] != order[20:]
    assert order[:20] != list(range(20))


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_model_is_in_evaluation_mode_at_each_event(tiny, ema_decay):
    model = VisionTransformer(replace(tiny, patch_drop=0.5), seed=0)
    config = TrainConfig(epochs=2, batch_size=8, ema_decay=ema_decay)
    events = 0
    for _ in train(model, load_cifar10(20, 10), config):
        assert not model.training
        assert not any(module.training for module in model.modules())
        events += 1
    assert events


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
@pytest.mark.parametrize("steps", [1, 2, 4])
def test_model_of_a_closed_loop_answers_with_all_patches(tiny, ema_decay, steps):
    model = VisionTransformer(replace(tiny, patch_drop=0.5, dropout=0.5), seed=0)
    data = load_cifar10(20, 10)
    events = train(model, data, TrainConfig(epochs=2, batch_size=8, ema_decay=ema_decay))
    for _ in range(steps):
        next(events)
    events.close()
    first, trace = model.trace(normalize(data.validation.images))
    assert trace.tokens[0].shape[1] == tiny.num_tokens
    assert torch.equal(first, model(normalize(data.validation.images)))


def test_interrupt_in_the_middle_of_a_step_leaves_the_model_in_evaluation_mode(tiny, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    model = VisionTransformer(tiny, seed=0)
    monkeypatch.setattr("vitdemo.training.replicas.F.cross_entropy", interrupt)
    with pytest.raises(KeyboardInterrupt):
        list(train(model, load_cifar10(20, 10), TrainConfig(epochs=1)))
    assert not model.training


def test_leaving_the_loop_keeps_the_weights_of_the_last_step(tiny):
    data, config = load_cifar10(20, 5), TrainConfig(epochs=3, batch_size=4)
    one, two = VisionTransformer(tiny, seed=0), VisionTransformer(tiny, seed=0)
    for event in train(one, data, config):
        if event.batch == 2:
            break
    events = train(two, data, config)
    next(events), next(events)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    next(events)
    assert not all(
        torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True)
    )


@pytest.mark.parametrize("threads", [1, 2])
def test_leaving_the_loop_ends_its_threads(tiny, threads):
    torch.set_num_threads(threads)
    before = threading.active_count()
    events = train(
        VisionTransformer(tiny, seed=0), load_cifar10(32, 10), TrainConfig(batch_size=16)
    )
    next(events)
    assert before < threading.active_count() <= before + threads
    events.close()
    assert threading.active_count() == before


# Loss


def mixed_by_hand(images, labels, classes, config, generator):
    """Blend each image in equal parts with the next one."""
    targets = F.one_hot(labels, classes).float()
    return (normalize(images) + normalize(images).roll(1, 0)) / 2, (
        targets + targets.roll(1, 0)
    ) / 2


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_loss_uses_mixed_labels_and_label_smoothing(tiny, smoothing, monkeypatch):
    monkeypatch.setattr("vitdemo.training.replicas.augment", mixed_by_hand)
    data, model = load_cifar10(1, 5), VisionTransformer(tiny, seed=0)
    pair = Split(
        torch.stack([data.train.images[0], data.validation.images[0]]), torch.tensor([3, 8])
    )
    with torch.no_grad():
        mixed = normalize(pair.images).mean(dim=0, keepdim=True)
        logs = model(mixed)[0].log_softmax(dim=0).tolist()
    targets = [smoothing / 10] * 10
    for k in (3, 8):
        targets[k] += (1 - smoothing) / 2
    expected = -sum(target * log for target, log in zip(targets, logs, strict=True))
    config = TrainConfig(epochs=1, batch_size=2, label_smoothing=smoothing, precision="float32")
    assert next(train(model, replace(data, train=pair), config)).loss == pytest.approx(
        expected, rel=1e-5
    )


def test_training_metrics_count_mixed_images_under_their_own_label(tiny, monkeypatch):
    monkeypatch.setattr("vitdemo.training.replicas.augment", mixed_by_hand)
    data, model = load_cifar10(1, 5), VisionTransformer(tiny, seed=0)
    pair = Split(
        torch.stack([data.train.images[0], data.validation.images[0]]), torch.tensor([3, 8])
    )
    with torch.no_grad():
        logits = model(normalize(pair.images).mean(dim=0, keepdim=True)).expand(2, -1)
    config = TrainConfig(epochs=1, batch_size=2, precision="float32")
    (epoch,) = events_of(model, replace(data, train=pair), config, EpochEnd)
    assert epoch.train["loss"] == pytest.approx(
        F.cross_entropy(logits, pair.labels).item(), rel=1e-5
    )


@pytest.mark.parametrize(
    "changes",
    [changes for name, changes in RANDOMNESS.items() if name not in ("order", *asdict(PLAIN_MODEL))]
    + [
        {"label_smoothing": 0.2},
        {"ema_decay": 0.5},
        {"patch_embed_init": "whitened"},
        {"precision": "bfloat16"},
    ],
    ids=str,
)
def test_each_part_of_the_recipe_changes_the_weights(changes):
    recipe = TrainConfig(epochs=2, batch_size=32, precision="float32")
    data = load_cifar10(32, 10)
    plain, changed = (
        trained(PLAIN_MODEL, config, data) for config in (recipe, replace(recipe, **changes))
    )
    assert not torch.allclose(plain[1]["head.weight"], changed[1]["head.weight"], rtol=0, atol=1e-5)


def test_bfloat16_loss_is_close_to_float32_loss():
    data = load_cifar10(64, 10)
    recipe = TrainConfig(epochs=6, batch_size=32, learning_rate=2e-3)
    losses = {}
    for precision in ("float32", "bfloat16"):
        model = VisionTransformer(PLAIN_MODEL, seed=0)
        epochs = events_of(model, data, replace(recipe, precision=precision), EpochEnd)
        losses[precision] = [epoch.train["loss"] for epoch in epochs] + [
            evaluate(model, data.train)["loss"]
        ]
    assert losses["float32"][-1] < losses["float32"][0] - 0.2
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.02)
    assert losses["bfloat16"] != pytest.approx(losses["float32"], rel=1e-6)


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_training_starts_from_whitened_filters(ema_decay):
    data = load_cifar10(64, 10)
    recipe = TrainConfig(
        patch_embed_init="whitened", ema_decay=ema_decay, learning_rate=1e-7, precision="float32"
    )
    model, expected = VisionTransformer(PLAIN_MODEL, seed=0), VisionTransformer(PLAIN_MODEL, seed=0)
    whiten(expected, data.train.images)
    next(train(model, data, recipe))
    for name, weight in expected.named_parameters():
        torch.testing.assert_close(model.get_parameter(name), weight, rtol=1e-4, atol=1e-5)


# Moving average of the weights


@pytest.mark.parametrize("decay", [0.2, 0.75, 0.99])
@pytest.mark.parametrize("config", [RANDOM_MODEL, CONV_MODEL], ids=["patch", "conv"])
def test_model_is_the_moving_average_of_the_trained_weights(config, decay):
    data = load_cifar10(40, 10)
    plain = replace(RANDOM_RECIPE, ema_decay=0.0, learning_rate=0.01)
    trained_model = VisionTransformer(config, seed=0).double()
    mean = {name: weight.clone() for name, weight in trained_model.state_dict().items()}
    trained_model = trained_model.float()
    step = 0
    for event in train(trained_model, data, plain):
        if isinstance(event, BatchEnd):
            step += 1
            kept = min(decay, step / (step + 10))
            for name, weight in trained_model.state_dict().items():
                mean[name] = kept * mean[name] + (1 - kept) * weight.double()
    assert step == 6

    model = VisionTransformer(config, seed=0)
    epochs = events_of(model, data, replace(plain, ema_decay=decay), EpochEnd)
    for name, weight in model.named_parameters():
        torch.testing.assert_close(weight, mean[name].float(), rtol=1e-4, atol=1e-6)
    for name, buffer in model.named_buffers():
        assert torch.equal(buffer, trained_model.get_buffer(name)), name
    assert evaluate(model, data.validation) == pytest.approx(epochs[-1].validation, abs=1e-6)
    assert evaluate(trained_model, data.validation)["loss"] != pytest.approx(
        epochs[-1].validation["loss"], abs=1e-4
    )


def test_moving_average_is_updated_after_each_step(tiny):
    model = VisionTransformer(tiny, seed=0)
    first = {name: weight.clone() for name, weight in model.named_parameters()}
    recipe = TrainConfig(batch_size=20, learning_rate=0.011, weight_decay=0.0, ema_decay=0.9)
    next(train(model, load_cifar10(20, 5), recipe))
    change = (model.get_parameter("head.weight") - first["head.weight"]).abs()
    # Adam's first step has the size of the learning rate, and 10/11 of it count.
    assert change.median().item() == pytest.approx(0.01, rel=0.01)


def test_copy_of_does_not_share_memory(tiny):
    model = VisionTransformer(tiny, seed=3)
    copy = copy_of(model)
    assert all(
        torch.equal(mine, its)
        for mine, its in zip(model.parameters(), copy.parameters(), strict=True)
    )
    with torch.no_grad():
        copy.head.bias.add_(1)
    assert torch.equal(model.head.bias + 1, copy.head.bias)


# Results and errors


def test_small_model_memorizes_20_images():
    model = VisionTransformer(ModelConfig(patch_size=8, embed_dim=32, depth=2, num_heads=4), seed=0)
    epochs = events_of(
        model,
        load_cifar10(20, 5),
        TrainConfig(epochs=40, batch_size=20, learning_rate=5e-3),
        EpochEnd,
    )
    assert epochs[0].train["accuracy"] < 0.5
    assert epochs[-1].train["accuracy"] == 1.0
    assert epochs[-1].train["loss"] < 0.05


def test_divergence_message_names_step_and_learning_rate(tiny):
    config = TrainConfig(epochs=60, batch_size=8, learning_rate=10.0, weight_decay=10.0)
    events = []
    with pytest.raises(TrainingDiverged) as caught:
        events.extend(train(VisionTransformer(tiny, seed=0), load_cifar10(20, 5), config))
    losses = [event.loss for event in events if isinstance(event, BatchEnd)]
    assert all(math.isfinite(loss) for loss in losses)
    step = len(losses)  # diverged in the validation after this step, or in the next step
    if not isinstance(events[-1], ValidationBatchEnd):
        step += 1
    assert f"at step {step} (epoch {math.ceil(step / 3)})" in str(caught.value)
    assert "Lower the learning rate, now 10, for example to 1" in str(caught.value)


@pytest.mark.parametrize("empty", ["train", "validation"])
def test_split_without_images_is_refused(tiny, empty):
    data = load_cifar10(5, 5)
    data = replace(data, **{empty: data.train[:0]})
    with pytest.raises(ConfigError, match="at least one training and one validation image"):
        next(train(VisionTransformer(tiny, seed=0), data, TrainConfig()))


def test_step_that_needs_too_much_memory_is_refused():
    model = VisionTransformer(ModelConfig(patch_size=1, num_heads=64), seed=0)
    with pytest.raises(ConfigError, match="GiB of memory"):
        next(train(model, load_cifar10(5, 5), TrainConfig(batch_size=1024)))


def test_model_sees_pixels_from_minus_one_to_one(tiny):
    model, data = VisionTransformer(tiny, seed=0), load_cifar10(20, 30)
    with torch.no_grad():
        logits = model(data.validation.images / 127.5 - 1)
        loss = F.cross_entropy(model(data.train.images / 127.5 - 1), data.train.labels).item()
    torch.testing.assert_close(
        torch.cat(list(predict(model, data.validation))), logits, rtol=1e-5, atol=1e-6
    )
    config = TrainConfig(batch_size=20, precision="float32")
    assert next(train(model, data, config)).loss == pytest.approx(loss, rel=1e-5)


def test_evaluate_leaves_weights_and_gradients_unchanged(tiny):
    model, data = VisionTransformer(tiny, seed=0).train(), load_cifar10(5, 30)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    assert list(evaluate(model, data.validation)) == KEYS
    assert all(weight.grad is None for weight in model.parameters())
    assert all(torch.equal(before[name], weight) for name, weight in model.state_dict().items())


def test_weight_decay_of_the_papers_code_exceeds_its_gradients():
    """The Train page says so: it holds for most weights at the first step."""
    config, training = PRESETS["annotation"]
    model, data = VisionTransformer(config, seed=0), load_cifar10(128, 1)
    F.cross_entropy(model(normalize(data.train.images)), data.train.labels).backward()
    decay = torch.cat(
        [training.weight_decay * weight.detach().flatten() for weight in model.parameters()]
    )
    gradient = torch.cat([weight.grad.flatten() for weight in model.parameters()])
    assert (decay.abs() > gradient.abs()).float().mean() > 0.7
