"""The small Transformer reverses digits, and its attention matches PyTorch's modules."""

import numpy as np
import pytest
import torch

from vitdemo.lessons.encoder_decoder import (
    LENGTH,
    START,
    Reverser,
    attention_scores,
    shift_right,
    trace_attention,
    train_reverser,
)

DIGITS = [3, 1, 4, 1, 5, 9]


@pytest.fixture(scope="module")
def model():
    return train_reverser()[0]


def test_reverser_reverses_unseen_digits(model):
    generator = torch.Generator().manual_seed(77)
    for digits in torch.randint(10, (20, LENGTH), generator=generator).tolist():
        assert trace_attention(model, digits).written == digits[::-1]


def test_cross_attention_attends_to_the_copied_digit(model):
    cross = trace_attention(model, DIGITS).cross.mean(axis=0)
    assert cross.argmax(axis=1).tolist() == [5, 4, 3, 2, 1, 0]
    assert cross.max(axis=1).min() > 0.5


def test_attention_rows_sum_to_one_and_later_positions_are_masked(model):
    found = trace_attention(model, DIGITS)
    for weights in (found.encoder, found.weights, found.cross):
        np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-6)
    later = np.triu_indices(LENGTH, 1)
    assert (found.weights[:, *later] == 0).all()
    assert np.isneginf(found.masked[:, *later]).all()
    assert np.isfinite(found.scores).all()


def test_masked_weights_match_torch(model):
    y = model.embed(shift_right(torch.tensor([DIGITS[::-1]]))) + model.target_positions
    (layer,) = model.transformer.decoder.layers
    _, theirs = layer.self_attn(y, y, y, attn_mask=model.mask, average_attn_weights=False)
    ours = (attention_scores(layer.self_attn, y) + model.mask).softmax(dim=-1)
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)
    np.testing.assert_allclose(
        trace_attention(model, DIGITS).weights, theirs[0].detach(), atol=1e-6
    )


def test_decoder_output_does_not_depend_on_later_positions(model):
    source = torch.tensor([DIGITS])
    target = shift_right(torch.tensor([DIGITS[::-1]]))
    other = target.clone()
    other[0, 4:] = 7
    torch.testing.assert_close(model(source, target)[0, :4], model(source, other)[0, :4])
    assert (model(source, target)[0, 4:] - model(source, other)[0, 4:]).abs().max() > 0.01


def test_decoder_input_begins_with_start():
    assert shift_right(torch.tensor([[1, 2, 3]])).tolist() == [[START, 1, 2]]


def test_training_is_deterministic_and_leaves_the_global_generator_unchanged():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    (first, accuracies), (second, again) = train_reverser(steps=2), train_reverser(steps=2)
    assert torch.equal(torch.rand(1), expected)
    assert all(
        torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True)
    )
    assert accuracies == again
    assert isinstance(first, Reverser)
