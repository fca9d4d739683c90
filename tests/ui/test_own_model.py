"""A visitor's own model on the Attention page: a checkpoint of ours, or a ViT of timm."""

import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from open_app import by_label, open_app, prediction_of
from safetensors.torch import save
from timm_models import IMAGENET, normalized, timm_model

from vitdemo.config import ModelConfig
from vitdemo.data.cifar10 import CLASSES, load_cifar10
from vitdemo.files import SHIPPED, own_models_folder
from vitdemo.model import VisionTransformer
from vitdemo.runs.checkpoint import save_checkpoint
from vitdemo.runs.own_models import own_run
from vitdemo.ui.cached import model_of

PAGE = "pages/attention.py"
TINY = ModelConfig(patch_size=16, embed_dim=8, depth=1, num_heads=2, mlp_ratio=1.0)


@pytest.fixture(autouse=True)
def empty_folder():
    yield
    for file in own_models_folder().iterdir():
        file.unlink()


def opened(content, name="mine.safetensors"):
    app = open_app(PAGE)
    by_label(app.file_uploader, "Model file").set_value(
        (name, content, "application/octet-stream")
    ).run()
    assert not app.exception
    return app


def errors_of(app):
    return [error.value.replace("\\", "") for error in app.error]


def run_of(app):
    return own_run(app.session_state["run"])


def test_own_checkpoint_opens_at_once():
    app = opened((SHIPPED / "vit.safetensors").read_bytes(), "my [best](x).safetensors")
    assert errors_of(app) == []
    run = run_of(app)
    assert app.query_params["run"] == run.id
    assert (run.classes, run.sees_own_classes) == (CLASSES, True)
    picker = by_label(app.selectbox, "Model")
    assert picker.format_func(picker.value).startswith("Your model (my [best](x)) · depth 6")


def test_downloaded_weights_of_a_run_open(saved_run):
    app = opened(saved_run.weights.read_bytes())
    assert run_of(app).model == saved_run.model
    for tab in ("attribution", "faithfulness", "ablation", "training", "heads"):
        app.session_state["view"] = tab
        app.run()
        assert not app.exception
        assert errors_of(app) == []


@torch.no_grad()
def test_model_of_timm_asks_for_what_its_weights_leave_open():
    theirs = timm_model(init_values=0.5)
    app = opened(save(theirs.state_dict()))
    assert errors_of(app) == []
    assert app.session_state["run"] == "vit"  # nothing is chosen yet
    by_label(app.selectbox, "Heads").set_value(3)
    by_label(app.selectbox, "Normalization of the pixels").set_value(
        "ImageNet's (DeiT, torchvision, DINO)"
    )
    by_label(app.text_area, "Class names, one per line").set_value("\n".join("abcdefg"))
    by_label(app.button, "Open model").click().run()
    assert not app.exception
    assert errors_of(app) == []
    run = run_of(app)
    assert run.classes == tuple("abcdefg")
    images = load_cifar10(1, 5).validation.images
    expected = theirs(normalized(images, **IMAGENET))
    ours = model_of(run)((images / 255 - 0.5) / 0.5)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4)
    for tab in ("attribution", "faithfulness", "ablation", "training", "heads"):
        app.session_state["view"] = tab
        app.run()
        assert not app.exception
        assert errors_of(app) == []
    about = " ".join(element.value for element in app.markdown)
    assert "It was trained with mean 0.485, 0.456, 0.406 and standard deviation 0.229" in about
    assert "Open model" not in [button.label for button in app.button]


def test_image_size_can_be_changed():
    app = opened(save(timm_model().state_dict()))
    by_label(app.selectbox, "Heads").set_value(3)
    by_label(app.selectbox, "Image size").set_value(64)
    by_label(app.button, "Open model").click().run()
    assert not app.exception
    assert run_of(app).model.grid_size == 8
    assert run_of(app).classes == tuple(f"class {n}" for n in range(7))


def test_thousand_classes_get_imagenets_names():
    app = opened(save(timm_model(num_classes=1000).state_dict()))
    by_label(app.selectbox, "Heads").set_value(3)
    by_label(app.button, "Open model").click().run()
    assert run_of(app).classes[281] == "tabby"


