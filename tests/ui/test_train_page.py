"""The Train page without a browser, under Streamlit's AppTest."""

import copy
import csv
import io
import json
from dataclasses import replace

import pytest
import torch
from open_app import by_label, captions_of, open_app, table, trained_run
from streamlit.testing.v1 import AppTest

from vitdemo.background.training_queue import QUEUE
from vitdemo.config import PRESETS, SETTINGS, ModelConfig, TrainConfig
from vitdemo.runs.run import new_run, save_run
from vitdemo.training.metrics import METRICS
from vitdemo.ui.run_picker import run_name
from vitdemo.ui.train import results, settings
from vitdemo.ui.wording import stem_note


def test_the_train_page_has_its_controls():
    app = open_app()
    assert [by_label(app.slider, label).value for label in ("Depth", "Training images")] == [7, 600]
    assert [by_label(app.select_slider, label).value for label in ("Heads", "Patch size")] == [8, 4]
    assert not by_label(app.button, "Train").disabled
    assert by_label(app.button, "Stop").disabled
    assert {metric.label: metric.value for metric in app.metric} == {
        "Tokens": "65",
        "Parameters": "358 k",
        "Operations": "26.3 M",
    }


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_sets_every_control(name):
    app = open_app(preset=name)
    model, training = PRESETS[name]
    for field in settings.CONTROLS:
        assert app.session_state[field] == getattr(
            model if hasattr(model, field) else training, field
        ), field
    assert [button.label for button in app.button if button.icon] == [
        settings.PRESET_BUTTONS[name][0]
    ]


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_button_sets_every_control(name):
    app = open_app(depth=3, optimizer="adam", embed_dim=96, num_heads=3, mixup=0.8, cutmix=0.2)
    assert not [button.label for button in app.button if button.icon]
    by_label(app.button, settings.PRESET_BUTTONS[name][0]).click().run()
    assert not app.exception
    values = settings.preset_values(name)
    assert {field: app.session_state[field] for field in values} == values
    assert app.query_params.get("preset", settings.DEFAULT_PRESET) == name


def test_another_run_can_be_picked(saved_run):
    app = open_app()
    shown = app.session_state["run"]
    assert shown != saved_run.id
    by_label(app.selectbox, "Run").set_value(saved_run.id).run()
    assert app.session_state["run"] == app.query_params["run"] == saved_run.id
    by_label(app.slider, "Depth").set_value(2).run()
    assert app.session_state["run"] == saved_run.id


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_value_is_offered_by_its_control(name):
    values = settings.preset_values(name)
    assert all(value in settings.offered_values(field) for field, value in values.items())


def test_every_control_says_what_it_does():
    for field in settings.CONTROLS:
        assert (
            field in ModelConfig.__dataclass_fields__ or field in TrainConfig.__dataclass_fields__
        )
        assert SETTINGS[field].help.endswith(".")
        assert len(SETTINGS[field].help) > 40


def test_every_field_but_the_data_sets_own_has_a_control_on_the_page():
    given = {"image_size", "in_channels", "num_classes", "validation_from"}
    fields = ModelConfig.__dataclass_fields__ | TrainConfig.__dataclass_fields__
    assert set(settings.CONTROLS) == set(fields) - given
    app = open_app()
    widgets = [*app.slider, *app.select_slider, *app.selectbox, *app.number_input]
    for control in settings.CONTROLS.values():
        by_label(widgets, control.label)


def test_every_offered_value_can_be_trained():
    model, training = ModelConfig(embed_dim=48, num_heads=1), TrainConfig(epochs=200)
    for field in settings.CONTROLS:
        for value in settings.offered_values(field):
            replace(model if hasattr(model, field) else training, **{field: value})
    *sizes, whole_picture = settings.CONTROLS["patch_size"].values
    for size in sizes:
        replace(model, stem="conv", patch_size=size)
    assert whole_picture == model.image_size


def test_every_name_belongs_to_an_offered_value():
    for field, control in settings.CONTROLS.items():
        offered = settings.offered_values(field)
        if control.names:
            assert set(control.names) <= set(offered)
            assert len(set(control.names.values())) == len(control.names)
        if isinstance(offered[0], str):
            assert set(control.names) == set(offered)


