"""The Attention page without a browser: its picker, its URL and its first tab."""

import re
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from open_app import by_label, captions_of, open_app, trained_run

from vitdemo.config import ModelConfig
from vitdemo.data.cifar10 import Data, Split, load_cifar10, normalize
from vitdemo.explain.value_norms import weighted_by_norm
from vitdemo.files import SHIPPED
from vitdemo.runs.checkpoint import load_checkpoint
from vitdemo.runs.run import new_run, save_run
from vitdemo.runs.train_run import train_run
from vitdemo.ui.attention.side_by_side import fit
from vitdemo.ui.attention.view import View

PAGE = "pages/attention.py"


def test_a_run_without_weights_stays_chosen_for_the_train_page(tiny, short):
    run = new_run(tiny, short)
    save_run(run)
    app = open_app(PAGE, run=run.id)
    assert any("before the end of its first epoch" in info.value for info in app.info)
    assert app.query_params["run"] != run.id
    app.switch_page("pages/train.py").run()
    assert app.session_state["run"] == app.query_params["run"] == run.id


def test_the_image_sheet_opens_at_the_chosen_image(saved_run):
    app = open_app(PAGE, run="vit", picture=500)
    assert app.session_state["page-any-all-34"] == 17
    assert "The chosen image is framed" in captions_of(app)


def test_a_run_on_the_full_set_shows_the_shipped_images(tiny, short):
    run = trained_run(tiny, replace(short, train_images=50_000, validation_images=10_000))
    app = open_app(run=run.id)
    assert not app.warning
    assert "first 1,000 validation images" in captions_of(app)
    app = open_app(PAGE, run=run.id, picture=999)
    assert not app.warning
    assert "1,000 images match the filters. Click one to choose it." in captions_of(app)
    assert open_app(PAGE, run=run.id, picture=1000).warning


def test_the_page_opens_with_the_view_of_the_papers_figure_3(saved_run):
    app = open_app(PAGE, run=saved_run.id)
    view = [app.session_state[name] for name in ("layer", "head", "token", "direction")]
    assert view == [1, "mean", 0, "attends_to"]
    assert dict(app.query_params) == {"run": saved_run.id}


def test_the_page_works_before_anything_was_trained():
    app = open_app(PAGE)
    assert not app.info
    assert app.session_state["run"]


def test_the_url_holds_the_view(saved_run):
    view = {"head": "2", "token": "3", "picture": "4", "opacity": "35"}
    app = open_app(PAGE, run=saved_run.id, **view)
    assert not app.warning
    assert [str(app.session_state[name]) for name in view] == list(view.values())
    assert dict(app.query_params) == {"run": saved_run.id} | view


def test_the_url_holds_direction_and_colors(saved_run):
    drawn = {"direction": "attended_by", "scale": "shared", "interpolation": "smooth"}
    app = open_app(PAGE, run=saved_run.id, **drawn)
    assert not app.warning
    assert dict(app.query_params) == {"run": saved_run.id} | drawn
    assert any(text.value == "**Attention to CLS**" for text in app.markdown)
    assert "All layers and heads share one color scale" in captions_of(app)
    assert "Bright patches attend to it most." in captions_of(app)


def test_the_mean_of_all_patches_has_one_direction_only(run_without_cls):
    app = open_app(PAGE, run=run_without_cls.id, direction="attended_by")
    assert by_label(app.selectbox, "Direction").disabled
    assert any(text.value == "**Attention of all patches**" for text in app.markdown)


@pytest.mark.parametrize("run_id", ["vit", "hybrid"])
def test_weights_times_norms_can_be_shown(run_id):
    app = open_app(PAGE, run=run_id, quantity="norm", layer=2, head=3, token=5)
    assert not app.warning
    view = {"quantity": "norm", "layer": "2", "head": "3", "token": "5"}
    assert dict(app.query_params) == {"run": run_id} | view
    model, _ = load_checkpoint(SHIPPED / f"{run_id}.safetensors")
    _, trace = model.trace(normalize(load_cifar10(1, 1).validation.images))
    expected = weighted_by_norm(model, trace)[1][0, 2].detach().numpy()
    drawn = app.session_state["drawn"]
    np.testing.assert_allclose(np.array(drawn["matrix"][1].data[0].z), expected, rtol=1e-4)
    row = expected[5][1:] if model.config.has_cls else expected[5]
    shown = np.array(drawn["overlay"][1].data[-1].z)
    np.testing.assert_allclose(shown, row.reshape(8, 8), rtol=1e-4)
    assert "sum of weight × norm" in captions_of(app)
    assert "weight times L2 norm" in captions_of(app)
    assert "sums to 1" not in drawn["matrix"][0]
    assert any("Kobayashi" in text.value for text in app.expander[0].markdown)
    by_label(app.selectbox, "Show").set_value("weight").run()
    assert "quantity" not in app.query_params
    assert not any("Kobayashi" in text.value for text in app.expander[0].markdown)
    app.button_group(key="view").set_value("training").run()
    assert not app.exception


