"""The Attention page without a browser, under Streamlit's AppTest."""

import re
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from open_app import by_label, captions_of, open_app, trained_run
from torchvision.models import get_model_weights

from vitdemo.config import SETTINGS, ModelConfig
from vitdemo.data.cifar10 import load_cifar10, normalize
from vitdemo.explain.heads import head_statistics
from vitdemo.model import VisionTransformer
from vitdemo.runs.checkpoint import save_checkpoint
from vitdemo.runs.pretrained import PRETRAINED, weights_file
from vitdemo.runs.run import new_run, save_run
from vitdemo.ui.attention import sample
from vitdemo.ui.attention.attention_maps import View
from vitdemo.ui.attention.heads import near_and_far, of_even_attention
from vitdemo.ui.attention.side_by_side import fit
from vitdemo.ui.attention.state import VIEWS


def test_a_run_without_weights_is_not_lost_on_the_attention_page(tiny, short):
    run = new_run(tiny, short)
    save_run(run)
    app = open_app("pages/attention.py", run=run.id)
    assert any("no weights before the end of its first epoch" in info.value for info in app.info)
    assert app.query_params["run"] != run.id
    app.switch_page("pages/train.py").run()
    assert app.session_state["run"] == app.query_params["run"] == run.id


def test_the_sheet_opens_on_the_page_of_the_picture(saved_run):
    app = open_app("pages/attention.py", run="vit", picture=500)
    assert app.session_state["page-any-all-34"] == 17
    assert any("The framed one is shown" in caption.value for caption in app.caption)


def test_of_a_run_on_the_full_set_the_pages_show_the_images_that_ship(tiny, short):
    run = trained_run(tiny, replace(short, train_images=50_000, validation_images=10_000))
    app = open_app(run=run.id)
    assert not app.warning
    assert "Confusion matrix over the first 1,000 validation images." in captions_of(app)
    app = open_app("pages/attention.py", run=run.id, picture=999)
    assert not app.warning
    assert "Click one of the 1,000 images that pass" in captions_of(app)
    assert open_app("pages/attention.py", run=run.id, picture=1000).warning


def test_the_attention_page_opens_with_the_papers_view(saved_run):
    app = open_app("pages/attention.py", run=saved_run.id)
    assert (app.session_state["layer"], app.session_state["head"], app.session_state["token"]) == (
        1,
        "mean",
        0,
    )
    assert app.query_params["run"] == saved_run.id


def test_the_attention_page_works_before_anything_was_trained():
    app = open_app("pages/attention.py")
    assert not app.info
    assert app.session_state["run"]


def test_the_attention_address_holds_the_view(saved_run):
    app = open_app("pages/attention.py", run=saved_run.id, head=2, token=3, picture=4, strength=35)
    assert not app.warning
    assert [app.session_state[name] for name in ("head", "token", "picture", "strength")] == [
        2,
        3,
        4,
        35,
    ]
    assert dict(app.query_params) == {
        "run": saved_run.id,
        "head": "2",
        "token": "3",
        "picture": "4",
        "strength": "35",
    }


def test_the_address_holds_how_it_is_drawn(saved_run):
    drawn = {"direction": "to", "scale": "all", "pixels": "smooth"}
    app = open_app("pages/attention.py", run=saved_run.id, **drawn)
    assert not app.warning
    assert dict(app.query_params) == {"run": saved_run.id} | drawn
    assert any(text.value == "**Attention to CLS**" for text in app.markdown)
    assert "One scale for all layers and heads" in captions_of(app)
    assert "Bright patches look at it most." in captions_of(app)


def test_all_patches_together_give_nothing_to_show(run_without_cls):
    app = open_app("pages/attention.py", run=run_without_cls.id, direction="to")
    assert by_label(app.selectbox, "It").disabled
    assert any(text.value == "**Attention of all patches**" for text in app.markdown)


def test_side_by_side_with_another_model_moment_and_picture():
    other = {"other_run": "hybrid", "other_snapshot": "2", "other_picture": "7"}
    app = open_app("pages/attention.py", run="vit", layer=6, token=12, beside=True, **other)
    assert not app.warning
    assert dict(app.query_params) == {"run": "vit", "token": "12", "beside": "True"} | other
    said = captions_of(app)
    assert "Example (vit) 87.6% · depth 6" in said
    assert "after 0.21 epochs · row 2, column 4, layer 4, mean of heads." in said
    assert "This model has 4 layers: its last is shown." in said
    assert any("validation image 7" in text.value for text in app.markdown)
    by_label(app.toggle, "Side by side").set_value(False).run()
    assert dict(app.query_params) == {"run": "vit", "token": "12"}


