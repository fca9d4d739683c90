import math
import subprocess
import sys
from dataclasses import FrozenInstanceError, asdict
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
NUMBERS = [(ModelConfig, name) for name in MODEL_NUMBERS] + [
    (TrainConfig, name) for name in TRAIN_NUMBERS
]
WHOLE = [(kind, name) for kind, name in NUMBERS if isinstance(LIMITS[name][0], int)]


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
def test_what_is_not_a_number_in_the_limits_is_refused(kind, name, value):
    low, high = LIMITS[name]
    message = message_of(kind, **{name: value})
    assert message.startswith(f"{name} must be a")
    assert f"from {low:g} to {high:,}" in message
    assert message.endswith(f"not {value!r}.")


@pytest.mark.parametrize(("kind", "name"), WHOLE)
def test_a_fraction_is_refused_where_a_whole_number_is_needed(kind, name):
    assert "a whole number" in message_of(kind, **{name: 2.5})


@pytest.mark.parametrize(("kind", "name"), NUMBERS)
def test_numbers_beyond_the_limits_are_refused(kind, name):
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
def test_zero_is_refused_in_a_shape(name):
    assert "not 0" in message_of(ModelConfig, **{name: 0})


@pytest.mark.parametrize(
    "name", ["epochs", "batch_size", "learning_rate", "train_images", "validation_images"]
)
def test_zero_is_refused_in_a_recipe(name):
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
def test_an_unknown_choice_is_refused_with_the_known_ones(kind, name, choices, value):
    assert message_of(kind, **{name: value}) == f"{name} must be {choices}, not {value!r}."


def test_heads_that_do_not_divide_the_width():
    message = message_of(ModelConfig, embed_dim=64, num_heads=12)
    assert "num_heads 12 does not divide embed_dim 64" in message
    assert "Use 1, 2, 4, 8, 16, 32 or 64 heads, or embed_dim 60 or 72" in message


def test_a_patch_that_does_not_divide_the_image():
    message = message_of(ModelConfig, image_size=32, patch_size=5)
    assert (
        "patch_size 5 does not divide the image of 32 × 32 pixels. Use 1, 2, 4, 8, 16 or 32."
        in message
    )


def test_a_patch_larger_than_the_image():
    message = message_of(ModelConfig, image_size=32, patch_size=64)
    assert (
        "patch_size 64 is larger than the image of 32 × 32 pixels. Use 1, 2, 4, 8, 16 or 32."
        in message
    )


def test_the_table_of_section_1_4_3_names_both_of_its_problems():
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
    assert "patch_size 64 is larger than the image" in message
    assert "num_heads 12 does not divide embed_dim 256" in message
    assert "embed_dim 252 or 264" in message


def test_what_a_message_advises_works():
    assert (
        ModelConfig(patch_size=16, embed_dim=264, depth=12, num_heads=12, mlp_ratio=12.0).head_dim
        == 22
    )
    assert (
        ModelConfig(patch_size=16, embed_dim=256, depth=12, num_heads=16, mlp_ratio=12.0).mlp_dim
        == 3072
    )


def test_a_warm_up_longer_than_the_training():
    message = message_of(TrainConfig, epochs=6, warmup_epochs=6.5)
    assert message == "warmup_epochs 6.5 is longer than the run of 6 epochs. Use at most 6."
    assert TrainConfig(epochs=6, warmup_epochs=6).warmup_epochs == 6


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
def test_the_limits_of_what_keeps_a_model_from_learning_by_heart(name, low, high):
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


def test_steps_are_mixed_in_one_way_or_the_other():
    message = message_of(TrainConfig, mixup=0.75, cutmix=0.5)
    assert message.startswith(
        "mixup 0.75 and cutmix 0.5 are fractions of the steps and add up to more than 1"
    )
    assert message.endswith("Use at most 0.25 for cutmix.")
    assert TrainConfig(mixup=0.75, cutmix=0.25).cutmix == 0.25


@pytest.mark.parametrize("patch_size", [1, 3, 5, 6, 12, 24])
def test_a_conv_stem_makes_tokens_of_a_power_of_two(patch_size):
    message = message_of(ModelConfig, stem="conv", image_size=24 * 5, patch_size=patch_size)
    assert message.startswith(
        "A conv stem halves the image in every stage and leaves more than one token, "
        f"so patch_size {patch_size} does not fit. Use 2, 4, 8 or 16."
    )


def test_a_conv_stem_leaves_more_than_one_token():
    """Its batch norms would see a single number of each channel in a batch of one image."""
    message = message_of(ModelConfig, stem="conv", image_size=16, patch_size=16)
    assert "leaves more than one token, so patch_size 16 does not fit" in message
    assert ModelConfig(stem="conv", patch_size=16).num_patches == 4


def test_a_conv_stem_names_its_problem_beside_the_others():
    message = message_of(ModelConfig, stem="conv", patch_size=5, num_heads=7)
    for problem in (
        "A conv stem halves",
        "patch_size 5 does not divide the image",
        "num_heads 7 does not divide",
    ):
        assert problem in message


@pytest.mark.parametrize(
    ("patch_size", "widths"),
    [(2, [64]), (4, [64, 128]), (8, [64, 128, 256]), (16, [64, 128, 256, 512])],
)
def test_each_stage_of_a_conv_stem_is_twice_as_wide(patch_size, widths):
    assert ModelConfig(stem="conv", patch_size=patch_size).stem_widths == widths


