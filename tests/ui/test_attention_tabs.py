"""The tabs of the Attention page without a browser."""

import io
import re
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from open_app import by_label, captions_of, open_app, prediction_of, trained_run
from PIL import Image
from torchvision.models import get_model_weights

from vitdemo.background import tasks
from vitdemo.config import SETTINGS, ConfigError, ModelConfig
from vitdemo.data.cifar10 import load_cifar10, normalize
from vitdemo.explain.heads import head_statistics
from vitdemo.model import VisionTransformer
from vitdemo.runs.checkpoint import save_checkpoint
from vitdemo.runs.pretrained import PRETRAINED, weights_file
from vitdemo.ui.attention import faithfulness, sample
from vitdemo.ui.attention.heads import near_and_far, of_uniform_attention
from vitdemo.ui.attention.state import TABS

PAGE = "pages/attention.py"
each_pooling = pytest.mark.parametrize("pooling", SETTINGS["pooling"].choices)


def texts(app) -> list[str]:
    return [text.value for text in app.markdown]


def wait_for(app, done):
    """Run the page again until a condition holds."""
    end = time.monotonic() + 60
    while not done() and time.monotonic() < end:
        time.sleep(0.05)
        app.run()
    assert not app.exception
    assert done()


def press_and_wait(app, label):
    """Press a button that starts a task, and wait until it is done."""
    by_label(app.button, label).click().run()
    wait_for(app, lambda: not any(button.label == label for button in app.button))


# Attribution and faithfulness


@each_pooling
def test_attribution_has_every_method_with_its_formula(pooling, tiny, short):
    run = trained_run(replace(tiny, pooling=pooling), short)
    options = {"target": "dog", "window": "3", "fusion": "max", "discard": "0.5"}
    app = open_app(PAGE, run=run.id, view="attribution", **options)
    assert not app.warning
    assert len(app.latex) == 4
    for title in (
        "Attention of one",
        "Attention rollout",
        "relevance for dog",
        "Occlusion for dog",
    ):
        assert any(title in text for text in texts(app))
    assert dict(app.query_params) == {"run": run.id, "view": "attribution"} | options
    labels = [box.label for box in app.selectbox]
    assert len(set(labels)) == len(labels)
    assert by_label(app.selectbox, "Class to explain").options[0] == "predicted"


@pytest.mark.parametrize("run", ["vit", "hybrid"])
def test_occlusion_of_a_gray_picture_shows_no_pattern(run):
    gray = io.BytesIO()
    Image.new("RGB", (50, 40), (128, 128, 128)).save(gray, "PNG")
    app = open_app(PAGE, run=run, view="attribution")
    alts = {key: alt for key, (alt, _) in app.session_state["drawn"].items()}
    assert "over the patches: from " in alts["map-occlusion"]
    app.button_group(key="source").set_value("Upload").run()
    by_label(app.file_uploader, "Your picture").set_value(
        ("gray.png", gray.getvalue(), "image/png")
    ).run()
    assert not app.exception
    alt, figure = app.session_state["drawn"]["map-occlusion"]
    assert alt.endswith("over the patches: No patch stands out (0).")
    assert not np.array(figure.data[-1].z).any()
    assert figure.data[-1].colorbar.ticktext == ("0",)


@each_pooling
def test_faithfulness_checks_a_picture_and_a_sample(pooling, tiny, short):
    run = trained_run(replace(tiny, pooling=pooling), short)
    app = open_app(PAGE, run=run.id, view="faithfulness")
    wait_for(app, lambda: "maps of different pictures (attention" in captions_of(app))
    wait_for(app, lambda: any("Better than random, of 10" in text for text in texts(app)))
    table = next(text for text in texts(app) if text.startswith("| Map"))
    assert len(table.splitlines()) == 2 + 4 + 1
    said = captions_of(app)
    assert "shuffled: first in the classification head" in said
    assert "Mean of 5 shuffles." in said
    assert ("the head includes the pooling layer" in said) == (pooling == "attention")
    assert ("cannot change attention and rollout" in said) == (pooling != "attention")
    limits = next(text for text in texts(app) if "Occlusion has a head start" in text)
    assert "unlike those that the model was trained on" in limits
    assert by_label(app.button, "Stop").disabled
    press_and_wait(app, "Check 10 pictures")
    found = next(text for text in texts(app) if " with 10 pictures: score " in text)
    names = [line.split("**")[1] for line in found.splitlines()]
    assert names == ["attention", "rollout", "relevance", "occlusion"]
    assert len(re.findall(r"(faithful than|be told from) chance\*\* with 10 pictures", found)) == 4
    assert "Over 10 pictures" in captions_of(app)


