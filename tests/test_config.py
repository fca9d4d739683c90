import math
import subprocess
import sys
from dataclasses import FrozenInstanceError, asdict, replace
from pathlib import Path

import numpy as np
import pytest

from vitdemo.config import (
    PRESETS,
    SETTINGS,
    ConfigError,
    ModelConfig,
    TrainConfig,
    config_from_dict,
    divisors,
)

ROOT = Path(__file__).parents[1]
LIMITS = {name: setting.limits for name, setting in SETTINGS.items() if setting.limits}
MODEL_NUMBERS = [name for name in asdict(ModelConfig()) if name in LIMITS]
TRAIN_NUMBERS = [name for name in asdict(TrainConfig()) if name in LIMITS]
NUMBERS = [(ModelConfig, name) for name in MODEL_NUMBERS]
NUMBERS += [(TrainConfig, name) for name in TRAIN_NUMBERS]
INTEGERS = [(kind, name) for kind, name in NUMBERS if isinstance(LIMITS[name][0], int)]


def message_of(kind, **values):
    with pytest.raises(ConfigError) as caught:
        kind(**values)
    return str(caught.value)


def test_every_number_has_limits():
    fields = asdict(ModelConfig()) | asdict(TrainConfig())
    assert {name for name, value in fields.items() if not isinstance(value, str)} == set(LIMITS)


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, "4", True, None, [4], 1 + 2j, -1], ids=repr
)
@pytest.mark.parametrize(("kind", "name"), NUMBERS)
def test_invalid_number_is_refused(kind, name, value):
    low, high = LIMITS[name]
    message = message_of(kind, **{name: value})
    assert message.startswith(f"{name} must be a")
    assert f"from {low:g} to {high:,}" in message
    assert message.endswith(f"not {value!r}.")


@pytest.mark.parametrize(("kind", "name"), INTEGERS)
def test_fraction_is_refused_for_an_integer(kind, name):
    assert "a whole number" in message_of(kind, **{name: 2.5})


@pytest.mark.parametrize(("kind", "name"), NUMBERS)
def test_number_outside_its_limits_is_refused(kind, name):
    low, high = LIMITS[name]
    step = 1 if isinstance(low, int) else 1e-9
    for value in (low - step, high + max(step, high * 1e-9 if step < 1 else 1)):
        assert message_of(kind, **{name: value}).startswith(f"{name} must be")


@pytest.mark.parametrize(
    "name",
    [
        "patch_size",
        "image_size",
        "in_channels",
        "num_classes",
        "embed_dim",
        "depth",
        "num_heads",
        "mlp_ratio",
    ],
)
def test_zero_is_refused_in_model_config(name):
    assert "not 0" in message_of(ModelConfig, **{name: 0})


@pytest.mark.parametrize(
    "name", ["epochs", "batch_size", "learning_rate", "train_images", "validation_images"]
)
def test_zero_is_refused_in_train_config(name):
    assert "not 0" in message_of(TrainConfig, **{name: 0})


@pytest.mark.parametrize(
    ("kind", "name", "choices"),
    [
        (ModelConfig, "stem", "patch or conv"),
        (ModelConfig, "pooling", "cls, mean or attention"),
        (ModelConfig, "attention_scale", "head_dim or embed_dim"),
        (TrainConfig, "optimizer", "adam or adamw"),
        (TrainConfig, "schedule", "constant or cosine"),
        (TrainConfig, "augmentation", "none, flip or flip_and_translate"),
        (TrainConfig, "patch_embed_init", "random or whitened"),
        (TrainConfig, "precision", "auto, float32 or bfloat16"),
        (TrainConfig, "validation_from", "test or train"),
    ],
)
@pytest.mark.parametrize("value", ["sgd", "", None, 1, []], ids=repr)
def test_error_for_unknown_choice_lists_the_choices(kind, name, choices, value):
    assert message_of(kind, **{name: value}) == f"{name} must be {choices}, not {value!r}."


def test_num_heads_must_divide_embed_dim():
    message = message_of(ModelConfig, embed_dim=64, num_heads=12)
    assert "num_heads 12 does not divide embed_dim 64" in message
    assert "Use 1, 2, 4, 8, 16, 32 or 64 heads, or embed_dim 60 or 72" in message


def test_patch_size_must_divide_image_size():
    message = message_of(ModelConfig, image_size=32, patch_size=5)
    assert message == "patch_size 5 does not divide image_size 32. Use 1, 2, 4, 8, 16 or 32."


def test_patch_size_must_not_exceed_image_size():
    message = message_of(ModelConfig, image_size=32, patch_size=64)
    assert message == "patch_size 64 is larger than image_size 32. Use 1, 2, 4, 8, 16 or 32."


def test_table_of_section_1_4_3_is_refused_for_both_of_its_problems():
    message = message_of(
        ModelConfig,
        image_size=32,
        patch_size=64,
        embed_dim=256,
        depth=12,
        num_heads=12,
        mlp_ratio=12.0,
        dropout=0.1,
    )
    assert "patch_size 64 is larger than image_size 32" in message
    assert "num_heads 12 does not divide embed_dim 256" in message
    assert "embed_dim 252 or 264" in message


