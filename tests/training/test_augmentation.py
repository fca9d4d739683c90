from itertools import product

import pytest
import torch
from torch.nn import functional as F

from vitdemo.config import TrainConfig
from vitdemo.data.cifar10 import normalize
from vitdemo.training.augmentation import (
    augment,
    cutmix,
    cutout,
    flip,
    jitter,
    mixup,
    translate,
)

KINDS = {
    "flip": {"augmentation": "flip"},
    "flip_and_translate": {"augmentation": "flip_and_translate"},
    "jitter": {"jitter": 0.5},
    "cutout": {"cutout": 3},
    "mixup": {"mixup": 1.0},
    "cutmix": {"cutmix": 1.0},
}
LUMA = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def random_images(count, size=8, channels=3):
    return torch.randint(
        256, (count, channels, size, size), dtype=torch.uint8, generator=generator(9)
    )


def numbered(count, size=8):
    """Return uniform images with their number as value and class: mixtures show their parts."""
    numbers = torch.arange(count)
    images = numbers.float()[:, None, None, None].expand(-1, 3, size, size).clone()
    return images, F.one_hot(numbers, count).float()


def augmented(images, labels=None, seed=0, **settings):
    labels = torch.arange(len(images)) % 10 if labels is None else labels
    return augment(images, labels, 10, TrainConfig(**settings), generator(seed))


# All together


def test_without_augmentation_images_are_only_normalized():
    labels = torch.tensor([3, 0, 9, 3, 1])
    images, targets = augmented(random_images(5), labels)
    assert torch.equal(images, normalize(random_images(5)))
    assert torch.equal(targets, torch.eye(10)[labels])


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_augmentation_keeps_shapes_and_its_input(kind, channels):
    images, labels = random_images(6, channels=channels), torch.arange(6)
    seen, targets = augmented(images, labels, **KINDS[kind])
    assert (seen.dtype, seen.shape, targets.dtype, targets.shape) == (
        torch.float32,
        images.shape,
        torch.float32,
        (6, 10),
    )
    assert torch.equal(images, random_images(6, channels=channels))
    assert torch.equal(labels, torch.arange(6))
    assert not torch.equal(seen, normalize(images))


@pytest.mark.parametrize("kind", KINDS)
def test_augmentation_depends_only_on_its_generator(kind):
    torch.manual_seed(1)
    first = augmented(random_images(50), seed=1, **KINDS[kind])
    torch.manual_seed(2)
    again = augmented(random_images(50), seed=1, **KINDS[kind])
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    assert not torch.equal(first[0], augmented(random_images(50), seed=2, **KINDS[kind])[0])


@pytest.mark.parametrize("function", [mixup, cutmix])
def test_mixing_does_not_change_its_input(function):
    images, targets = numbered(10)
    function(images, targets, generator())
    assert all(
        torch.equal(one, other) for one, other in zip((images, targets), numbered(10), strict=True)
    )


@pytest.mark.parametrize("function", [jitter, cutout])
def test_jitter_and_cutout_do_not_change_their_input(function):
    images = normalize(random_images(10))
    function(images, 1, generator())
    assert torch.equal(images, normalize(random_images(10)))


@pytest.mark.parametrize("kind", KINDS)
def test_targets_sum_to_one(kind):
    _, targets = augmented(random_images(64), **KINDS[kind])
    assert (targets >= 0).all()
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(64))
    mixed = (targets.max(dim=1).values < 1).float().mean().item()
    assert mixed > 0.7 if kind in ("mixup", "cutmix") else mixed == 0


def test_mixup_and_cutmix_happen_at_their_rates():
    labels = torch.arange(8)
    images = (labels * 32).byte()[:, None, None, None].expand(-1, 3, 8, 8)
    random, recipe = generator(), TrainConfig(mixup=0.2, cutmix=0.5)
    counts = {"plain": 0, "mixup": 0, "cutmix": 0}
    for _ in range(600):
        seen, targets = augment(images, labels, 8, recipe, random)
        uniform = (seen.amax(dim=(1, 2, 3)) == seen.amin(dim=(1, 2, 3))).all()
        if targets.max(dim=1).values.min() == 1:
            counts["plain"] += 1
        elif uniform:
            counts["mixup"] += 1
        else:
            counts["cutmix"] += 1
    assert [count / 600 for count in counts.values()] == pytest.approx([0.3, 0.2, 0.5], abs=0.06)


@pytest.mark.parametrize("before", [{"mixup": 1.0}, {"cutmix": 1.0}, {"jitter": 1.0}], ids=str)
def test_cutout_comes_after_all_other_augmentation(before):
    seen, _ = augmented(random_images(40, size=16), cutout=6, **before)
    blank = (seen == 0).all(dim=1).sum(dim=(1, 2))
    assert blank.min() >= 3 * 3
    assert blank.max() == 6 * 6