def test_faithfulness_is_drawn_before_it_is_computed(saved_run):
    app = open_app(PAGE, run=saved_run.id, view="faithfulness")
    for name in ("deletion", "insertion", "similarity"):
        assert app.session_state["drawn"][name][1].data == ()
    keys = [app.session_state[f"started-{name}"] for name in ("curves", "randomization")]
    assert [tasks.status(key) for key in keys] == [None, None]
    app.run()
    assert None not in [tasks.status(key) for key in keys]
    wait_for(app, lambda: len(app.session_state["drawn"]["deletion"][1].data) == 3 + 4)
    wait_for(app, lambda: all(tasks.status(key).state == "done" for key in keys))


@pytest.mark.parametrize("started", ["started-curves", "started-check of another tab"])
def test_another_picture_stops_the_check_of_the_last_one(saved_run, started):
    go_on = threading.Event()

    def steps():
        while not go_on.wait(0.01):
            yield 0

    tasks.start("endless", 10, steps)
    app = open_app(PAGE, run=saved_run.id, view="faithfulness")
    app.session_state[started] = "endless"
    by_label(app.number_input, "Image number").set_value(1).run()
    assert not app.exception
    assert tasks.status("endless").state == "stopped"
    go_on.set()


def test_a_check_that_fails_says_so_and_can_be_tried_again(saved_run, monkeypatch):
    def fail(*_):
        raise ConfigError("There is not enough memory.")

    succeed = faithfulness._curves
    monkeypatch.setattr(faithfulness, "_curves", fail)
    app = open_app(PAGE, run=saved_run.id, view="faithfulness")
    wait_for(app, lambda: any(button.label == "Check this picture" for button in app.button))
    assert app.error[0].value == "It failed (There is not enough memory.). Try again."
    monkeypatch.setattr(faithfulness, "_curves", succeed)
    by_label(app.button, "Check this picture").click().run()
    wait_for(app, lambda: len(app.session_state["drawn"]["deletion"][1].data) == 3 + 4)


# Ablation


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_ablation_shows_the_prediction_before_and_after(pooling, tiny, short):
    run = trained_run(replace(tiny, pooling=pooling), short)
    changes = {"ablated": "1.2", "occluded": "0,3", "blocked": "1"}
    app = open_app(PAGE, run=run.id, view="ablation", blocked_in="one", **changes)
    bare = {"run": run.id, "view": "ablation", "blocked_in": "one"}
    assert not app.warning
    assert dict(app.query_params) == bare | changes
    assert "2 patches occluded. Crosses: 1 patch that" in captions_of(app)
    said = next(text for text in texts(app) if text.startswith("Accuracy on 10"))
    assert re.search(r"\*\*\d+\.\d%\*\* \(before: \d+\.\d%\): [+-]\d+\.\d points \(", said)
    assert re.search(r"95% interval [+-]\d+\.\d to [+-]\d+\.\d\)\. One image is 10 points\.", said)
    wait_for(app, lambda: "Purple: accuracy drops." in captions_of(app))
    by_label(app.button, "Reset").click().run()
    assert not app.exception
    assert dict(app.query_params) == bare
    assert any("with all heads. One image is 10 points." in text for text in texts(app))


def test_heads_and_patches_that_do_not_exist_are_reported_and_left_out(saved_run):
    wrong = {"ablated": "1.1,7.7", "occluded": "2,99"}
    app = open_app(PAGE, run=saved_run.id, view="ablation", **wrong)
    assert app.session_state["ablated"] == ("1.1",)
    assert app.session_state["occluded"] == (2,)
    said = app.warning[0].value
    assert "ablated=7.7, which is not available. Use any of 1.1 or 1.2" in said
    assert "occluded=99, which is not available. Use any of 0 to 3" in said


# Training


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_heads_describes_local_and_global_ones(pooling, tiny, short):
    run = trained_run(replace(tiny, pooling=pooling, depth=2), short)
    app = open_app(PAGE, run=run.id, view="heads")
    (said,) = [text for text in texts(app) if text.startswith("- **Most local**")]
    assert re.search(r"Most local\*\*: layer \d, head \d \(\d+\.\d pixels\)", said)
    pattern = r"The last layer attends over \*\*(longer|shorter)\*\* distances than the first"
    assert re.search(pattern, said)
    options = app.button_group(key="statistic").options
    assert len(options) == (4 if pooling == "cls" else 3)
    app = open_app(PAGE, run=run.id, view="heads", statistic="entropy")
    assert not app.warning


