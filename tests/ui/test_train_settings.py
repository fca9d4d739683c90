"""The settings of the Train page without a browser: controls, presets, costs and URL."""

from dataclasses import replace

import pytest
import torch
from open_app import by_label, captions_of, open_app, open_groups

from vitdemo.background.throughput import Estimate
from vitdemo.background.training_queue import QUEUE
from vitdemo.config import PRESETS, SETTINGS, ModelConfig, TrainConfig
from vitdemo.model import VisionTransformer
from vitdemo.ui.train import settings
from vitdemo.ui.wording import stem_note

NON_DEFAULTS = {
    "stem": "conv",
    "pooling": "attention",
    "drop_path": 0.1,
    "patch_drop": 0.25,
    "jitter": 0.2,
    "cutout": 4,
    "mixup": 0.3,
    "cutmix": 0.2,
    "label_smoothing": 0.05,
    "ema_decay": 0.99,
    "precision": "float32",
    "patch_embed_init": "random",
    "epochs": 200,
    "learning_rate": 0.003,
}


def test_train_page_shows_its_controls_and_costs():
    app = open_app()
    assert [by_label(app.slider, label).value for label in ("Depth", "Training images")] == [7, 600]
    assert [by_label(app.select_slider, label).value for label in ("Heads", "Patch size")] == [8, 4]
    assert not by_label(app.button, "Train").disabled
    assert by_label(app.button, "Stop").disabled
    assert {metric.label: metric.value for metric in app.metric} == {
        "Tokens": "65",
        "Parameters": "358 k",
        "MACs": "26.3 M",
    }
    assert "FLOPs = 2 × MACs" in by_label(app.metric, "MACs").proto.help


def test_every_control_has_a_help_text():
    for field in settings.CONTROLS:
        assert (
            field in ModelConfig.__dataclass_fields__ or field in TrainConfig.__dataclass_fields__
        )
        assert SETTINGS[field].help.endswith(".")
        assert len(SETTINGS[field].help) > 40


def test_every_field_except_those_of_the_data_set_has_a_control():
    given = {"image_size", "in_channels", "num_classes", "validation_from"}
    fields = ModelConfig.__dataclass_fields__ | TrainConfig.__dataclass_fields__
    assert set(settings.CONTROLS) == set(fields) - given
    app = open_app()
    open_groups(app)
    widgets = [*app.slider, *app.select_slider, *app.selectbox, *app.number_input]
    for control in settings.CONTROLS.values():
        by_label(widgets, control.label)


def test_settings_that_are_folded_away_are_not_built_and_keep_their_values():
    app = open_app(batch_size=8)
    assert not [widget for widget in app.select_slider if widget.label == "Batch size"]
    open_groups(app)
    assert by_label(app.select_slider, "Batch size").value == 8
    by_label(app.select_slider, "Batch size").set_value(16).run()
    for label in settings.GROUPS:
        app.session_state[settings.group_key(label)] = False
    app.run()
    assert not [widget for widget in app.select_slider if widget.label == "Batch size"]
    assert app.session_state["batch_size"] == 16
    assert app.query_params["batch_size"] == "16"


def test_every_offered_value_is_a_valid_configuration():
    model, training = ModelConfig(embed_dim=48, num_heads=1), TrainConfig(epochs=200)
    for field in settings.CONTROLS:
        for value in settings.offered_values(field):
            replace(model if hasattr(model, field) else training, **{field: value})
    *sizes, whole_image = settings.CONTROLS["patch_size"].values
    for size in sizes:
        replace(model, stem="conv", patch_size=size)
    assert whole_image == model.image_size


def test_every_value_name_belongs_to_an_offered_value():
    for field, control in settings.CONTROLS.items():
        offered = settings.offered_values(field)
        if control.names:
            assert set(control.names) <= set(offered)
            assert len(set(control.names.values())) == len(control.names)
        if isinstance(offered[0], str):
            assert set(control.names) == set(offered)


