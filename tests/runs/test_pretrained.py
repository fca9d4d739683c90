"""Pretrained models through torchvision, without a network: random weights of the same classes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import models
from torchvision.models import get_model_weights
from torchvision.models.vision_transformer import VisionTransformer as Theirs
from torchvision.transforms import functional

from vitdemo.config import ConfigError
from vitdemo.data.cifar10 import normalize
from vitdemo.runs.pretrained import (
    PRETRAINED,
    arrived,
    config_of,
    crop,
    download_file,
    fetch_weights,
    from_torchvision,
    take_our_images,
    weights_file,
)
from vitdemo.runs.run import load_weights, pretrained_runs


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
    return with_random_head(
        Theirs(32, 8, num_layers=2, num_heads=3, hidden_dim=24, mlp_dim=48, num_classes=7)
    )


def attention_of(theirs, images):
    """Of each layer, from torchvision's own modules: their MultiheadAttention is asked for its weights."""
    with torch.no_grad():
        x = theirs._process_input(images)
        x = (
            torch.cat([theirs.class_token.expand(len(x), -1, -1), x], dim=1)
            + theirs.encoder.pos_embedding
        )
        found = []
        for block in theirs.encoder.layers:
            y = block.ln_1(x)
            _, weights = block.self_attention(
                y, y, y, need_weights=True, average_attn_weights=False
            )
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
    check(
        with_random_head(models.vit_b_16()),
        torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(1)),
    )


@pytest.mark.parametrize("name", PRETRAINED)
def test_a_picture_that_we_prepare_is_classified_as_one_that_they_prepare(name, small):
    own = get_model_weights(name).IMAGENET1K_V1.transforms()
    pixels = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    picture = torch.from_numpy(pixels).permute(2, 0, 1)
    cut = crop(name, picture)
    assert (cut.dtype, cut.shape) == (torch.uint8, (3, 224, 224))
    expected = own(picture)  # theirs from a tensor, as Pillow rounds otherwise than torch
    ours = from_torchvision(small)
    take_our_images(ours, own.mean, own.std)
    with torch.no_grad():
        theirs = small(expected[None, :, 50:82, 50:82])
        torch.testing.assert_close(
            ours(normalize(cut[None])[:, :, 50:82, 50:82]), theirs, atol=1e-5, rtol=1e-5
        )
    assert theirs.std() > 0.01


@pytest.mark.parametrize("name", PRETRAINED)
def test_shapes_are_those_of_torchvision(name):
    with torch.device("meta"):
        assert config_of(models.get_model(name)) == PRETRAINED[name]


@pytest.fixture
def served(monkeypatch, home, small):
    """The weights of a small vit_b_16 are what the download brings."""
    shape = {"num_layers": 2, "num_heads": 3, "hidden_dim": 24, "mlp_dim": 48, "num_classes": 7}
    monkeypatch.setattr(models, "get_model", lambda name: Theirs(32, 8, **shape))
    begun = []

    def download(url, path, digest, progress):
        assert (url, digest) == (get_model_weights("vit_b_16").IMAGENET1K_V1.url, "c867db91")
        begun.append(url)
        torch.save(small.state_dict(), path)

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    return begun


def test_fetched_weights_are_a_checkpoint_that_takes_our_images(served, small):
    fetch_weights("vit_b_16")
    fetch_weights("vit_b_16")
    assert len(served) == 1
    assert [path.name for path in weights_file("vit_b_16").parent.iterdir()] == [
        "vit_b_16.safetensors"
    ]
    run = next(run for run in pretrained_runs() if run.id == "vit_b_16")
    assert len(set(run.classes)) == 1000
    assert run.classes[281] == "tabby"
    model = load_weights(run)
    assert torch.equal(model.head.weight, small.heads.head.weight)
    assert not model.training
    image = torch.randint(
        0, 256, (1, 3, 32, 32), generator=torch.Generator().manual_seed(2), dtype=torch.uint8
    )
    own = get_model_weights("vit_b_16").IMAGENET1K_V1.transforms()
    theirs = small(functional.normalize(image / 255, own.mean, own.std))
    torch.testing.assert_close(model(normalize(image)), theirs, atol=1e-5, rtol=1e-5)


def test_a_download_that_is_damaged_is_said_and_not_kept(served, monkeypatch):
    monkeypatch.setattr(
        torch.hub,
        "download_url_to_file",
        lambda url, path, *_, **__: Path(path).write_bytes(b"PK12"),
    )
    with pytest.raises(ConfigError, match=r"vit_b_16 \(330 MB\) could not be fetched"):
        fetch_weights("vit_b_16")
    assert list(weights_file("vit_b_16").parent.iterdir()) == []


def test_without_a_network_one_sentence_says_so(monkeypatch, home):
    def no_network(*_, **__):
        raise OSError("Name or service not known")

    monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)
    with pytest.raises(
        ConfigError, match=r"vit_b_16 \(330 MB\) could not be fetched: check the network connection"
    ):
        fetch_weights("vit_b_16")
    assert not weights_file("vit_b_16").exists()


def test_what_has_arrived_of_a_download(home):
    assert arrived("vit_b_16") == 0
    path = download_file("vit_b_16")
    path.parent.mkdir(parents=True)
    path.with_name(f"{path.name}.0123abc.partial").write_bytes(bytes(1000))
    assert arrived("vit_b_16") == 1000
