"""The lesson pages without a browser, under Streamlit's AppTest."""

import math
import re
import time
from dataclasses import replace

import pytest
import torch
from open_app import by_label, captions_of, open_app

from vitdemo.config import ModelConfig
from vitdemo.data.cifar10 import normalize
from vitdemo.lessons import scaling
from vitdemo.lessons.comparisons import PAIRS
from vitdemo.lessons.experiments import experiments
from vitdemo.lessons.measured import read_measurement
from vitdemo.model import VisionTransformer
from vitdemo.ui.lessons.example import first_pictures, plain_vit
from vitdemo.ui.lessons.model_walk import MODEL
from vitdemo.ui.lessons.order import ORDER
from vitdemo.ui.lessons.parameters import nearest, nearest_heads, problems
from vitdemo.ui.lessons.source import pieces
from vitdemo.ui.lessons.start import STEPS
from vitdemo.ui.lessons.table_1 import ROWS
from vitdemo.ui.lessons.training_walk import LOOP
from vitdemo.ui.wording import plain

each_page = pytest.mark.parametrize("place", ORDER, ids=lambda place: place.name)


def words_of(app) -> str:
    return "\n".join(text.value for text in (*app.markdown, *app.caption))


def controls_of(app) -> list:
    return [*app.text_area, *app.get("button_group"), *app.select_slider]


@each_page
def test_lesson_opens_with_its_position_and_a_clean_url(place):
    app = open_app(place.script)
    assert not app.warning
    assert not app.error
    assert app.title[0].value == place.title
    assert (
        f"Section {place.section} of the paper · page {ORDER.index(place) + 1} of {len(ORDER)}"
        in captions_of(app)
    )
    assert dict(app.query_params) == {}


@each_page
def test_answers_are_hidden_until_somebody_predicts(place):
    app = open_app(place.script)
    assert 2 <= len(app.radio) <= 4
    assert "Not quite" not in words_of(app)
    assert "**Correct.**" not in words_of(app)
    for number in range(len(app.radio)):
        app.radio[number].set_value(app.radio[number].options[0]).run()
        assert not app.exception
    assert len(re.findall(r"\*\*(Correct\.|Not quite\.)\*\*", words_of(app))) == len(app.radio)


@each_page
def test_all_answers_are_revealed_at_once(place):
    app = open_app(place.script, reveal="yes")
    assert not app.warning
    assert words_of(app).count("**Answer: ") == len(app.radio)
    assert "Choose an answer" not in words_of(app)
    assert dict(app.query_params) == {"reveal": "yes"}
    app.radio[0].set_value(app.radio[0].options[0]).run()
    assert words_of(app).count("**Answer: ") == len(app.radio) - 1
    by_label(app.toggle, "Reveal answers").set_value(False).run()
    assert "**Answer: " not in words_of(app)
    assert dict(app.query_params) == {}


def test_the_answers_are_revealed_by_the_switch_unless_a_teacher_hides_it():
    app = open_app("pages/start.py")
    by_label(app.toggle, "Reveal answers").set_value(True).run()
    assert words_of(app).count("**Answer: ") == len(app.radio)
    assert dict(app.query_params) == {"reveal": "yes"}
    app = open_app("pages/start.py", hide="reveal")
    assert "Reveal answers" not in [switch.label for switch in app.toggle]
    assert not app.warning
    app = open_app("pages/start.py", reveal="all")
    assert "reveal=all, which is not available. Use yes." in app.warning[0].value


def test_experiments_show_their_last_results_at_once_with_date_and_machine():
    for script, count in (("pages/limits.py", 3), ("pages/training.py", 2)):
        assert captions_of(open_app(script)).count("Measured on ") == count
    app = open_app("pages/limits.py")
    for name in ("attention-costs", "data-efficiency", "overfitting"):
        last = read_measurement(name, experiments()[name])
        assert f"Measured on {last.date} with {plain(last.machine)}." in captions_of(app)
    _, record = last.results[-1]
    accuracies = [f"{record[part]['accuracy']:.0%}" for part in ("train", "validation")]
    assert (
        f"After 36 epochs: accuracy {accuracies[0]} on training images, {accuracies[1]} on test "
        "images" in captions_of(app)
    )


@each_page
def test_names_in_the_text_are_in_the_source(place):
    app = open_app(place.script)
    shown = [
        expander for expander in app.expander if expander.label.startswith("The code that runs")
    ]
    assert shown
    for expander in shown:
        (code,) = expander.code
        for name in re.findall("`([^`]+)`", expander.label + expander.markdown[0].value):
            assert name.rpartition(".")[2] in code.value