def test_side_by_side_with_what_is_not_there_says_so(saved_run):
    other = {"other_run": "nobody", "other_snapshot": "77", "other_picture": "10"}
    app = open_app("pages/attention.py", run=saved_run.id, beside=True, **other)
    assert [app.session_state[name] for name in other] == ["same", "last", "same"]
    assert all(name in app.warning[0].value for name in other)


CLS_4, CLS_64, NO_CLS_64 = (
    ModelConfig(patch_size=16, embed_dim=8, depth=1, num_heads=2),
    ModelConfig(embed_dim=8, depth=3, num_heads=2),
    ModelConfig(embed_dim=8, depth=2, num_heads=1, pooling="mean"),
)


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
    view = View(
        layer=0, head=1, token=token, given=False, strength=1.0, one_scale=False, smooth=False
    )
    fitted, notes = fit(view, own, other)
    assert fitted.token == found
    assert fitted.head == (1 if other.num_heads > 1 else None)
    assert any("heads" in note for note in notes) == (other.num_heads == 1)
    assert any("patches" in note for note in notes) == (
        token not in (0, None) and own.num_patches != other.num_patches
    )


@pytest.mark.parametrize("pooling", SETTINGS["pooling"].choices)
def test_follow_has_every_method_with_its_formula(pooling, tiny, short):
    run = trained_run(replace(tiny, pooling=pooling), short)
    app = open_app(
        "pages/attention.py",
        run=run.id,
        view="follow",
        explained="dog",
        window=3,
        fusion="max",
        discard=0.5,
    )
    assert not app.warning
    assert len(app.latex) == 4
    titles = [text.value for text in app.markdown]
    for title in (
        "Attention of one layer",
        "Attention rollout",
        "relevance for dog",
        "Occlusion for dog",
    ):
        assert any(title in text for text in titles)
    assert dict(app.query_params) == {
        "run": run.id,
        "view": "follow",
        "explained": "dog",
        "window": "3",
        "fusion": "max",
        "discard": "0.5",
    }


@pytest.mark.parametrize("pooling", SETTINGS["pooling"].choices)
def test_judge_checks_a_picture_and_a_sample(pooling, tiny, short):
    run = trained_run(replace(tiny, pooling=pooling), short)
    app = open_app("pages/attention.py", run=run.id, view="judge")
    table = next(text.value for text in app.markdown if text.value.startswith("| Map"))
    assert len(table.splitlines()) == 2 + 4 + 1
    assert by_label(app.button, "Stop").disabled
    by_label(app.button, "Check over 10 pictures").click().run()
    assert not app.exception
    end = time.monotonic() + 60
    while (
        any(button.label == "Check over 10 pictures" for button in app.button)
        and time.monotonic() < end
    ):
        app.run()
    assert not app.exception
    found = next(text.value for text in app.markdown if "faithful than chance" in text.value)
    assert [line.split("**")[1] for line in found.splitlines()] == [
        "attention",
        "rollout",
        "relevance",
        "occlusion",
    ]
    assert found.count("faithful than chance** for this model: gap ") == 4
    assert "Over 10 pictures" in captions_of(app)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_intervene_has_the_answer_before_and_after(pooling, tiny, short):
    run = trained_run(replace(tiny, pooling=pooling), short)
    several = {"off": "1.2", "covered": "0,3", "cut": "1"}
    app = open_app("pages/attention.py", run=run.id, view="intervene", where="one", **several)
    assert not app.warning
    assert dict(app.query_params) == {"run": run.id, "view": "intervene", "where": "one"} | several
    assert "2 covered; crossed: the 1 that" in captions_of(app)
    said = next(text.value for text in app.markdown if text.value.startswith("Accuracy over 10"))
    assert re.search(r"\*\*\d+\.\d%\*\*, before \d+\.\d%\.", said)
    end = time.monotonic() + 60
    while "Purple: without it" not in captions_of(app) and time.monotonic() < end:
        app.run()
    assert "Purple: without it the model is worse." in captions_of(app)
    by_label(app.button, "Undo everything").click().run()
    assert not app.exception
    assert dict(app.query_params) == {"run": run.id, "view": "intervene", "where": "one"}
    assert any(text.value.endswith("with all heads on.") for text in app.markdown)