NEW = {
    "stem": "conv",
    "pooling": "attention",
    "drop_path": 0.1,
    "patch_drop": 0.25,
    "jitter": 0.2,
    "cutout": 4,
}
NEW |= {
    "mixup": 0.3,
    "cutmix": 0.2,
    "label_smoothing": 0.05,
    "ema_decay": 0.99,
    "precision": "float32",
}
NEW |= {"patch_embed_init": "random", "epochs": 200, "learning_rate": 0.003}


def test_what_augments_and_regularizes_goes_into_the_address_and_comes_back():
    app = open_app()
    for field, value in NEW.items():
        app.session_state[field] = value
    app.run()
    assert not app.exception
    written = {name: value for name, value in app.query_params.items() if name != "run"}
    assert {name: str(value) for name, value in NEW.items()} == written
    again = open_app(**written)
    assert not again.warning
    assert {field: again.session_state[field] for field in NEW} == NEW


def test_mixup_and_cutmix_never_make_more_than_every_step():
    app = open_app(mixup=0.2, cutmix=0.8)
    assert (app.session_state["mixup"], app.session_state["cutmix"]) == (0.2, 0.8)
    by_label(app.select_slider, "Mixup").set_value(0.5).run()
    assert not app.exception
    assert app.session_state["cutmix"] == 0.5
    assert by_label(app.select_slider, "CutMix").options[-1] == "0.5"
    by_label(app.select_slider, "Mixup").set_value(0.0).run()
    assert by_label(app.select_slider, "CutMix").options[-1] == "0.8"


@pytest.mark.parametrize(
    ("pooling", "tokens", "named", "counted"),
    [
        (
            "cls",
            "65",
            "64 patches, each a token, and CLS, the token that will name the class.",
            "64 patches, and CLS.",
        ),
        (
            "mean",
            "64",
            "64 patches, each a token, whose mean will name the class.",
            "64 patches, and no CLS.",
        ),
        (
            "attention",
            "64",
            "each a token, whose weighted mean will name the class.",
            "64 patches, and no CLS.",
        ),
    ],
)
def test_the_page_says_which_tokens_there_are(pooling, tokens, named, counted):
    app = open_app(pooling=pooling)
    metric = by_label(app.metric, "Tokens")
    assert metric.value == tokens
    assert metric.proto.help.endswith(counted)
    assert named in captions_of(app)


def test_the_page_says_that_convolutions_make_the_tokens():
    assert "onvolutions" not in captions_of(open_app())
    app = open_app(stem="conv")
    assert (
        "Convolutions make the tokens: each has also seen 3 pixels around its patch."
        in captions_of(app)
    )
    assert by_label(app.metric, "Parameters").proto.help.endswith(
        "The patch embedding is a stem of convolutions."
    )


@pytest.mark.parametrize("patch_size", [2, 4, 8])
def test_a_conv_stem_sees_as_far_as_is_said(patch_size):
    """Which pixels, if changed, change the token of one patch."""
    from vitdemo.model import VisionTransformer

    config = ModelConfig(patch_size=patch_size, stem="conv")
    stem = VisionTransformer(config, seed=0).eval().patch_embed
    side = 32 // patch_size
    token = side // 2 * side + side // 2
    images = torch.rand(20, 3, 32, 32, generator=torch.Generator().manual_seed(0)).requires_grad_()
    stem(images)[:, token].square().sum().backward()
    rows = images.grad.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
    around = 16 - int(rows[0])
    assert int(rows[-1]) == 16 + patch_size + around - 1
    assert f" {around} pixel" in stem_note(config)


def test_nothing_is_said_of_flattened_patches():
    assert stem_note(ModelConfig()) == ""


def test_mixed_training_images_are_said_to_look_worse(tiny, short):
    said = "so training looks worse than it is"
    assert said not in captions_of(open_app(run=trained_run(tiny, short).id))
    assert said in captions_of(open_app(run=trained_run(tiny, replace(short, mixup=0.5)).id))


def test_a_run_with_a_conv_stem_says_so_in_its_name(tiny, short):
    assert "(conv)" not in run_name(new_run(tiny, short))
    assert "patch 16 (conv)" in run_name(new_run(replace(tiny, stem="conv"), short))