def test_wrong_fields_get_a_sentence_and_another_try():
    app = opened(save(timm_model().state_dict()))
    by_label(app.text_area, "Class names, one per line").set_value("cat\ndog")
    by_label(app.button, "Open model").click().run()
    assert errors_of(app) == ["The model has 7 classes. Give 7 different names, one for each."]
    by_label(app.text_area, "Class names, one per line").set_value("")
    by_label(app.button, "Open model").click().run()
    assert errors_of(app) == []
    assert run_of(app).classes[0] == "class 0"


def changed_header(**header):
    weights = dict(VisionTransformer(TINY, seed=0).state_dict())
    return save(weights, {key: json.dumps(value) for key, value in header.items()})


HOSTILE = [
    (b"", "is not a complete safetensors file"),
    (b"only text", "is not a complete safetensors file"),
    (pickle.dumps({"weights": 1}), "is a pickle"),
    (b"PK\x03\x04" + bytes(100), "is a pickle"),
    ((2**62).to_bytes(8, "little") + b"{}", "is not a complete safetensors file"),
    (save(timm_model().state_dict())[:-100], "is not a complete safetensors file"),
    (save({"x": torch.zeros(2)}), "no patch_embed.proj.weight"),
    (save(timm_model(qk_norm=True).state_dict()), "qk_norm"),
    (save({f"x{n}": torch.zeros(1) for n in range(1001)}), "1,001 tensors"),
    (save(timm_model(patch_size=(8, 4)).state_dict()), "ours are square"),
    (changed_header(model={"depth": 1000}), "depth must be a whole number"),
    (changed_header(model={"depth": 24, "embed_dim": 1024}), "do not fit the configuration"),
    (changed_header(model=[1]), "is read from a mapping"),
    (save({"x": torch.zeros(2)}, {"model": "[" * 10_000}), "does not state"),
]


@pytest.mark.parametrize(("content", "sentence"), HOSTILE, ids=[words for _, words in HOSTILE])
def test_hostile_files_get_one_sentence_and_change_nothing(content, sentence):
    app = opened(content)
    assert len(errors_of(app)) == 1
    assert sentence in errors_of(app)[0]
    assert str(own_models_folder()) not in errors_of(app)[0]
    assert app.session_state["run"] == "vit"
    assert not [file for file in own_models_folder().iterdir() if file.name.startswith("own-")]
    by_label(app.file_uploader, "Model file").set_value(
        ("good.safetensors", (SHIPPED / "vit.safetensors").read_bytes(), "")
    ).run()
    assert errors_of(app) == []  # the error goes when the next file comes
    assert run_of(app)


@pytest.mark.parametrize("classes", [["a"] * 10, ["a"], "text", [1, 2], {"a": 1}, [[]] * 10])
def test_checkpoint_with_wrong_class_names_is_refused(tmp_path, classes):
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, VisionTransformer(TINY, seed=0), {"classes": classes})
    app = opened(path.read_bytes())
    assert errors_of(app) == ["The model has 10 classes. Give 10 different names, one for each."]


def test_class_names_are_shown_literally(tmp_path):
    names = [f"**{n}** ![x](https://e.org/{n})" for n in range(10)]
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, VisionTransformer(TINY, seed=0), {"classes": names})
    app = opened(path.read_bytes())
    assert errors_of(app) == []
    assert prediction_of(app)[0] in {f"Prediction: {name}" for name in names}  # not Markdown
    assert not any("![" in text.value.replace("\\!\\[", "") for text in app.markdown)


def test_model_for_gray_images_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, VisionTransformer(replace(TINY, in_channels=1), seed=0))
    app = opened(path.read_bytes())
    assert errors_of(app) == ["The model takes 1 channels. Pictures have three."]


def test_own_model_is_seen_by_its_visitor_and_by_who_has_the_url():
    mine = opened((SHIPPED / "vit.safetensors").read_bytes())
    run_id = mine.session_state["run"]
    for page in ("pages/train.py", PAGE):
        other = open_app(page)
        assert not any(run_id in box.options for box in other.selectbox)
    linked = open_app(PAGE, run=run_id)
    assert linked.session_state["run"] == run_id
    assert not linked.warning
    mine.switch_page("pages/train.py").run()  # which shows runs only, and forgets nothing
    assert not mine.exception
    assert mine.session_state["run"] == run_id


def test_upload_leaves_streamlits_memory():
    app = opened(save(timm_model().state_dict()))
    assert by_label(app.file_uploader, "Model file").value is None
    assert Path(app.session_state["own_upload"][0]).is_file()
