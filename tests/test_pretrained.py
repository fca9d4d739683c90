"""Pretrained models through torchvision, without a network: random weights of the same classes."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import models
from torchvision.models.vision_transformer import VisionTransformer as Theirs

from vitdemo import pretrained
from vitdemo.config import ConfigError
from vitdemo.pretrained import (
    PRETRAINED,
    classes_of,
    cut_out,
    fetch_weights,
    from_torchvision,
    load_pretrained,
    normalise,
    weights_file,
)


@torch.no_grad()
def with_random_head(theirs):
    """Theirs with a head that is not zero, and uneven attention."""
    generator = torch.Generator().manual_seed(0)
    theirs.heads.head.weight.normal_(std=0.1, generator=generator)
    for layer in theirs.encoder.layers:
        layer.self_attention.in_proj_bias.normal_(generator=generator)
        layer.self_attention.out_proj.bias.normal_(generator=generator)
    return theirs.eval()


@pytest.fixture
def small():
    """torchvision's class in a small shape."""
    torch.manual_seed(0)
    return with_random_head(Theirs(32, 8, num_layers=2, num_heads=3, hidden_dim=24, mlp_dim=48, num_classes=7))


def attention_of(theirs, images):
    """Of each layer, from torchvision's own modules: their MultiheadAttention is asked for its weights."""
    with torch.no_grad():
        x = theirs._process_input(images)
        x = torch.cat([theirs.class_token.expand(len(x), -1, -1), x], dim=1) + theirs.encoder.pos_embedding
        found = []
        for block in theirs.encoder.layers:
            y = block.ln_1(x)
            _, weights = block.self_attention(y, y, y, need_weights=True, average_attn_weights=False)
            found.append(weights)
            x = block(x)
    return found


def check(theirs, images):
    ours = from_torchvision(theirs)
    with torch.no_grad():
        logits, trace = ours.trace(images)
        torch.testing.assert_close(logits, theirs(images), atol=1e-5, rtol=1e-5)
    for mine, its in zip(trace.attention, attention_of(theirs, images), strict=True):
        torch.testing.assert_close(mine, its, atol=1e-5, rtol=0)
    assert logits.std() > 0.01


def test_a_small_one_has_the_same_logits_and_attention(small):
    check(small, torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(1)))


def test_vit_b_16_itself_has_the_same_logits_and_attention():
    torch.manual_seed(0)
    check(with_random_head(models.vit_b_16()), torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(1)))


@pytest.mark.parametrize("name", PRETRAINED)
def test_pictures_are_prepared_as_by_their_own_transforms(name):
    pixels = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    picture = torch.from_numpy(pixels).permute(2, 0, 1)
    cut = cut_out(name, picture)
    assert (cut.dtype, cut.shape) == (torch.uint8, (3, 224, 224))
    expected = PRETRAINED[name].transforms()(Image.fromarray(pixels))
    found = normalise(name, cut[None])[0]
    assert (found - expected).abs().max() < 0.05  # less than three of 256 steps: Pillow rounds otherwise than torch
    assert (found - expected).abs().mean() < 0.01


def test_there_is_a_name_for_each_class():
    assert len(classes_of("vit_b_16")) == 1000
    assert classes_of("vit_b_16")[281] == "tabby"


@pytest.fixture
def fetched(monkeypatch, home, small):
    """Small weights, where those of vit_b_16 would lie."""
    path = weights_file("vit_b_16")
    path.parent.mkdir(parents=True)
    torch.save(small.state_dict(), path)
    shape = {"num_layers": 2, "num_heads": 3, "hidden_dim": 24, "mlp_dim": 48, "num_classes": 7}
    monkeypatch.setattr(models, "vit_b_16", lambda: Theirs(32, 8, **shape))
    return path


def test_fetched_weights_are_loaded_and_not_fetched_again(fetched, small, monkeypatch):
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *_, **__: pytest.fail("fetched again"))
    fetch_weights("vit_b_16")
    model = load_pretrained("vit_b_16")
    assert torch.equal(model.head.weight, small.heads.head.weight)
    assert not model.training


def test_damaged_weights_are_said(fetched):
    fetched.write_bytes(fetched.read_bytes()[:1000])
    with pytest.raises(ConfigError, match="damaged: delete"):
        load_pretrained("vit_b_16")


def test_weights_that_are_not_there():
    with pytest.raises(ConfigError, match="fetch them first"):
        load_pretrained("vit_l_16")


def test_without_a_network_one_sentence_says_so(monkeypatch, home):
    def no_network(url, path, digest, progress):
        assert (url, digest) == (PRETRAINED["vit_b_16"].url, "c867db91")
        raise OSError("Name or service not known")

    monkeypatch.setattr(pretrained.torch.hub, "download_url_to_file", no_network)
    with pytest.raises(ConfigError, match=r"vit_b_16 \(330 MB\) could not be fetched: check the network connection"):
        fetch_weights("vit_b_16")
    assert not weights_file("vit_b_16").exists()