@pytest.mark.parametrize("strength", [0.1, 0.6])
def test_jitter_uses_the_strength_of_the_recipe(strength):
    seen, _ = augmented(torch.full((2000, 3, 4, 4), 255, dtype=torch.uint8), jitter=strength)
    assert_fills(seen - 1, -4 / 3 * strength, 4 / 3 * strength)


# Flip and translate


@pytest.mark.parametrize("function", [flip, translate])
def test_flip_and_translate_keep_type_shape_and_input(function):
    images = random_images(5)
    result = function(images, generator())
    assert (result.dtype, result.shape) == (torch.uint8, images.shape)
    assert torch.equal(images, random_images(5))


def test_flip_mirrors_half_of_the_images():
    images = random_images(1000)
    result = flip(images, generator())
    kept = (result == images).flatten(1).all(dim=1)
    mirrored = (result == images.flip(3)).flatten(1).all(dim=1)
    assert (kept ^ mirrored).all()
    assert 0.45 < mirrored.float().mean().item() < 0.55


def test_recipe_decides_between_flip_and_translate():
    images = random_images(50)
    flipped, _ = augmented(images, augmentation="flip")
    assert torch.equal(flipped, normalize(flip(images, generator())))
    both, _ = augmented(images, augmentation="flip_and_translate")
    random = generator()
    assert torch.equal(both, normalize(translate(flip(images, random), random)))


@pytest.mark.parametrize("channels", [1, 3])
def test_translate_crops_the_padded_image(channels):
    images = random_images(500, channels=channels)
    result = translate(images, generator())
    padded = torch.full((len(images), channels, 16, 16), 128, dtype=torch.uint8)
    padded[:, :, 4:12, 4:12] = images
    found = torch.zeros(len(images), dtype=torch.long)
    used = []
    for top, left in product(range(9), repeat=2):
        crop = padded[:, :, top : top + 8, left : left + 8]
        same = (result == crop).flatten(1).all(dim=1)
        found += same
        if same.any():
            used.append((top, left))
    assert (found == 1).all()  # each result is exactly one of the 81 crops
    assert len(used) > 70
    assert {top for top, _ in used} == {left for _, left in used} == set(range(9))


def test_border_of_a_translated_image_is_mid_gray():
    seen, _ = augmented(
        torch.full((50, 3, 8, 8), 255, dtype=torch.uint8), augmentation="flip_and_translate"
    )
    assert seen.unique().tolist() == pytest.approx([0, 1], abs=0.004)


# Color jitter


def slopes(x, y):
    """Fit a line to (x, y) (B, n) of each image. Return the slopes and the largest residual."""
    x, y = x - x.mean(dim=1, keepdim=True), y - y.mean(dim=1, keepdim=True)
    slope = (x * y).sum(dim=1) / (x * x).sum(dim=1)
    return slope, (y - slope[:, None] * x).abs().max()


def assert_fills(values, low, high):
    """Check that values lie between two limits and come close to both."""
    assert low <= values.min() < low + 0.05 * (high - low)
    assert high >= values.max() > high - 0.05 * (high - low)


@pytest.mark.parametrize("strength", [0.1, 0.6])
def test_jitter_changes_brightness_and_tint_within_its_strength(strength):
    plain = torch.full((2000, 3, 4, 4), 0.25)
    off = jitter(plain, strength, generator()) - plain
    torch.testing.assert_close(off, off[:, :, :1, :1].expand_as(off), rtol=0, atol=1e-6)
    red, green, blue = off[:, :, 0, 0].T
    for one, other in ((red, green), (green, blue), (red, blue)):
        assert_fills(one - other, -2 / 3 * strength, 2 / 3 * strength)
    assert_fills(off, -4 / 3 * strength, 4 / 3 * strength)
    # Red and green share the change of brightness; its variance, uniform over ±strength, is:
    shared = torch.cov(torch.stack([red, green]))[0, 1]
    assert shared.item() == pytest.approx(strength**2 / 3, rel=0.1)


@pytest.mark.parametrize("strength", [0.1, 0.6])
def test_jitter_changes_contrast_within_its_strength(strength):
    gray = torch.randn(1000, 1, 4, 4, generator=generator(1)).expand(-1, 3, -1, -1)
    result = jitter(gray, strength, generator())
    contrasts = []
    for channel in range(3):
        contrast, rest = slopes(gray[:, 0].flatten(1), result[:, channel].flatten(1))
        assert rest < 1e-5
        contrasts.append(contrast)
    assert_fills(contrasts[0], 1 - strength, 1 + strength)
    torch.testing.assert_close(contrasts[0], contrasts[1], rtol=0, atol=1e-4)
    torch.testing.assert_close(contrasts[0], contrasts[2], rtol=0, atol=1e-4)
    off = result.mean(dim=(1, 2, 3)) - gray.mean(dim=(1, 2, 3))
    assert off.abs().max() <= 4 / 3 * strength