@pytest.mark.parametrize("name", PRESETS)
def test_preset_values_are_offered_by_their_controls(name):
    values = settings.preset_values(name)
    assert all(value in settings.offered_values(field) for field, value in values.items())


@pytest.mark.parametrize("name", PRESETS)
def test_preset_in_the_url_sets_every_control(name):
    app = open_app(preset=name)
    model, training = PRESETS[name]
    for field in settings.CONTROLS:
        config = model if hasattr(model, field) else training
        assert app.session_state[field] == getattr(config, field), field
    checked = [button.label for button in app.button if button.icon]
    assert checked == [settings.PRESET_BUTTONS[name][0]]


@pytest.mark.parametrize("name", PRESETS)
def test_preset_button_sets_every_control(name):
    app = open_app(depth=3, optimizer="adam", embed_dim=96, num_heads=3, mixup=0.8, cutmix=0.2)
    assert not [button.label for button in app.button if button.icon]
    by_label(app.button, settings.PRESET_BUTTONS[name][0]).click().run()
    assert not app.exception
    values = settings.preset_values(name)
    assert {field: app.session_state[field] for field in values} == values
    assert app.query_params.get("preset", settings.DEFAULT_PRESET) == name


def test_papers_code_explains_chance_level_and_offers_adamw():
    app = open_app(preset="annotation")
    assert any("stays near chance" in text.value for text in app.markdown)
    by_label(app.button, "Use AdamW instead").click().run()
    assert app.session_state["optimizer"] == "adamw"
    assert not any("stays near chance" in text.value for text in app.markdown)


@pytest.mark.parametrize(
    ("pooling", "tokens", "caption", "counted"),
    [
        (
            "cls",
            "65",
            "split into 64 patches. Each becomes a token; the CLS token is added for "
            "classification.",
            "64 patches, plus the CLS token.",
        ),
        (
            "mean",
            "64",
            "split into 64 patches. Each becomes a token; the class is predicted from the mean of "
            "the tokens.",
            "64 patches, no CLS token.",
        ),
        (
            "attention",
            "64",
            "Each becomes a token; the class is predicted from a weighted mean of the tokens.",
            "64 patches, no CLS token.",
        ),
    ],
)
def test_tokens_are_counted_and_explained_for_each_pooling(pooling, tokens, caption, counted):
    app = open_app(pooling=pooling)
    metric = by_label(app.metric, "Tokens")
    assert metric.value == tokens
    assert metric.proto.help.endswith(counted)
    assert caption in captions_of(app)


def test_conv_stem_is_explained():
    assert "onvolution" not in captions_of(open_app())
    app = open_app(stem="conv")
    note = (
        "A convolutional stem computes the tokens, so each also depends on a margin of 3 pixels "
        "around its patch."
    )
    assert note in captions_of(app)
    assert by_label(app.metric, "Parameters").proto.help.endswith(
        "The patch embedding is a convolutional stem."
    )


@pytest.mark.parametrize("patch_size", [2, 4, 8])
def test_stem_note_states_the_receptive_field_of_a_conv_stem(patch_size):
    """Find the pixels that change the token of one patch by their gradients."""
    config = ModelConfig(patch_size=patch_size, stem="conv")
    stem = VisionTransformer(config, seed=0).eval().patch_embed
    side = 32 // patch_size
    token = side // 2 * side + side // 2
    images = torch.rand(20, 3, 32, 32, generator=torch.Generator().manual_seed(0)).requires_grad_()
    stem(images)[:, token].square().sum().backward()
    rows = images.grad.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
    margin = 16 - int(rows[0])
    assert int(rows[-1]) == 16 + patch_size + margin - 1
    assert f" {margin} pixel" in stem_note(config)


def test_stem_note_is_empty_for_flattened_patches():
    assert stem_note(ModelConfig()) == ""