@pytest.mark.parametrize(
    ("busy", "said"),
    [(False, "Measuring how fast"), (True, "An estimate comes after this training")],
)
def test_where_no_speed_is_known_the_page_says_when_it_will_be(monkeypatch, busy, said):
    monkeypatch.setattr("vitdemo.background.throughput.training_speed", lambda model: None)
    monkeypatch.setattr(QUEUE, "busy", lambda: busy)
    assert said in captions_of(open_app())


def test_only_heads_that_divide_the_width_can_be_chosen():
    app = open_app()
    by_label(app.select_slider, "Heads").set_value(8).run()
    by_label(app.select_slider, "Embedding dimension").set_value(48).run()
    assert not app.exception
    heads = by_label(app.select_slider, "Heads")
    assert heads.options == ["1", "2", "3", "4", "6", "8", "12", "16"]
    by_label(app.select_slider, "Heads").set_value(12).run()
    by_label(app.select_slider, "Embedding dimension").set_value(64).run()
    assert by_label(app.select_slider, "Heads").value == 8
    assert 12 not in settings_offered(app)


def settings_offered(app: AppTest) -> list[int]:
    """The numbers of heads that are offered."""
    return [int(option) for option in by_label(app.select_slider, "Heads").options]


def test_the_warm_up_never_exceeds_the_epochs():
    app = open_app(epochs=10, warmup_epochs=10)
    assert app.session_state["warmup_epochs"] == 10
    by_label(app.slider, "Epochs").set_value(3).run()
    assert not app.exception
    assert app.session_state["warmup_epochs"] == 2


def test_a_conv_stem_is_offered_no_patch_of_the_whole_picture():
    app = open_app(patch_size=32)
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


def test_the_address_follows_the_settings():
    app = open_app()
    by_label(app.slider, "Depth").set_value(3).run()
    assert app.query_params["depth"] == "3"
    again = open_app(depth=3, num_heads=2, learning_rate=0.002, augmentation="none")
    assert (again.session_state["num_heads"], again.session_state["learning_rate"]) == (2, 0.002)
    assert not again.warning


@pytest.mark.parametrize(
    ("parameter", "value", "said"),
    [
        ("depth", "99", "use 1 to 12"),
        ("depth", "-1", "use 1 to 12"),
        ("depth", "nan", "use 1 to 12"),
        ("depth", "seven", "use 1 to 12"),
        ("num_heads", "5", "use 1, 2, 4, 8, 16"),
        ("patch_size", "64", "use 2, 4, 8, 16, 32"),
        ("train_images", "1000000", "use 100 to 5000 in steps of 100"),
        ("learning_rate", "inf", "use 1e-05"),
        ("optimizer", "sgd", "use adam, adamw"),
        ("preset", "best", "use annotation, recommended"),
        ("color", "red", "does not know"),
        ("run", "../../etc/passwd", "There is no run"),
        ("depth", "x" * 5000, "use 1 to 12"),
        ("epochs", "201", "use 1 to 200"),
        ("stem", "resnet", "use patch, conv"),
        ("pooling", "max", "use cls, mean, attention"),
        ("drop_path", "1", "use 0, 0.05"),
        ("patch_drop", "1", "use 0, 0.1, 0.25"),
        ("jitter", "nan", "use 0, 0.1"),
        ("cutout", "64", "use 0, 4, 8, 12, 16"),
        ("mixup", "-0.5", "use 0, 0.1"),
        ("cutmix", "0.9", "use 0, 0.1, 0.2, 0.3, 0.5, 0.8."),
        ("label_smoothing", "ten", "use 0, 0.05"),
        ("ema_decay", "1", "use 0, 0.9, 0.99, 0.999"),
        ("patch_embed_init", "gabor", "use random, whitened"),
        ("precision", "int8", "use auto, float32, bfloat16"),
    ],
)
def test_a_bad_address_gets_one_sentence_and_the_default(parameter, value, said):
    app = open_app(**{parameter: value})
    assert len(app.warning) == 1
    assert said in app.warning[0].value
    assert len(app.warning[0].value) < 300
    assert by_label(app.slider, "Depth").value == 7
    assert not app.run().warning


def test_the_listing_says_why_it_stays_at_chance_and_offers_the_cure():
    app = open_app(preset="annotation")
    assert any("stays near chance" in info.value for info in app.info)
    by_label(app.button, "Use AdamW instead").click().run()
    assert app.session_state["optimizer"] == "adamw"
    assert not any("stays near chance" in info.value for info in app.info)