@pytest.mark.parametrize("strength", [0.1, 0.6])
def test_jitter_changes_saturation_within_its_strength(strength):
    images = torch.randn(1000, 3, 4, 4, generator=generator(1))
    result = jitter(images, strength, generator())
    light, lit = ((x * LUMA).sum(dim=1) for x in (images, result))
    contrast, rest = slopes(light.flatten(1), lit.flatten(1))
    assert rest < 1e-5
    for channel in range(3):
        before, after = (
            (x[:, channel] - y).flatten(1) for x, y in ((images, light), (result, lit))
        )
        color, rest = slopes(before, after)
        assert rest < 1e-5
        assert_fills(color / contrast, 1 - strength, 1 + strength)


# Mixup and CutMix


def test_mixup_blends_images_and_targets_alike():
    images, targets = numbered(500, size=2)
    blended, mixed = mixup(images, targets, generator())
    expected = mixed @ torch.arange(500.0)
    torch.testing.assert_close(
        blended, expected[:, None, None, None].expand_as(blended), rtol=1e-5, atol=1e-3
    )
    own = mixed.diagonal()
    assert_fills(own, 0.5, 1)
    assert own.mean().item() == pytest.approx(0.75, abs=0.02)
    others = mixed - own.diag()
    assert ((others > 0).sum(dim=1) <= 1).all()
    assert ((others > 0).sum(dim=0) <= 1).all()


def sides_of(mask):
    """Return height and width of each image's rectangle; fail for other shapes. mask: (B, H, W)."""
    rows, columns = mask.any(dim=2), mask.any(dim=1)
    assert torch.equal(mask, rows[:, :, None] & columns[:, None, :])
    for line in (rows, columns):
        edges = line.int().diff(
            dim=1, prepend=torch.zeros(len(line), 1), append=torch.zeros(len(line), 1)
        )
        assert ((edges == 1).sum(dim=1) <= 1).all()
    return rows.sum(dim=1), columns.sum(dim=1)


def inside(mask):
    """Return whether each image's rectangle touches no edge."""
    return mask.any(dim=(1, 2)) & ~(
        mask[:, [0, -1]].any(dim=(1, 2)) | mask[:, :, [0, -1]].any(dim=(1, 2))
    )


def test_cutmix_pastes_a_square_and_mixes_targets_by_area():
    images, targets = numbered(500, size=16)
    pasted, mixed = cutmix(images, targets, generator())
    assert torch.equal(pasted[:, 0], pasted[:, 1])
    assert torch.equal(pasted[:, 0], pasted[:, 2])
    others = set()
    for number, (image, target) in enumerate(zip(pasted[:, 0], mixed, strict=True)):
        for value in image.unique().int().tolist():
            area = (image == value).float().mean().item()
            assert target[value].item() == pytest.approx(area, abs=1e-6)
        others |= set(target.nonzero().flatten().tolist()) - {number}
    torch.testing.assert_close(mixed.sum(dim=1), torch.ones(500))
    assert ((mixed > 0).sum(dim=1) <= 2).all()
    assert len(others) > 400

    mask = pasted[:, 0] != images[:, 0]
    height, width = sides_of(mask)
    whole = inside(mask)
    assert whole.sum() > 50
    assert (height - width)[whole].abs().max() <= 1
    assert max(height.max(), width.max()) == 16
    assert mask.float().mean(dim=0).min() > 0.05
    assert len({(int(a), int(b)) for a, b in zip(height, width, strict=True)}) > 50


def test_cutmix_areas_are_uniform():
    images, targets = numbered(2000, size=16)
    pasted, _ = cutmix(images, targets, generator())
    height, width = sides_of(pasted[:, 0] != images[:, 0])
    side = torch.maximum(height, width) / 16  # in most images, as before it was cut off
    assert side.square().quantile(0.5).item() == pytest.approx(0.45, abs=0.1)


# Cutout


@pytest.mark.parametrize("side", [1, 4, 7])
def test_cutout_blanks_one_square_of_the_given_side(side):
    images = torch.rand(2000, 3, 12, 12, generator=generator(1)) + 1
    result = cutout(images, side, generator())
    blank = (result == 0).all(dim=1)
    assert torch.equal(result, torch.where(blank[:, None], torch.zeros(()), images))
    height, width = sides_of(blank)
    whole = inside(blank)
    assert whole.any()
    assert (height[whole] == side).all()
    assert (width[whole] == side).all()
    assert (height >= side // 2).all()
    assert height.max() == width.max() == side


def test_cutout_is_uniform_over_positions():
    blank = cutout(torch.ones(4000, 1, 8, 8), 1, generator())[:, 0] == 0
    frequency = blank.float().mean(dim=0) * 64
    for row, column in product(range(8), repeat=2):
        assert frequency[row, column].item() == pytest.approx(1, abs=0.5)


def test_cutout_of_twice_the_image_size_blanks_the_image():
    assert cutout(torch.ones(100, 3, 8, 8), 16, generator()).count_nonzero() == 0