@pytest.mark.parametrize(
    "place", [place for place in ORDER if place.name != "limits"], ids=lambda place: place.name
)
def test_controls_can_be_hidden_by_the_url(place):
    app = open_app(place.script)
    hidden = ",".join(control.key.removeprefix(f"{place.name}-") for control in controls_of(app))
    assert hidden
    app = open_app(place.script, hide=hidden)
    assert not app.warning
    assert not controls_of(app)
    assert dict(app.query_params) == {"hide": hidden}


@pytest.mark.parametrize(
    ("script", "parts"), [("pages/block.py", MODEL), ("pages/training.py", LOOP)]
)
def test_source_walk_shows_every_piece(script, parts):
    for name, (part, notes) in parts.items():
        app = open_app(script, part=name)
        assert not app.warning
        shown = [code.value for code in app.code]
        assert all(code in shown for _, code in pieces(part, notes))


def test_attention_by_hand_follows_edited_matrices():
    app = open_app("pages/by_hand.py")
    assert "Row 1: 0.23, 0.13, 0.23, 0.41, with a sum of 1.00." in captions_of(app)
    by_label(app.text_area, "K").set_value("1 1 1\n1 1 1\n1 1 1\n1 1 1").run()
    assert "Row 1: 0.25, 0.25, 0.25, 0.25, with a sum of 1.00." in captions_of(app)
    assert dict(app.query_params) == {"k": "1 1 1;1 1 1;1 1 1;1 1 1"}
    by_label(app.text_area, "K").set_value("1 1\n1").run()
    assert (
        app.error[0].value
        == "Expected 4 lines of 3 numbers. Separate numbers by spaces, as in 1 0 -0.5."
    )
    app = open_app("pages/by_hand.py", k="1 1 1;1 1 1;1 1 1;1 1 1", row=2, divisor="none")
    assert "Row 2: 0.25, 0.25, 0.25, 0.25, with a sum of 1.00." in captions_of(app)
    assert dict(app.query_params) == {"k": "1 1 1;1 1 1;1 1 1;1 1 1", "row": "2", "divisor": "none"}


def test_url_with_unavailable_values_is_reported():
    app = open_app("pages/by_hand.py", heads=5, color="red")
    assert "heads=5, which is not available. Use 1, 2, 3, 4 or 6." in app.warning[0].value
    assert "'color', which this page does not use" in app.warning[0].value


@pytest.mark.parametrize("script", ["pages/train.py", "pages/attention.py", "pages/limits.py"])
def test_each_page_has_presentation_mode(script):
    app = open_app(script)
    assert app.query_params.get("presentation") is None
    by_label(app.toggle, "Presentation mode").set_value(True).run()
    assert app.query_params["presentation"] == "yes"
    app = open_app(script, presentation="yes")
    assert not app.warning
    assert by_label(app.toggle, "Presentation mode").value
    app = open_app(script, presentation="very")
    assert "presentation=very, which is not available. Use yes." in app.warning[0].value


def test_the_papers_configuration_is_rejected_for_two_reasons():
    assert [wrong.split(" ")[0] for wrong, _ in problems()] == ["patch_size", "num_heads"]
    near = nearest()
    assert (near.patch_size, near.num_heads, near.mlp_dim, near.depth) == (4, 8, 3072, 12)
    assert nearest_heads() == [8, 16]  # both 4 away from the 12 in the paper


def test_start_page_shows_each_step():
    for step in STEPS:
        app = open_app("pages/start.py", step=step, picture=3)
        assert not app.warning
        assert any(header.value.endswith(f". {step}") for header in app.header)
    assert "airplane" in words_of(app)


def test_numbers_on_the_parameters_page_match_the_models():
    said = words_of(open_app("pages/parameters.py", row="Scope"))
    assert "heads would be as close" in said
    _, model = plain_vit()
    with torch.no_grad():
        attention = model.trace(normalize(first_pictures(16).images))[1].attention[0]
    centers = [(row * 4, column * 4) for row in range(8) for column in range(8)]
    distances = torch.tensor([[math.dist(a, b) for b in centers] for a in centers])
    patches = attention[:, :, 1:, 1:]
    means = ((patches * distances).sum(-1) / patches.sum(-1)).mean(dim=(0, 2))  # of each head
    assert f"in layer 1 is {means.min():.1f} to {means.max():.1f} pixels" in said
    assert f"equal attention to all patches gives {distances.mean():.1f}" in said
    assert "21 of 36 attention weights (head 1)" in said
    counted = sum(parameter.numel() for parameter in VisionTransformer(ModelConfig()).parameters())
    assert f"| counted | {counted:,} | |" in said
    assert f"| **total** | **{counted:,}** | |" in said