def test_values_advised_by_error_messages_are_valid():
    sizes = {"patch_size": 16, "depth": 12, "mlp_ratio": 12.0}
    assert ModelConfig(embed_dim=264, num_heads=12, **sizes).head_dim == 22
    assert ModelConfig(embed_dim=256, num_heads=16, **sizes).mlp_dim == 3072


@pytest.mark.parametrize("name", PRESETS)
def test_presets_can_be_shortened(name):
    training = PRESETS[name][1]
    short = replace(training, epochs=2)
    assert short.warmup_epochs == training.warmup_epochs
    assert replace(short, epochs=training.epochs) == training


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("drop_path", 0.0, 0.9),
        ("patch_drop", 0.0, 0.9),
        ("jitter", 0.0, 1.0),
        ("cutout", 0, 256),
        ("mixup", 0.0, 1.0),
        ("cutmix", 0.0, 1.0),
        ("label_smoothing", 0.0, 0.9),
        ("ema_decay", 0.0, 0.9999),
    ],
)
def test_limits_of_regularization_and_augmentation(name, low, high):
    kind = ModelConfig if name in MODEL_NUMBERS else TrainConfig
    assert getattr(kind(), name) == low
    for value in (low, high):
        assert getattr(kind(**{name: value}), name) == value
    whole = "a whole number" if name == "cutout" else "a number"
    above = high + (1 if name == "cutout" else 0.001)
    assert (
        message_of(kind, **{name: above})
        == f"{name} must be {whole} from 0 to {high}, not {above!r}."
    )


def test_mixup_and_cutmix_must_add_up_to_at_most_one():
    message = message_of(TrainConfig, mixup=0.75, cutmix=0.5)
    assert message.startswith(
        "mixup 0.75 and cutmix 0.5 are fractions of the steps and add up to more than 1"
    )
    assert message.endswith("Use at most 0.25 for cutmix.")
    assert TrainConfig(mixup=0.75, cutmix=0.25).cutmix == 0.25


@pytest.mark.parametrize("patch_size", [1, 3, 5, 6, 12, 24])
def test_conv_stem_needs_a_power_of_two_as_patch_size(patch_size):
    message = message_of(ModelConfig, stem="conv", image_size=24 * 5, patch_size=patch_size)
    assert message.startswith(
        f"patch_size {patch_size} does not fit a conv stem, which halves the image in every stage "
        "and must leave more than one token. Use 2, 4, 8 or 16."
    )


def test_conv_stem_must_leave_more_than_one_token():
    """Batch norm of a single token of a single image would see one number per channel."""
    message = message_of(ModelConfig, stem="conv", image_size=16, patch_size=16)
    assert message.startswith("patch_size 16 does not fit a conv stem")
    assert "must leave more than one token" in message
    assert ModelConfig(stem="conv", patch_size=16).num_patches == 4


def test_conv_stem_problem_is_reported_with_all_others():
    message = message_of(ModelConfig, stem="conv", patch_size=5, num_heads=7)
    for problem in (
        "patch_size 5 does not fit a conv stem",
        "patch_size 5 does not divide image_size 32",
        "num_heads 7 does not divide",
    ):
        assert problem in message


@pytest.mark.parametrize(
    ("patch_size", "widths"),
    [(2, [64]), (4, [64, 128]), (8, [64, 128, 256]), (16, [64, 128, 256, 512])],
)
def test_conv_stem_doubles_its_width_in_each_stage(patch_size, widths):
    assert ModelConfig(stem="conv", patch_size=patch_size).stem_widths == widths


@pytest.mark.parametrize(("pooling", "tokens"), [("cls", 65), ("mean", 64), ("attention", 64)])
@pytest.mark.parametrize("stem", ["patch", "conv"])
def test_cls_token_exists_only_with_cls_pooling(stem, pooling, tokens):
    config = ModelConfig(stem=stem, pooling=pooling)
    assert (config.num_patches, config.num_tokens, config.has_cls) == (64, tokens, pooling == "cls")


def test_long_value_is_truncated_in_the_message():
    assert len(message_of(TrainConfig, optimizer="x" * 10_000)) < 120


def test_config_error_is_a_value_error():
    assert issubclass(ConfigError, ValueError)


@pytest.mark.parametrize("config", [ModelConfig(), TrainConfig()])
def test_configurations_are_frozen_and_hashable(config):
    with pytest.raises(FrozenInstanceError):
        config.seed = 1
    assert hash(config) == hash(type(config)())


@pytest.mark.parametrize("pair", PRESETS.values(), ids=PRESETS)
def test_config_round_trips_through_a_dict(pair):
    for config in pair:
        assert config_from_dict(type(config), asdict(config)) == config


def test_missing_fields_take_their_defaults():
    assert config_from_dict(ModelConfig, {"depth": 2}) == ModelConfig(depth=2)


@pytest.mark.parametrize("kind", [ModelConfig, TrainConfig])
def test_error_for_unknown_field_lists_the_fields(kind):
    with pytest.raises(ConfigError) as caught:
        config_from_dict(kind, {"heads": 8})
    assert str(caught.value).startswith(f"{kind.__name__} has no field 'heads'. Use ")
    assert all(name in str(caught.value) for name in asdict(kind()))