def test_heads_and_patches_that_are_not_there_are_said_and_left_out(saved_run):
    app = open_app(
        "pages/attention.py", run=saved_run.id, view="intervene", off="1.1,7.7", covered="2,99"
    )
    assert app.session_state["off"] == ("1.1",)
    assert app.session_state["covered"] == (2,)
    said = app.warning[0].value
    assert "off=7.7, which is not offered: use some of 1.1, 1.2" in said
    assert "covered=99, which is not offered: use some of 0 to 3" in said


def test_over_time_shows_the_moment_of_the_address():
    app = open_app("pages/attention.py", run="vit", view="growth", snapshot=0)
    assert not app.warning
    assert by_label(app.select_slider, "Epochs done").value == 0
    assert dict(app.query_params) == {"run": "vit", "view": "growth", "snapshot": "0"}
    said = [text.value for text in app.markdown]
    assert "**The model says deer**" in said
    assert "**The model says cat**: right" in said
    by_label(app.select_slider, "Epochs done").set_value(8).run()
    assert "snapshot" not in app.query_params
    assert "**The model says cat**" in [text.value for text in app.markdown]


@pytest.fixture
def fetched(home, monkeypatch):
    """A small vit_b_16 with random weights, where the fetched one would lie; its pictures are of 224 pixels all the same."""
    shape = ModelConfig(224, 32, num_classes=1000, embed_dim=24, depth=2, num_heads=3)
    monkeypatch.setitem(PRETRAINED, "vit_b_16", shape)
    names = get_model_weights("vit_b_16").IMAGENET1K_V1.meta["categories"]
    save_checkpoint(weights_file("vit_b_16"), VisionTransformer(shape, seed=0), {"classes": names})
    return shape


@pytest.mark.parametrize("view", VIEWS)
def test_a_pretrained_model_has_every_view(fetched, view):
    app = open_app("pages/attention.py", run="vit_b_16", view=view, picture=3)
    assert not app.exception
    assert not app.warning
    assert not app.error
    assert app.query_params["run"] == "vit_b_16"
    says = next(text.value for text in app.markdown if text.value.startswith("**The model says"))
    assert says.endswith("; in CIFAR-10: airplane")
    assert by_label(app.selectbox, "Answers").disabled
    assert ("Only the last model" in "".join(info.value for info in app.info)) == (view == "growth")


def test_a_pretrained_model_explains_its_own_classes(fetched):
    app = open_app("pages/attention.py", run="vit_b_16", view="follow", explained="tabby")
    assert not app.warning
    assert any("relevance for tabby" in text.value for text in app.markdown)
    app = open_app("pages/attention.py", run="vit_b_16", view="follow", explained="dog")
    assert "explained=dog" in app.warning[0].value


def test_a_pretrained_model_beside_one_of_ours(fetched):
    app = open_app("pages/attention.py", run="vit", beside=True, other_run="vit_b_16")
    assert not app.exception
    assert not app.warning
    assert "ImageNet (vit_b_16)" in captions_of(app)


def test_what_takes_long_waits_for_a_button(fetched, monkeypatch):
    monkeypatch.setattr(sample, "AT_ONCE", 0)
    app = open_app("pages/attention.py", run="vit_b_16", view="judge")
    assert any(info.value.startswith("Occlusion is left out") for info in app.info)
    for label, found in (("Check this picture", "| Map | Delete"), ("Shuffle the weights", None)):
        press_and_wait(app, label)
        assert found is None or any(text.value.startswith(found) for text in app.markdown)
    assert "in another order, first in the head" in captions_of(app)
    app = open_app("pages/attention.py", run="vit_b_16", view="follow")
    press_and_wait(app, "Cover each of 49 patches in turn")
    app = open_app("pages/attention.py", run="vit_b_16", view="judge")
    assert not app.info
    app = open_app("pages/attention.py", run="vit_b_16", view="intervene")
    press_and_wait(app, "Switch each of 6 heads off in turn")
    assert "Purple: without it the model is worse." in captions_of(app)
    assert any(
        text.value.startswith("Agreement with its own first answers over") for text in app.markdown
    )


def press_and_wait(app, label):
    by_label(app.button, label).click().run()
    end = time.monotonic() + 60
    while any(button.label == label for button in app.button) and time.monotonic() < end:
        app.run()
    assert not app.exception
    assert not any(button.label == label for button in app.button)