@pytest.mark.parametrize("row", ROWS)
def test_each_row_of_table_1_has_two_figures(row):
    app = open_app("pages/parameters.py", row=row)
    assert not app.warning
    assert [heading.value for heading in app.subheader] == [
        "Vision Transformer",
        "Original Transformer",
    ]
    assert len([part for part in app.get("bidi_component") if part.key.startswith("row-")]) == 2


@pytest.mark.slow
def test_data_efficiency_runs_are_started_by_a_button(monkeypatch):
    monkeypatch.setattr(scaling, "TRAIN_IMAGES", (20, 40))  # fewer than on the page: a minute
    monkeypatch.setattr(scaling, "IMAGES_SEEN", 40)
    app = press_and_wait("pages/limits.py", "Train both models")
    assert "One run per point" in captions_of(app)


@pytest.mark.parametrize(
    ("script", "name"), [("pages/limits.py", "overfitting"), ("pages/training.py", "decay")]
)
def test_two_runs_are_compared_by_a_button(script, name, monkeypatch):
    short = {
        which: (
            replace(model, depth=1),
            replace(training, train_images=20, epochs=2, warmup_epochs=0.0),
        )
        for which, (model, training) in PAIRS[name].items()
    }
    monkeypatch.setitem(PAIRS, name, short)
    app = press_and_wait(script, "Train both")
    assert captions_of(app).count("After 2 epochs: ") == 2
    assert "After 36 epochs" not in captions_of(app)  # what was measured with other settings
    assert "Measured on this machine since the app was started." in captions_of(app)


def press_and_wait(script: str, label: str):
    app = open_app(script)
    by_label(app.button, label).click().run()
    end = time.monotonic() + 120
    while any(button.label == label for button in app.button) and time.monotonic() < end:
        time.sleep(0.2)
        app.run()
    assert not app.exception
    return app


def test_metrics_of_edited_predictions():
    app = open_app("pages/training.py")
    assert "| Accuracy | 0.667 |" in words_of(app)
    by_label(app.text_area, "True classes").set_value("0 1 1 1 2 0").run()
    assert "| Accuracy | 1.000 |" in words_of(app)
    by_label(app.text_area, "True classes").set_value("0 1 1 1 2 3").run()
    assert app.error[0].value == "True classes must be whole numbers from 0 to 2."


def test_printed_accuracies_are_not_whole_numbers_of_images():
    app = open_app("pages/training.py")
    app.radio[1].set_value("no").run()
    said = words_of(app)
    assert "0.2027 × 600 = 121.62. The nearest possible value is 122 of 600 = 0.2033." in said
    assert "0.2051 × 200 = 41.02. The nearest possible value is 41 of 200 = 0.2050." in said


def test_decoder_layer_has_a_third_more_parameters_at_the_original_width():
    """Counted by hand for D = 32: attention 4 (D² + D), feed-forward 8 D² + 5 D, norms 2 D each."""
    D = 32
    attention, feed_forward, norm = 4 * (D**2 + D), 8 * D**2 + 5 * D, 2 * D
    encoder = attention + feed_forward + 2 * norm
    decoder = 2 * attention + feed_forward + 3 * norm
    said = words_of(open_app("pages/transformer.py", reveal="yes"))
    assert f"the factor would be {decoder / encoder:.2f}." in said
    assert "its input is START 9 5 1 4 1. From START it must predict 9" in said


def test_layer_norm_divides_by_d_with_the_epsilon_that_the_page_says():
    _, model = plain_vit()
    token = torch.arange(float(model.config.embed_dim)) * 1e-3
    variance = ((token - token.mean()) ** 2).sum() / len(token)
    expected = (token - token.mean()) / torch.sqrt(variance + 1e-6)
    found = model.norm(token).detach()
    torch.testing.assert_close(found, model.norm.weight * expected + model.norm.bias)
    said = words_of(open_app("pages/block.py"))
    assert "it is $10^{-6}$ here, as in timm, and $10^{-5}$ in the paper's code" in said


def test_brightest_patch_receives_few_percent_of_the_attention():
    _, model = plain_vit()
    with torch.no_grad():
        attention = model.trace(normalize(first_pictures(1).images))[1].attention[-1]
    largest = attention.mean(dim=1)[0, 0, 1:].max()
    said = words_of(open_app("pages/start.py", reveal="yes"))
    assert (
        f"**Answer: 5%.** {largest:.1%}, which is {largest * 65:.1f} times an equal share" in said
    )