def test_unknown_speed_is_explained(monkeypatch):
    monkeypatch.setattr("vitdemo.background.throughput.estimate", lambda *_: None)
    monkeypatch.setattr(QUEUE, "busy", lambda: False)
    assert "Measuring how fast this machine trains the model" in captions_of(open_app())


def test_page_says_when_a_run_would_start_beside_others(monkeypatch):
    monkeypatch.setattr(QUEUE, "busy", lambda: True)
    monkeypatch.setattr(QUEUE, "expected_of", lambda *_: (20.4, 95.0))
    assert "would start in about 20 s and end in about **1 min 35 s**" in captions_of(open_app())


def test_estimated_time_is_shown(monkeypatch):
    found = Estimate(epoch=8.2, total=80.0, images_per_second=100.0)
    monkeypatch.setattr("vitdemo.background.throughput.estimate", lambda *_: found)
    assert "**About 8 s per epoch** on this machine, 1 min 20 s in total (100 images/s)." in (
        captions_of(open_app(epochs=10))
    )


def test_nothing_is_estimated_for_a_step_that_cannot_be_trained():
    captions = captions_of(open_app(patch_size=2, depth=12, num_heads=16, batch_size=256))
    assert "in total" not in captions
    assert "Measuring" not in captions


def test_step_that_exceeds_the_memory_limit_cannot_be_trained():
    app = open_app(patch_size=2, depth=12, num_heads=16, batch_size=256)
    assert by_label(app.button, "Train").disabled
    assert "Use a batch size of at most" in app.error[0].value


def test_heads_offered_divide_the_embedding_dimension():
    app = open_app()
    open_groups(app)
    by_label(app.select_slider, "Heads").set_value(8).run()
    by_label(app.select_slider, "Embedding dimension").set_value(48).run()
    assert not app.exception
    heads = by_label(app.select_slider, "Heads")
    assert heads.options == ["1", "2", "3", "4", "6", "8", "12", "16"]
    by_label(app.select_slider, "Heads").set_value(12).run()
    by_label(app.select_slider, "Embedding dimension").set_value(64).run()
    heads = by_label(app.select_slider, "Heads")
    assert heads.value == 8
    assert "12" not in heads.options


def test_mixup_and_cutmix_add_up_to_at_most_1():
    app = open_app(mixup=0.2, cutmix=0.8)
    open_groups(app)
    assert (app.session_state["mixup"], app.session_state["cutmix"]) == (0.2, 0.8)
    by_label(app.select_slider, "Mixup").set_value(0.5).run()
    assert not app.exception
    assert app.session_state["cutmix"] == 0.5
    assert by_label(app.select_slider, "CutMix").options[-1] == "0.5"
    by_label(app.select_slider, "Mixup").set_value(0.0).run()
    assert by_label(app.select_slider, "CutMix").options[-1] == "0.8"


def test_fewer_epochs_keep_the_warm_up_of_the_preset():
    app = open_app()
    open_groups(app)
    by_label(app.slider, "Epochs").set_value(2).run()
    assert not app.exception
    by_label(app.slider, "Epochs").set_value(PRESETS["recommended"][1].epochs).run()
    values = {field: app.session_state[field] for field in settings.CONTROLS}
    assert values == settings.preset_values("recommended")


def test_conv_stem_cannot_have_a_single_patch():
    app = open_app(patch_size=32)
    open_groups(app)
    assert app.session_state["patch_size"] == 32
    by_label(app.selectbox, "Stem").set_value("conv").run()
    assert not app.exception
    assert app.session_state["patch_size"] == 16
    assert by_label(app.select_slider, "Patch size").options[-1] == "16 px"
    app = open_app(stem="conv", patch_size=32)
    assert not app.exception
    assert app.session_state["patch_size"] == 4
    assert any("patch_size" in warning.value for warning in app.warning)