def test_what_does_not_fit_into_memory_cannot_be_trained():
    app = open_app(patch_size=2, depth=12, num_heads=16, batch_size=256)
    assert by_label(app.button, "Train").disabled
    assert "use a batch size of at most" in app.error[0].value


def test_train_runs_and_its_results_appear():
    app = open_app(
        depth=1, num_heads=1, patch_size=16, embed_dim=16, mlp_ratio=1, epochs=2, warmup_epochs=0
    )
    by_label(app.select_slider, "Batch size").set_value(256).run()
    app.session_state["train_images"] = app.session_state["validation_images"] = 100
    by_label(app.button, "Train").click().run()
    assert not app.exception
    run_id = app.session_state["run"]
    assert app.query_params["run"] == run_id
    QUEUE.wait(run_id, 60)
    app.run()
    assert not app.exception
    head, *rows = table(app)
    assert head == ["Metric", "Train", "Validation"]
    last = QUEUE.snapshot(run_id).run.history[-1]
    assert [name for name, *_ in rows] == [name for name, _ in METRICS.values()]
    for part, column in (("train", 1), ("validation", 2)):
        assert [row[column] for row in rows] == [f"{last[part][key]:.4f}" for key in METRICS]
    assert by_label(app.button, "Stop").disabled


def test_a_late_picker_does_not_take_a_new_run_away(saved_run):
    app = open_app(depth=1, num_heads=1, patch_size=16, embed_dim=16, epochs=1, warmup_epochs=0)
    by_label(app.selectbox, "Run").set_value(saved_run.id)
    by_label(app.button, "Train").click().run()
    run_id = app.session_state["run"]
    assert run_id not in (saved_run.id, "vit")
    assert QUEUE.wait(run_id, 60)


def test_the_papers_values_stand_beside_the_annotation_preset_only(saved_run):
    app = open_app(run=saved_run.id)
    assert table(app)[0] == ["Metric", "Train", "Validation"]
    model, training = PRESETS["annotation"]
    listing = type(saved_run)(
        new_run(model, training).id, model, training, "finished", 1, "", saved_run.history
    )
    from vitdemo.model import VisionTransformer

    save_run(listing, VisionTransformer(model, seed=0))
    app = open_app(run=listing.id)
    for part, loss, accuracy in (("Train", "2.0789", "0.2027"), ("Validation", "2.1240", "0.2051")):
        head, first, second, *_ = table(app, part)
        assert head == [part, "Here", "Paper"]
        assert (first[0], first[2], second[0], second[2]) == ("Loss", loss, "Accuracy", accuracy)


def test_what_can_be_kept_holds_every_number(saved_run):
    lines = list(csv.DictReader(io.StringIO(results.metrics_csv(saved_run))))
    kept = json.loads(results.metrics_json(saved_run))
    assert len(lines) == len(saved_run.history) == 2
    for line, record in zip(lines, saved_run.history, strict=True):
        for part in ("train", "validation"):
            for key, value in record[part].items():
                assert line[f"{part}_{key}"] == ("" if value is None else str(value))
    assert kept["history"] == list(saved_run.history)
    assert ModelConfig(**kept["model"]) == saved_run.model
    assert TrainConfig(**kept["training"]) == saved_run.training


def test_the_charts_file_names_its_run_and_needs_no_network(saved_run):
    page = results.charts_html(saved_run)
    assert "depth 1 · 2 heads · patch 16 · 20 images" in page
    assert "<script src=" not in page


def test_a_loss_beyond_guessing_names_the_learning_rate(saved_run):
    assert not open_app(run=saved_run.id).warning
    exploded = copy.deepcopy(saved_run.history)
    exploded[-1]["train"]["loss"] = 5.0
    save_run(replace(saved_run, history=exploded))
    app = open_app(run=saved_run.id)
    assert "learning rate of 0.001 is too large" in app.warning[0].value


def test_a_failed_run_says_why(tiny, short):
    run = new_run(tiny, short)
    save_run(
        type(run)(
            run.id, tiny, short, "failed", 1, "The loss is no longer a finite number at step 3."
        )
    )
    app = open_app(run=run.id)
    assert [error.value for error in app.error] == [
        "The loss is no longer a finite number at step 3."
    ]