def test_a_pretrained_model_that_is_not_there_is_offered(home, monkeypatch):
    def no_network(*_, **__):
        raise OSError("Name or service not known")

    monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)
    app = open_app("pages/attention.py", run="vit_l_16")
    assert any(
        "304 million parameters: 24 layers of 16 heads" in text.value for text in app.markdown
    )
    assert dict(app.query_params) == {"run": "vit_l_16"}
    by_label(app.button, "Fetch vit_l_16 (1,161 MB)").click().run()
    end = time.monotonic() + 60
    while not app.warning and time.monotonic() < end:
        app.run()
    assert "could not be fetched: check the network connection" in app.warning[0].value
    assert not by_label(app.button, "Fetch vit_l_16 (1,161 MB)").disabled
    app.switch_page("pages/train.py").run()
    assert not app.exception
    assert app.session_state["run"] == "vit_l_16"


def test_over_time_plays_to_the_end_and_stops():
    app = open_app("pages/attention.py", run="vit", view="growth")
    by_label(app.button, "Play").click().run()
    seen = []
    for _ in range(10):
        seen.append(app.session_state["snapshot"])
        app.run()
        assert not app.exception
    assert seen == [0, 1, 2, 3, 4, 5, 6, 7, 8, 8]
    assert not app.session_state["playing"]


def test_over_time_of_a_run_of_one_epoch(tiny, short):
    run = trained_run(tiny, replace(short, epochs=1, batch_size=20))
    app = open_app("pages/attention.py", run=run.id, view="growth")
    assert "only the last model was kept" in app.info[0].value


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_heads_says_which_look_near_and_which_far(pooling, tiny, short):
    run = trained_run(replace(tiny, pooling=pooling, depth=2), short)
    app = open_app("pages/attention.py", run=run.id, view="heads")
    (said,) = [text.value for text in app.markdown if text.value.startswith("- **Nearest**")]
    assert re.search(r"Nearest\*\*: layer \d, head \d \(\d+\.\d pixels\)", said)
    assert re.search(r"The last layer looks \*\*(farther|nearer)\*\* than the first", said)
    options = app.button_group(key="character").options
    assert len(options) == (4 if pooling == "cls" else 3)
    open_app("pages/attention.py", run=run.id, view="heads", character="entropy")


def test_near_and_far_in_words():
    said = near_and_far(np.array([[1.0, 3.0], [9.0, 5.0]]), even=6.0).splitlines()
    assert (
        said[0]
        == "- **Nearest**: layer 1, head 1 (1.0 pixels). **Farthest**: layer 2, head 1 (9.0 pixels)."
    )
    assert "**farther** than the first: 7.0 against 2.0" in said[1]
    assert "most in layer 2 (by 4.0 pixels) and least in layer 1 (by 2.0)" in said[2]
    assert len(near_and_far(np.array([[2.0]]), even=6.0).splitlines()) == 1


def test_even_attention_is_what_a_head_without_weights_has(tiny):
    model = VisionTransformer(tiny, seed=0).eval()
    with torch.no_grad():
        model.blocks[0].attn.qkv.weight.zero_()
    found = head_statistics(model, normalize(load_cifar10(1, 2).validation.images))
    even = of_even_attention(tiny)
    for name, values in vars(found).items():
        assert values[0].tolist() == pytest.approx([even[name]] * 2, abs=1e-5)


def test_without_cls_all_patches_ask_at_first(run_without_cls):
    app = open_app("pages/attention.py", run=run_without_cls.id)
    assert (app.session_state["head"], app.session_state["token"]) == ("mean", "all")
    assert dict(app.query_params) == {"run": run_without_cls.id}
    picker = by_label(app.selectbox, "Token")
    assert picker.options == [
        "all patches",
        *(f"row {row}, column {column}" for row in (1, 2) for column in (1, 2)),
    ]
    assert any(text.value == "**Attention of all patches**" for text in app.markdown)
    assert "All patches ask: the mean is shown." in captions_of(app)
    assert "Spread evenly, each patch would get 0.250." in captions_of(app)
    assert "CLS" not in captions_of(app) + picker.proto.help
    assert "the mean of all rows is the heatmap above" in app.expander[0].markdown[0].value


def test_without_cls_token_0_is_the_first_patch(run_without_cls):
    app = open_app("pages/attention.py", run=run_without_cls.id, token=0)
    assert not app.warning
    assert app.query_params["token"] == "0"
    assert any(
        text.value == "**Attention of the patch in row 1, column 1**" for text in app.markdown
    )
    assert "Framed: the asking token (row 1, column 1)." in captions_of(app)
    assert "click it again for all patches." in captions_of(app)