def test_settings_survive_a_page_change():
    app = open_app()
    by_label(app.slider, "Depth").set_value(3).run()
    app.switch_page("pages/attention.py").run()
    app.switch_page("pages/train.py").run()
    assert by_label(app.slider, "Depth").value == 3


def test_settings_are_written_to_the_url_and_read_back():
    app = open_app()
    by_label(app.slider, "Depth").set_value(3).run()
    assert app.query_params["depth"] == "3"
    again = open_app(depth=3, num_heads=2, learning_rate=0.002, augmentation="none")
    assert (again.session_state["num_heads"], again.session_state["learning_rate"]) == (2, 0.002)
    assert not again.warning


def test_non_default_settings_round_trip_through_the_url():
    app = open_app()
    for field, value in NON_DEFAULTS.items():
        app.session_state[field] = value
    app.run()
    assert not app.exception
    written = {name: value for name, value in app.query_params.items() if name != "run"}
    assert {name: str(value) for name, value in NON_DEFAULTS.items()} == written
    again = open_app(**written)
    assert not again.warning
    assert {field: again.session_state[field] for field in NON_DEFAULTS} == NON_DEFAULTS


def test_a_warning_about_the_url_stays_until_something_changes():
    app = open_app(depth=99)
    said = [warning.value for warning in app.warning]
    assert "depth=99" in said[0]
    app.run()  # as the page does by itself, when the time of a run is known
    assert [warning.value for warning in app.warning] == said
    by_label(app.slider, "Depth").set_value(3).run()
    assert not app.warning
    by_label(app.slider, "Depth").set_value(6).run()
    assert not app.warning


@pytest.mark.parametrize(
    ("parameter", "value", "message"),
    [
        ("depth", "99", "The URL has depth=99, which is not available. Use 1 to 12."),
        ("depth", "-1", "Use 1 to 12."),
        ("depth", "nan", "Use 1 to 12."),
        ("depth", "seven", "Use 1 to 12."),
        ("num_heads", "5", "Use 1, 2, 4, 8 or 16."),
        ("patch_size", "64", "Use 2, 4, 8, 16 or 32."),
        ("train_images", "1000000", "Use 100 to 5000 in steps of 100."),
        ("learning_rate", "inf", "Use 1e-05"),
        ("optimizer", "sgd", "Use adam or adamw."),
        ("preset", "best", "Use annotation, recommended or hybrid."),
        ("color", "red", "The URL has the parameter 'color', which this page does not use."),
        ("large", "yes", "The URL has the parameter 'large', which this page does not use."),
        ("run", "../../etc/passwd", "There is no run"),
        ("depth", "x" * 5000, "Use 1 to 12."),
        ("epochs", "201", "Use 1 to 200."),
        ("stem", "resnet", "Use patch or conv."),
        ("pooling", "max", "Use cls, mean or attention."),
        ("drop_path", "1", "Use 0, 0.05"),
        ("patch_drop", "1", "Use 0, 0.1, 0.25"),
        ("jitter", "nan", "Use 0, 0.1"),
        ("cutout", "64", "Use 0, 4, 8, 12 or 16."),
        ("mixup", "-0.5", "Use 0, 0.1"),
        ("cutmix", "0.9", "Use 0, 0.1, 0.2, 0.3, 0.5 or 0.8."),
        ("label_smoothing", "ten", "Use 0, 0.05"),
        ("ema_decay", "1", "Use 0, 0.9, 0.99 or 0.999."),
        ("patch_embed_init", "gabor", "Use random or whitened."),
        ("precision", "int8", "Use auto, float32 or bfloat16."),
    ],
)
def test_bad_url_parameter_gets_one_message_and_the_default(parameter, value, message):
    app = open_app(**{parameter: value})
    assert len(app.warning) == 1
    assert message in app.warning[0].value
    assert len(app.warning[0].value) < 300
    assert by_label(app.slider, "Depth").value == 7