# Side by side


def test_another_model_snapshot_and_picture_side_by_side():
    other = {"other_run": "hybrid", "other_snapshot": "2", "other_picture": "7"}
    app = open_app(PAGE, run="vit", layer=6, token=12, compare=True, **other)
    assert not app.warning
    assert dict(app.query_params) == {"run": "vit", "token": "12", "compare": "True"} | other
    said = captions_of(app)
    assert "(vit) · accuracy 87.6% · depth 6" in said
    assert "after 0.21 epochs · row 2, column 4, layer 4, mean of heads." in said
    assert "This model has 4 layers. Its last one is shown." in said
    assert any("validation image 7" in text.value for text in app.markdown)
    by_label(app.toggle, "Side by side").set_value(False).run()
    assert dict(app.query_params) == {"run": "vit", "token": "12"}


def test_a_comparison_with_what_does_not_exist_is_reported(saved_run):
    other = {"other_run": "nobody", "other_snapshot": "77", "other_picture": "10"}
    app = open_app(PAGE, run=saved_run.id, compare=True, **other)
    assert [app.session_state[name] for name in other] == ["same", "last", "same"]
    assert all(name in app.warning[0].value for name in other)


CLS_4 = ModelConfig(patch_size=16, embed_dim=8, depth=1, num_heads=2)
CLS_64 = ModelConfig(embed_dim=8, depth=3, num_heads=2)
NO_CLS_64 = ModelConfig(embed_dim=8, depth=2, num_heads=1, pooling="mean")


@pytest.mark.parametrize(
    ("own", "other", "token", "found"),
    [
        (CLS_64, NO_CLS_64, 0, None),
        (CLS_64, NO_CLS_64, 5, 4),
        (NO_CLS_64, CLS_64, 4, 5),
        (NO_CLS_64, CLS_64, None, 0),
        (CLS_64, CLS_4, 5, 0),
        (CLS_4, NO_CLS_64, 3, None),
    ],
)
def test_a_token_is_the_same_patch_in_another_model(own, other, token, found):
    fitted, notes = fit(View(layer=0, head=1, token=token), own, other)
    assert fitted.token == found
    assert fitted.head == (1 if other.num_heads > 1 else None)
    assert any("heads" in note for note in notes) == (other.num_heads == 1)
    no_such_patch = token not in (0, None) and own.num_patches != other.num_patches
    assert any("patches" in note for note in notes) == no_such_patch


# Tokens with and without CLS


def test_without_cls_the_mean_of_all_patches_comes_first(run_without_cls):
    app = open_app(PAGE, run=run_without_cls.id)
    assert (app.session_state["head"], app.session_state["token"]) == ("mean", "all")
    assert dict(app.query_params) == {"run": run_without_cls.id}
    picker = by_label(app.selectbox, "Token")
    patches = [f"row {row}, column {column}" for row in (1, 2) for column in (1, 2)]
    assert picker.options == ["all patches", *patches]
    assert any(text.value == "**Attention of all patches**" for text in app.markdown)
    assert "Token: all patches (their mean)." in captions_of(app)
    assert "Equal shares of the attention would give each patch 0.25." in captions_of(app)
    assert "CLS" not in captions_of(app) + picker.proto.help
    assert "the mean of all rows is the attention map" in app.expander[0].markdown[0].value


def test_without_cls_token_0_is_the_first_patch(run_without_cls):
    app = open_app(PAGE, run=run_without_cls.id, token=0)
    assert not app.warning
    assert app.query_params["token"] == "0"
    title = "**Attention of the patch in row 1, column 1**"
    assert any(text.value == title for text in app.markdown)
    assert "Token: the framed patch (row 1, column 1)." in captions_of(app)
    assert "click it again for all patches." in captions_of(app)


def test_with_cls_the_page_says_how_much_attention_goes_to_it(saved_run):
    app = open_app(PAGE, run=saved_run.id)
    assert by_label(app.selectbox, "Token").options[:2] == ["CLS", "row 1, column 1"]
    found = re.search(r"The patches receive (\d+)% of the attention, CLS (\d+)%", captions_of(app))
    assert abs(int(found[1]) + int(found[2]) - 100) <= 1
    assert "click it again for CLS." in captions_of(app)
    assert "Token 0 is CLS" in app.expander[0].markdown[0].value