@pytest.mark.parametrize("values", [None, [("depth", 2)], "depth", 5], ids=repr)
def test_config_from_dict_refuses_other_types(values):
    with pytest.raises(ConfigError, match="ModelConfig is read from a mapping"):
        config_from_dict(ModelConfig, values)


def test_config_from_dict_refuses_invalid_values():
    with pytest.raises(ConfigError, match="depth must be a whole number"):
        config_from_dict(ModelConfig, {"depth": "7"})


def test_derived_sizes():
    config = ModelConfig(image_size=24, patch_size=6, embed_dim=20, num_heads=5, mlp_ratio=1.5)
    assert (config.grid_size, config.num_patches, config.num_tokens) == (4, 16, 17)
    assert (config.head_dim, config.mlp_dim) == (4, 30)


def test_head_choices_are_divisors_of_embed_dim():
    assert ModelConfig(embed_dim=12, num_heads=1).head_choices() == [1, 2, 3, 4, 6, 12]
    assert ModelConfig(embed_dim=256).head_choices() == [1, 2, 4, 8, 16, 32, 64]


@pytest.mark.parametrize(
    ("number", "expected"), [(1, [1]), (7, [1, 7]), (36, [1, 2, 3, 4, 6, 9, 12, 18, 36])]
)
def test_divisors(number, expected):
    assert divisors(number) == expected


def test_annotation_preset_is_the_papers_code():
    model, training = PRESETS["annotation"]
    assert asdict(model) == {
        "image_size": 32,
        "patch_size": 4,
        "in_channels": 3,
        "num_classes": 10,
        "embed_dim": 64,
        "depth": 7,
        "num_heads": 8,
        "mlp_ratio": 4.0,
        "stem": "patch",
        "pooling": "cls",
        "dropout": 0.0,
        "attention_dropout": 0.1,
        "drop_path": 0.0,
        "patch_drop": 0.0,
        "attention_scale": "embed_dim",
        "token_init_std": 1.0,
    }
    assert asdict(training) == {
        "epochs": 6,
        "batch_size": 128,
        "learning_rate": 1e-3,
        "weight_decay": 0.1,
        "optimizer": "adam",
        "schedule": "constant",
        "warmup_epochs": 0.0,
        "augmentation": "none",
        "jitter": 0.0,
        "cutout": 0,
        "mixup": 0.0,
        "cutmix": 0.0,
        "label_smoothing": 0.0,
        "ema_decay": 0.0,
        "patch_embed_init": "random",
        "precision": "auto",
        "seed": 0,
        "train_images": 600,
        "validation_images": 200,
        "validation_from": "test",
    }


def test_recommended_preset_has_the_shape_of_the_papers_code():
    shape = (
        "image_size",
        "patch_size",
        "in_channels",
        "num_classes",
        "embed_dim",
        "depth",
        "num_heads",
        "mlp_ratio",
    )
    ours, papers = asdict(PRESETS["recommended"][0]), asdict(PRESETS["annotation"][0])
    assert {name: ours[name] for name in shape} == {name: papers[name] for name in shape}


@pytest.mark.parametrize(
    "module", ["vitdemo", "vitdemo.config", "vitdemo.costs", "vitdemo.files", "vitdemo.__main__"]
)
def test_module_does_not_load_torch(module):
    slow = {"torch", "torchvision", "numpy", "PIL"}
    code = f"import sys, {module}; print(*{slow} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("value", [10**400, -(10**400)], ids=["large", "small"])
def test_number_too_large_for_a_float_is_refused(value):
    for kind, name in (
        (ModelConfig, "embed_dim"),
        (ModelConfig, "mlp_ratio"),
        (TrainConfig, "learning_rate"),
    ):
        with pytest.raises(ConfigError, match=f"^{name} must be a"):
            kind(**{name: value})


@pytest.mark.parametrize(("embed_dim", "num_heads"), [(8, 7), (10, 7), (1024, 63)])
def test_advised_embed_dims_are_within_their_limits(embed_dim, num_heads):
    with pytest.raises(ConfigError) as caught:
        ModelConfig(embed_dim=embed_dim, num_heads=num_heads)
    advised = str(caught.value).rpartition("embed_dim ")[2].rstrip(".")
    advised = advised.replace(" or ", ", ").split(", ")
    for width in advised:
        assert ModelConfig(embed_dim=int(width), num_heads=num_heads).head_dim >= 1


def test_unknown_fields_of_mixed_types_are_refused():
    with pytest.raises(ConfigError, match="has no field"):
        config_from_dict(ModelConfig, {1: 2, "heads": 3})


@pytest.mark.parametrize("value", [np.int64(1), np.float32(1)], ids=repr)
def test_numpy_numbers_are_refused(value):
    """JSON cannot hold them, so save_checkpoint would fail; load_cifar10 refuses them, too."""
    with pytest.raises(ConfigError, match="mlp_ratio must be a number"):
        ModelConfig(mlp_ratio=value)
