import numpy as np
import pytest
import torch

import vitdemo
from vitdemo import ConfigError, Data, ModelConfig, Split, TrainConfig, VisionTransformer, train

IMAGES = np.random.default_rng(0).integers(256, size=(4, 6, 6, 3)).astype(np.uint8)
LABELS = np.array([2, 0, 1, 0])


def stored(images=IMAGES, labels=LABELS):
    return Split(images, labels)


def read_only(array):
    copy = array.copy()
    copy.flags.writeable = False
    return copy


@pytest.mark.parametrize(
    "images",
    [
        IMAGES,
        IMAGES.transpose(0, 3, 1, 2),
        torch.from_numpy(IMAGES),
        torch.from_numpy(IMAGES).permute(0, 3, 1, 2),
        IMAGES[::-1][::-1],
        read_only(IMAGES),
        np.asfortranarray(IMAGES),
    ],
    ids=["NHWC", "NCHW", "tensor NHWC", "tensor NCHW", "strides", "read-only", "Fortran order"],
)
def test_images_of_either_layout_are_stored_channels_first(images):
    split = stored(images)
    assert split.images.shape == (4, 3, 6, 6)
    assert split.images.dtype == torch.uint8
    assert split.images.is_contiguous()
    for n, c, y, x in ((0, 0, 1, 2), (3, 2, 5, 0)):
        assert split.images[n, c, y, x] == IMAGES[n, y, x, c]


def test_layout_that_fits_both_ways_is_taken_as_channels_first():
    images = np.arange(64, dtype=np.uint8).reshape(1, 4, 4, 4)
    assert torch.equal(Split(images, [0]).images, torch.from_numpy(images))


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "i4", "i8", ">i4", "u2", "u4", "u8"])
def test_labels_of_any_integer_dtype(dtype):
    split = stored(labels=LABELS.astype(dtype))
    assert split.labels.tolist() == LABELS.tolist()
    assert split.labels.dtype == torch.int64


@pytest.mark.parametrize("labels", [LABELS.tolist(), tuple(LABELS), torch.tensor(LABELS).short()])
def test_labels_in_a_list_or_tensor(labels):
    assert stored(labels=labels).labels.tolist() == LABELS.tolist()


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (IMAGES / 255, "Images must be uint8, with values from 0 to 255, not float64. Multiply"),
        (torch.from_numpy(IMAGES).float(), "must be uint8, .* not float32. Multiply values from 0"),
        (IMAGES.astype(int), "must be uint8, .* not int64. Convert with .astype"),
        (IMAGES > 9, "must be uint8, .* not bool"),
        (IMAGES[..., 0], r"must have four axes, .* \(4, 6, 6\). Use images\[:, None\]"),
        (IMAGES[0], r"four axes, .* images\[None\] for a single image"),
        (IMAGES[:, :5], r"must be square and have shape .* not \(4, 5, 6, 3\)"),
        (IMAGES[:0], "there are none. Give at least one image"),
        (IMAGES[..., :0], "there are none"),
        (None, "Images must be a uint8 tensor or array, not NoneType"),
        ("cat.png", "Images must be a uint8 tensor or array, not str"),
        ([[1, 2], [3]], "Images must be a uint8 tensor or array, not list"),
        (IMAGES.astype(object), "Images must be a uint8 tensor or array, not an array of object"),
        (torch.zeros(4, 3, 6, 6, dtype=torch.uint8, device="meta"), "not Tensor"),
    ],
)
def test_unusable_images_are_refused_with_what_is_right(images, message):
    with pytest.raises(ConfigError, match=message):
        stored(images)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS - 1, "from 0 to 999, .* these are from -1 to 1. Number the classes from 0"),
        (LABELS * 600, "these are from 0 to 1200"),
        (np.full(4, 2**64 - 1, "u8"), "Number the classes from 0"),
        (LABELS / 1, "Labels must be whole numbers, not float64. Convert with"),
        ([0, 1, float("nan"), 0], "Labels must be whole numbers, not float64"),
        (torch.tensor(LABELS).half(), "Labels must be whole numbers, not float16"),
        (LABELS > 0, "Labels must be whole numbers, not bool"),
        (LABELS[:3], "There are 4 images and 3 labels. Give one label per image"),
        ([], "There are no labels"),
        (LABELS[:, None], r"shape \(N,\), .* not \(4, 1\). Use labels.reshape"),
        (np.eye(4, dtype=int), r"not \(4, 4\). .* labels.argmax\(1\) for one-hot labels"),
        (["cat"] * 4, "Labels must be a tensor, array or list with one whole number per image"),
        ([0, 1, [2], 0], "Labels must be a tensor, array or list"),
        (None, "Labels must be a tensor, array or list .* not NoneType"),
    ],
)
def test_unusable_labels_are_refused_with_what_is_right(labels, message):
    with pytest.raises(ConfigError, match=message):
        stored(labels=labels)


def test_parts_are_not_checked_again(monkeypatch):
    split = stored()

    def check(self):
        raise AssertionError("checked again")

    monkeypatch.setattr(Split, "__post_init__", check)
    assert split[1:3].labels.tolist() == [0, 1]
    part = split[torch.tensor([3, 0])]
    assert part.labels.tolist() == [0, 2]
    assert torch.equal(part.images[1], split.images[0])
    assert len(split[:0]) == 0


def test_model_trains_on_own_arrays():
    images = np.zeros((40, 8, 8, 1), dtype=np.uint8)
    labels = np.arange(40) % 2
    images[labels == 1, :4] = 255  # the upper half is white
    data = Data(Split(images[:30], labels[:30]), Split(images[30:], labels[30:]))
    config = ModelConfig(image_size=8, patch_size=4, in_channels=1, num_classes=2, depth=1)
    *_, last = train(VisionTransformer(config, seed=0), data, TrainConfig(epochs=8, batch_size=8))
    assert last.validation["accuracy"] == 1.0


def test_dir_lists_the_public_names():
    assert set(vitdemo.__all__) <= set(dir(vitdemo))