def test_a_model_with_other_token_numbers_starts_with_its_default(saved_run, run_without_cls):
    app = open_app(PAGE, run=saved_run.id, token=3)
    for run, token in ((run_without_cls, "all"), (saved_run, 0)):
        app.session_state["run"] = run.id
        app.run()
        assert not app.exception
        assert app.session_state["token"] == by_label(app.selectbox, "Token").value == token


def test_a_conv_stem_is_mentioned(tiny, short):
    run = trained_run(replace(tiny, stem="conv"), short)
    said = captions_of(open_app(PAGE, run=run.id))
    assert re.search(r"15 pixels", said)


# Bad input


@pytest.mark.parametrize("token", ["4", "-1", "mean", "cls"])
def test_a_bad_token_gets_one_sentence_without_cls(run_without_cls, token):
    app = open_app(PAGE, run=run_without_cls.id, token=token)
    sentence = f"The URL has token={token}, which is not available. Use all, 0, 1, 2 or 3."
    assert [warning.value for warning in app.warning] == [sentence]
    assert app.session_state["token"] == "all"


@pytest.mark.parametrize(
    ("parameter", "value", "said"),
    [
        ("layer", "0", "Use 1"),
        ("layer", "2", "Use 1"),
        ("head", "3", "Use mean, 1 or 2"),
        ("token", "5", "Use 0 to 4"),
        ("token", "all", "Use 0 to 4"),
        ("picture", "10", "Use 0 to 9"),
        ("opacity", "nan", "Use 0 to 100 in steps of 5"),
        ("direction", "up", "Use attends_to or attended_by"),
        ("scale", "2", "Use each or shared"),
        ("quantity", "value", "Use weight or norm"),
        ("view", "judge", "Use attention, attribution, faithfulness, ablation, training or heads"),
        ("target", "unicorn", "Use predicted, airplane"),
        ("fusion", "median", "Use mean, max or min"),
        ("discard", "0.7", "Use 0, 0.5, 0.8"),
        ("window", "2", "Use 1 or 3"),
        ("interpolation", "blurred", "Use patches or smooth"),
        ("class", "unicorn", "Use any, airplane"),
        ("predictions", "maybe", "Use all, correct or incorrect"),
        ("run", "20200101-000000-abcdef", "There is no run"),
        ("epochs", "3", "does not use"),
        ("strength", "60", "does not use"),
    ],
)
def test_a_bad_url_gets_one_sentence(saved_run, parameter, value, said):
    app = open_app(PAGE, **({"run": saved_run.id} | {parameter: value}))
    assert len(app.warning) == 1
    assert said in app.warning[0].value


def test_a_model_of_gray_images_gets_one_sentence(tiny, short):
    data = load_cifar10(20, 10)
    gray = [Split(split.images[:, :1], split.labels) for split in (data.train, data.validation)]
    run = new_run(replace(tiny, in_channels=1), short)
    list(train_run(run, Data(*gray)))
    app = open_app("pages/attention.py", run=run.id)
    assert "This model takes images with 1 channel" in app.info[0].value


def test_damaged_weights_get_one_sentence(saved_run):
    saved_run.weights.write_bytes(saved_run.weights.read_bytes()[:500])
    app = open_app(PAGE, run=saved_run.id)
    assert not app.error
    assert len(app.info) == 1
    assert "safetensors file" in app.info[0].value
    assert "Another model is shown." in app.info[0].value


def test_run_in_its_first_epoch_promises_weights(tiny, short):
    run = new_run(tiny, short)
    with closing(train_run(run, load_cifar10(20, 10))) as events:
        next(events)
        app = open_app(PAGE, run=run.id)
    assert any("no weights until its first epoch ends" in info.value for info in app.info)


def test_filters_that_no_image_passes_are_reported(saved_run):
    labels = load_cifar10(1, 10).validation.labels
    first_classes = enumerate(("airplane", "automobile", "bird", "cat", "deer"))
    absent = next(name for k, name in first_classes if k not in labels)
    app = open_app(PAGE, **{"run": saved_run.id, "class": absent})
    assert any("No validation image matches" in info.value for info in app.info)


def test_an_unreadable_picture_gets_one_sentence(saved_run):
    app = open_app(PAGE, run=saved_run.id)
    app.button_group(key="source").set_value("Upload").run()
    by_label(app.file_uploader, "Your picture").set_value(
        ("notes.png", b"only text", "image/png")
    ).run()
    assert not app.exception
    assert len(app.error) == 1
    assert app.error[0].value.startswith("The file is not a PNG, JPEG or WebP picture.")