@pytest.mark.parametrize(("pooling", "tokens"), [("cls", 65), ("mean", 64), ("attention", 64)])
@pytest.mark.parametrize("stem", ["patch", "conv"])
def test_cls_is_a_token_only_where_the_class_is_read_from_it(stem, pooling, tokens):
    config = ModelConfig(stem=stem, pooling=pooling)
    assert (config.num_patches, config.num_tokens, config.has_cls) == (64, tokens, pooling == "cls")


def test_a_long_value_is_cut_short_in_the_message():
    assert len(message_of(TrainConfig, optimizer="x" * 10_000)) < 120


def test_a_config_error_is_a_value_error():
    assert issubclass(ConfigError, ValueError)


@pytest.mark.parametrize("config", [ModelConfig(), TrainConfig()])
def test_configurations_are_frozen_and_hashable(config):
    with pytest.raises(FrozenInstanceError):
        config.seed = 1
    assert hash(config) == hash(type(config)())


@pytest.mark.parametrize("pair", PRESETS.values(), ids=PRESETS)
def test_a_configuration_survives_a_mapping(pair):
    for config in pair:
        assert config_from_dict(type(config), asdict(config)) == config


def test_missing_fields_take_their_defaults():
    assert config_from_dict(ModelConfig, {"depth": 2}) == ModelConfig(depth=2)


@pytest.mark.parametrize("kind", [ModelConfig, TrainConfig])
def test_an_unknown_field_is_refused_with_the_known_ones(kind):
    with pytest.raises(ConfigError) as caught:
        config_from_dict(kind, {"heads": 8})
    assert str(caught.value).startswith(f"{kind.__name__} has no field 'heads'. Use ")
    assert all(name in str(caught.value) for name in asdict(kind()))


@pytest.mark.parametrize("values", [None, [("depth", 2)], "depth", 5], ids=repr)
def test_what_is_not_a_mapping_is_refused(values):
    with pytest.raises(ConfigError, match="ModelConfig is read from a mapping"):
        config_from_dict(ModelConfig, values)


def test_a_bad_value_in_a_mapping_is_refused():
    with pytest.raises(ConfigError, match="depth must be a whole number"):
        config_from_dict(ModelConfig, {"depth": "7"})


def test_sizes_that_follow_from_the_configuration():
    config = ModelConfig(image_size=24, patch_size=6, embed_dim=20, num_heads=5, mlp_ratio=1.5)
    assert (config.num_patches, config.num_tokens, config.head_dim, config.mlp_dim) == (
        16,
        17,
        4,
        30,
    )


def test_head_choices_are_the_divisors_of_the_width_up_to_the_limit():
    assert ModelConfig(embed_dim=12, num_heads=1).head_choices() == [1, 2, 3, 4, 6, 12]
    assert ModelConfig(embed_dim=256).head_choices() == [1, 2, 4, 8, 16, 32, 64]


@pytest.mark.parametrize(
    ("number", "expected"), [(1, [1]), (7, [1, 7]), (36, [1, 2, 3, 4, 6, 9, 12, 18, 36])]
)
def test_divisors(number, expected):
    assert divisors(number) == expected


def test_the_annotation_preset_is_the_listing():
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


def test_the_recommended_preset_has_the_shape_of_the_listing():
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
    ours, listing = (asdict(PRESETS[name][0]) for name in ("recommended", "annotation"))
    assert {name: ours[name] for name in shape} == {name: listing[name] for name in shape}


@pytest.mark.parametrize(
    "module", ["vitdemo", "vitdemo.config", "vitdemo.costs", "vitdemo.files", "vitdemo.__main__"]
)
def test_a_page_can_read_its_limits_without_waiting_for_torch(module):
    code = f"import sys, {module}; print(*{{'torch', 'torchvision', 'numpy', 'PIL'}} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("value", [10**400, -(10**400)], ids=["large", "small"])
def test_a_number_too_large_for_a_float_is_refused(value):
    for kind, name in (
        (ModelConfig, "embed_dim"),
        (ModelConfig, "mlp_ratio"),
        (TrainConfig, "learning_rate"),
    ):
        with pytest.raises(ConfigError, match=f"^{name} must be a"):
            kind(**{name: value})


@pytest.mark.parametrize(("embed_dim", "num_heads"), [(8, 7), (10, 7), (1024, 63)])
def test_the_advised_widths_are_within_their_limits(embed_dim, num_heads):
    with pytest.raises(ConfigError) as caught:
        ModelConfig(embed_dim=embed_dim, num_heads=num_heads)
    advised = (
        str(caught.value).rpartition("embed_dim ")[2].rstrip(".").replace(" or ", ", ").split(", ")
    )
    for width in advised:
        assert ModelConfig(embed_dim=int(width), num_heads=num_heads).head_dim >= 1


def test_unknown_fields_of_mixed_kinds_are_refused():
    with pytest.raises(ConfigError, match="has no field"):
        config_from_dict(ModelConfig, {1: 2, "heads": 3})


@pytest.mark.parametrize("value", [np.int64(1), np.float32(1)], ids=repr)
def test_numbers_that_json_cannot_hold_are_refused(value):
    """They would break save_checkpoint; load_cifar10 refuses them already."""
    with pytest.raises(ConfigError, match="mlp_ratio must be a number"):
        ModelConfig(mlp_ratio=value)
