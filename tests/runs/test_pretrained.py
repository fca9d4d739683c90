"""Pretrained models, without a network: torchvision's classes with random weights."""

from dataclasses import replace
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
from vitdemo.model import VisionTransformer
from vitdemo.runs.checkpoint import read_header, save_checkpoint
from vitdemo.runs.normalization import fold_normalization
from vitdemo.runs.pretrained import (
    PRETRAINED,
    config_of,
    crop,
    download_file,
    download_weights,
    downloaded_bytes,
    from_torchvision,
    pretrained_runs,
    weights_file,
)
from vitdemo.runs.run import load_weights


@torch.no_grad()
def with_random_head(theirs):
    """Give torchvision's model a head other than zero, and uneven attention."""
    generator = torch.Generator().manual_seed(0)
    theirs.heads.head.weight.normal_(std=0.1, generator=generator)
    for layer in theirs.encoder.layers:
        layer.self_attention.in_proj_bias.normal_(generator=generator)
        layer.self_attention.out_proj.bias.normal_(generator=generator)
    return theirs.eval()


@pytest.fixture
def small():
    """Return a small model of torchvision's class."""
    torch.manual_seed(0)
    return with_random_head(
        Theirs(32, 8, num_layers=2, num_heads=3, hidden_dim=24, mlp_dim=48, num_classes=7)
    )


def attention_of(theirs, images):
    """Return the attention of each layer, from torchvision's own modules."""
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


def test_small_model_equals_torchvision(small):
    check(small, torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(1)))


@pytest.mark.slow
def test_vit_b_16_equals_torchvision():
    torch.manual_seed(0)
    check(
        with_random_head(models.vit_b_16()),
        torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(1)),
    )


@pytest.mark.parametrize("name", PRETRAINED)
def test_our_preprocessing_gives_torchvisions_logits(name, small):
    own = get_model_weights(name).IMAGENET1K_V1.transforms()
    pixels = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    picture = torch.from_numpy(pixels).permute(2, 0, 1)
    cut = crop(name, picture)
    assert (cut.dtype, cut.shape) == (torch.uint8, (3, 224, 224))
    expected = own(picture)  # of a tensor, as Pillow and torch round differently
    ours = from_torchvision(small)
    fold_normalization(ours, own.mean, own.std)
    with torch.no_grad():
        theirs = small(expected[None, :, 50:82, 50:82])
        torch.testing.assert_close(
            ours(normalize(cut[None])[:, :, 50:82, 50:82]), theirs, atol=1e-5, rtol=1e-5
        )
    assert theirs.std() > 0.01


@pytest.mark.parametrize("name", PRETRAINED)
def test_shapes_equal_torchvision(name):
    with torch.device("meta"):
        assert config_of(models.get_model(name)) == PRETRAINED[name]


@pytest.fixture
def served(monkeypatch, home, small):
    """Replace the download by the weights of a small model; return the URLs downloaded."""
    shape = {"num_layers": 2, "num_heads": 3, "hidden_dim": 24, "mlp_dim": 48, "num_classes": 7}
    monkeypatch.setattr(models, "get_model", lambda name: Theirs(32, 8, **shape))
    monkeypatch.setitem(PRETRAINED, "vit_b_16", config_of(small))
    urls = []

    def download(url, path, digest, progress):
        assert (url, digest) == (get_model_weights("vit_b_16").IMAGENET1K_V1.url, "c867db91")
        urls.append(url)
        torch.save(small.state_dict(), path)

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    return urls


def test_downloaded_weights_become_a_checkpoint(served, small):
    download_weights("vit_b_16")
    download_weights("vit_b_16")
    assert len(served) == 1
    assert [path.name for path in weights_file("vit_b_16").parent.iterdir()] == [
        "vit_b_16.safetensors"
    ]
    run = next(run for run in pretrained_runs() if run.id == "vit_b_16")
    names = read_header(run.weights)[1]["classes"]
    assert (len(set(names)), names[281]) == (1000, "tabby")
    assert run.classes[6] == "class 6"  # the small model has 7 outputs, too few for these names
    model = load_weights(run)
    assert torch.equal(model.head.weight, small.heads.head.weight)
    assert not model.training
    image = torch.randint(
        0, 256, (1, 3, 32, 32), generator=torch.Generator().manual_seed(2), dtype=torch.uint8
    )
    own = get_model_weights("vit_b_16").IMAGENET1K_V1.transforms()
    theirs = small(functional.normalize(image / 255, own.mean, own.std))
    torch.testing.assert_close(model(normalize(image)), theirs, atol=1e-5, rtol=1e-5)


def test_damaged_download_is_reported_and_deleted(served, monkeypatch):
    monkeypatch.setattr(
        torch.hub,
        "download_url_to_file",
        lambda url, path, *_, **__: Path(path).write_bytes(b"PK12"),
    )
    with pytest.raises(ConfigError, match=r"The download of vit_b_16 \(330 MB\) failed"):
        download_weights("vit_b_16")
    assert list(weights_file("vit_b_16").parent.iterdir()) == []


def test_missing_network_is_reported(monkeypatch, home):
    def no_network(*_, **__):
        raise OSError("Name or service not known")

    monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)
    with pytest.raises(ConfigError) as caught:
        download_weights("vit_b_16")
    assert str(caught.value).startswith(
        "The download of vit_b_16 (330 MB) failed (Name or service not known). "
        "Check the network connection and try again."
    )
    assert not weights_file("vit_b_16").exists()


def test_downloaded_bytes(home):
    assert downloaded_bytes("vit_b_16") == 0
    path = download_file("vit_b_16")
    path.parent.mkdir(parents=True)
    path.with_name(f"{path.name}.0123abc.partial").write_bytes(bytes(1000))
    assert downloaded_bytes("vit_b_16") == 1000


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["cat", "dog"], ("cat", "dog")),
        (["cat"], ("class 0", "class 1")),
        ([1, 2], ("class 0", "class 1")),
        (["cat", "\ud800"], ("class 0", "class 1")),
        ("cd", ("class 0", "class 1")),
        (None, ("class 0", "class 1")),
        ({}, ("class 0", "class 1")),
    ],
    ids=str,
)
def test_names_of_classes_that_are_damaged_are_numbers(monkeypatch, tiny, names, expected):
    config = replace(tiny, num_classes=2)
    monkeypatch.setitem(PRETRAINED, "vit_b_16", config)
    model = VisionTransformer(config, seed=0)
    save_checkpoint(weights_file("vit_b_16"), model, {"classes": names})
    run = next(run for run in pretrained_runs() if run.id == "vit_b_16")
    assert run.classes == expected


def test_checkpoint_of_another_model_is_refused(tiny):
    save_checkpoint(weights_file("vit_b_16"), VisionTransformer(tiny, seed=0))
    run = next(run for run in pretrained_runs() if run.id == "vit_b_16")
    with pytest.raises(ConfigError, match="holds another model than vit_b_16"):
        load_weights(run)
