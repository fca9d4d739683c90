"""The file of all maps holds the result of each method."""

import io
import json

import numpy as np
import torch

from vitdemo.data.cifar10 import load_cifar10
from vitdemo.explain.export import ARRAYS, maps_file
from vitdemo.explain.relevance import relevance
from vitdemo.explain.rollout import rollout


def test_maps_file_holds_every_array_and_its_meaning(trained_model, pictures):
    pixels = load_cifar10(1, 1).validation.images[0].permute(1, 2, 0).numpy()
    content = maps_file(trained_model, pixels, pictures[0], 3, np.full((8, 8), 0.5), {"run": "vit"})
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        found = {name: file[name] for name in ARRAYS}
        about = json.loads(file["about.json"])
    with torch.no_grad():
        logits, trace = trained_model.trace(pictures[:1])
    expected = {
        "picture": pixels,
        "probabilities": logits.softmax(dim=1)[0],
        "attention": torch.stack([layer[0] for layer in trace.attention]),
        "rollout": rollout(trace.attention)[0],
        "relevance": relevance(trained_model, pictures[:1], torch.tensor([3]))[0],
        "occlusion": np.full((8, 8), 0.5),
    }
    assert set(expected) == set(ARRAYS)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], np.asarray(values), atol=1e-6)
    assert found["attention"].shape == (6, 4, 65, 65)
    assert (about["run"], about["class"], about["arrays"]) == ("vit", 3, ARRAYS)
    assert about["tokens"].startswith("CLS")


def test_maps_file_leaves_out_occlusion_that_is_not_given(trained_model, pictures):
    content = maps_file(trained_model, np.zeros((32, 32, 3), np.uint8), pictures[0], 3, None, {})
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        assert "occlusion" not in file.files
        assert set(json.loads(file["about.json"])["arrays"]) == set(ARRAYS) - {"occlusion"}


def test_about_json_names_the_tokens_of_the_model(random_model, pictures):
    content = maps_file(random_model, np.zeros((32, 32, 3), np.uint8), pictures[0], 3, None, {})
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        tokens = json.loads(file["about.json"])["tokens"]
    assert tokens.startswith("CLS") == random_model.config.has_cls
    assert tokens.endswith("the patches, row by row from the top left")
