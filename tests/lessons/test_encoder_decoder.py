"""The small Transformer turns digits round, and its attention is that of torch's modules."""

import numpy as np
import pytest
import torch

from vitdemo.lessons.encoder_decoder import (
    LENGTH,
    START,
    Reverser,
    learn_to_reverse,
    looks,
    scores_of,
    shifted,
)

DIGITS = [3, 1, 4, 1, 5, 9]


@pytest.fixture(scope="module")
def model():
    return learn_to_reverse()[0]


def test_it_turns_digits_round_that_it_never_saw(model):
    generator = torch.Generator().manual_seed(77)
    for digits in torch.randint(10, (20, LENGTH), generator=generator).tolist():
        assert looks(model, digits).written == digits[::-1]


def test_each_written_digit_looks_at_the_one_it_copies(model):
    cross = looks(model, DIGITS).cross.mean(axis=0)
    assert cross.argmax(axis=1).tolist() == [5, 4, 3, 2, 1, 0]
    assert cross.max(axis=1).min() > 0.5


def test_rows_sum_to_one_and_the_future_gets_nothing(model):
    found = looks(model, DIGITS)
    for weights in (found.encoder, found.weights, found.cross):
        np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-6)
    future = np.triu_indices(LENGTH, 1)
    assert (found.weights[:, *future] == 0).all()
    assert np.isneginf(found.masked[:, *future]).all()
    assert np.isfinite(found.scores).all()


def test_the_masked_weights_are_those_of_torchs_module(model):
    y = model.embed(shifted(torch.tensor([DIGITS[::-1]]))) + model.write_places
    (layer,) = model.transformer.decoder.layers
    _, theirs = layer.self_attn(y, y, y, attn_mask=model.mask, average_attn_weights=False)
    ours = (scores_of(layer.self_attn, y) + model.mask).softmax(dim=-1)
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)
    np.testing.assert_allclose(looks(model, DIGITS).weights, theirs[0].detach(), atol=1e-6)


def test_without_the_future_an_earlier_digit_cannot_change(model):
    """What the decoder says at a place depends on nothing after it."""
    digits = torch.tensor([DIGITS])
    written = shifted(torch.tensor([DIGITS[::-1]]))
    other = written.clone()
    other[0, 4:] = 7
    torch.testing.assert_close(model(digits, written)[0, :4], model(digits, other)[0, :4])
    assert (model(digits, written)[0, 4:] - model(digits, other)[0, 4:]).abs().max() > 0.01


def test_the_decoder_begins_with_start():
    assert shifted(torch.tensor([[1, 2, 3]])).tolist() == [[START, 1, 2]]


def test_it_is_the_same_each_time_and_leaves_the_process_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    (first, shares), (second, again) = learn_to_reverse(steps=2), learn_to_reverse(steps=2)
    assert torch.equal(torch.rand(1), expected)
    assert all(
        torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True)
    )
    assert shares == again
    assert isinstance(first, Reverser)