def test_with_cls_the_page_says_what_goes_to_it(saved_run):
    app = open_app("pages/attention.py", run=saved_run.id)
    assert by_label(app.selectbox, "Token").options[:2] == ["CLS", "row 1, column 1"]
    shares = re.search(r"All patches together get (\d+)%, CLS (\d+)%", captions_of(app))
    assert abs(int(shares[1]) + int(shares[2]) - 100) <= 1
    assert "click it again for CLS." in captions_of(app)
    assert "Row and column 0 are CLS" in app.expander[0].markdown[0].value


def test_another_numbering_of_the_tokens_begins_with_its_default(saved_run, run_without_cls):
    app = open_app("pages/attention.py", run=saved_run.id, token=3)
    for run, token in ((run_without_cls, "all"), (saved_run, 0)):
        app.session_state["run"] = run.id
        app.run()
        assert not app.exception
        assert app.session_state["token"] == by_label(app.selectbox, "Token").value == token


def test_the_attention_page_says_that_convolutions_make_the_tokens(tiny, short):
    run = trained_run(replace(tiny, stem="conv"), short)
    assert "each has also seen 15 pixels around its patch." in captions_of(
        open_app("pages/attention.py", run=run.id)
    )


@pytest.mark.parametrize("token", ["4", "-1", "mean", "cls"])
def test_a_bad_token_gets_one_sentence_without_cls(run_without_cls, token):
    app = open_app("pages/attention.py", run=run_without_cls.id, token=token)
    assert [warning.value for warning in app.warning] == [
        f"The address asks for token={token}, which is not offered: use all, 0, 1, 2, 3."
    ]
    assert app.session_state["token"] == "all"


@pytest.mark.parametrize(
    ("parameter", "value", "said"),
    [
        ("layer", "0", "use 1"),
        ("layer", "2", "use 1"),
        ("head", "3", "use mean, 1, 2"),
        ("token", "5", "use 0 to 4"),
        ("token", "all", "use 0 to 4"),
        ("picture", "10", "use 0 to 9"),
        ("strength", "nan", "use 0 to 100 in steps of 5"),
        ("direction", "up", "use from, to"),
        ("scale", "2", "use each, all"),
        ("view", "all", "use see, follow, judge, intervene, growth, heads"),
        ("explained", "unicorn", "use answer, airplane"),
        ("fusion", "median", "use mean, max, min"),
        ("discard", "0.7", "use 0, 0.5, 0.8"),
        ("window", "2", "use 1, 3"),
        ("pixels", "blurred", "use patches, smooth"),
        ("class", "unicorn", "use any, airplane"),
        ("answers", "maybe", "use all, right, wrong"),
        ("run", "20200101-000000-abcdef", "There is no run"),
        ("epochs", "3", "does not know"),
    ],
)
def test_a_bad_attention_address_gets_one_sentence(saved_run, parameter, value, said):
    app = open_app("pages/attention.py", **({"run": saved_run.id} | {parameter: value}))
    assert len(app.warning) == 1
    assert said in app.warning[0].value


def test_damaged_weights_get_one_sentence(saved_run):
    saved_run.weights.write_bytes(saved_run.weights.read_bytes()[:500])
    app = open_app("pages/attention.py", run=saved_run.id)
    assert len(app.error) == 1
    assert "not a whole safetensors file" in app.error[0].value


def test_filters_that_nothing_passes_say_so(saved_run):
    labels = load_cifar10(1, 10).validation.labels
    absent = next(
        name
        for k, name in enumerate(("airplane", "automobile", "bird", "cat", "deer"))
        if k not in labels
    )
    app = open_app("pages/attention.py", **{"run": saved_run.id, "class": absent})
    assert any("No validation image passes" in info.value for info in app.info)


def test_an_unreadable_picture_gets_one_sentence_and_the_page_stays(saved_run):
    app = open_app("pages/attention.py", run=saved_run.id)
    app.button_group(key="source").set_value("Upload").run()
    app.file_uploader[0].set_value(("notes.png", b"only text", "image/png")).run()
    assert not app.exception
    assert len(app.error) == 1
    assert app.error[0].value.startswith(
        "The file is not a picture that can be read: choose a PNG, JPEG or WebP picture."
    )