def test_the_description_of_four_heads():
    said = near_and_far(np.array([[1.0, 3.0], [9.0, 5.0]]), uniform=6.0).splitlines()
    assert said[0] == (
        "- **Most local**: layer 1, head 1 (1.0 pixels). "
        "**Most global**: layer 2, head 1 (9.0 pixels)."
    )
    assert "**longer** distances than the first: 7.0 and 2.0 pixels" in said[1]
    assert "most in layer 2 (by 4.0 pixels) and least in layer 1 (by 2.0)" in said[2]
    assert len(near_and_far(np.array([[2.0]]), uniform=6.0).splitlines()) == 1


def test_uniform_attention_is_that_of_a_head_with_zero_weights(tiny):
    model = VisionTransformer(tiny, seed=0).eval()
    with torch.no_grad():
        model.blocks[0].attn.qkv.weight.zero_()
    found = head_statistics(model, normalize(load_cifar10(1, 2).validation.images))
    uniform = of_uniform_attention(tiny)
    for name, values in vars(found).items():
        assert values[0].tolist() == pytest.approx([uniform[name]] * 2, abs=1e-5)


# Pretrained models


@pytest.fixture
def pretrained(home, monkeypatch):
    """A small vit_b_16 with random weights; it takes pictures of 224 pixels, like the real one."""
    shape = ModelConfig(224, 32, num_classes=1000, embed_dim=24, depth=2, num_heads=3)
    monkeypatch.setitem(PRETRAINED, "vit_b_16", shape)
    names = get_model_weights("vit_b_16").IMAGENET1K_V1.meta["categories"]
    save_checkpoint(weights_file("vit_b_16"), VisionTransformer(shape, seed=0), {"classes": names})


@pytest.mark.parametrize("tab", TABS)
def test_a_pretrained_model_has_every_tab(pretrained, tab):
    app = open_app(PAGE, run="vit_b_16", view=tab, picture=3)
    assert not app.exception
    assert not app.warning
    assert not app.error
    assert app.query_params["run"] == "vit_b_16"
    assert prediction_of(app)[1] == "CIFAR-10 label: airplane"
    assert by_label(app.selectbox, "Predictions").disabled
    infos = "".join(info.value for info in app.info)
    assert ("This model comes without snapshots" in infos) == (tab == "training")


def test_a_pretrained_model_explains_its_own_classes(pretrained):
    app = open_app(PAGE, run="vit_b_16", view="attribution", target="tabby")
    assert not app.warning
    assert any("relevance for tabby" in text for text in texts(app))
    app = open_app(PAGE, run="vit_b_16", view="attribution", target="dog")
    assert "target=dog" in app.warning[0].value


def test_a_pretrained_model_beside_a_shipped_one(pretrained):
    app = open_app(PAGE, run="vit", compare=True, other_run="vit_b_16")
    assert not app.exception
    assert not app.warning
    assert "ImageNet (vit_b_16)" in captions_of(app)


def test_long_tasks_of_a_large_model_wait_for_a_button(pretrained, monkeypatch):
    monkeypatch.setattr(sample, "SLOW_MACS", 0)
    app = open_app(PAGE, run="vit_b_16", view="faithfulness")
    assert any(info.value.startswith("Occlusion is left out") for info in app.info)
    press_and_wait(app, "Check this picture")
    assert any(text.startswith("| Map | Deletion") for text in texts(app))
    press_and_wait(app, "Shuffle the weights")
    assert "shuffled: first in the classification head" in captions_of(app)
    app = open_app(PAGE, run="vit_b_16", view="attribution")
    press_and_wait(app, "Occlude each of the 49 patches")
    app = open_app(PAGE, run="vit_b_16", view="faithfulness")
    assert not app.info
    app = open_app(PAGE, run="vit_b_16", view="ablation")
    press_and_wait(app, "Ablate each of the 6 heads")
    assert "Purple: accuracy drops." in captions_of(app)
    assert any(text.startswith("Agreement with the unchanged model on") for text in texts(app))


def test_a_pretrained_model_that_is_missing_is_offered(home, monkeypatch):
    def no_network(*_, **__):
        raise OSError("Name or service not known")

    monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)
    app = open_app(PAGE, run="vit_l_16")
    assert any(
        "304 million parameters: 24 layers with 16 heads each" in text for text in texts(app)
    )
    assert dict(app.query_params) == {"run": "vit_l_16"}
    by_label(app.button, "Download vit_l_16 (1,161 MB)").click().run()
    end = time.monotonic() + 60
    while not app.warning and time.monotonic() < end:
        app.run()
    assert "Name or service not known" in app.warning[0].value
    assert "Check the network connection" in app.warning[0].value
    assert not by_label(app.button, "Download vit_l_16 (1,161 MB)").disabled
    app.switch_page("pages/train.py").run()
    assert not app.exception
    assert app.session_state["run"] == "vit_l_16"
