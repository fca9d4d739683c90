"""Small models of timm with weights large enough that every part of them counts."""

import torch
from timm.models.vision_transformer import VisionTransformer as Timm

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
SMALL = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 3}
SMALL |= {"num_classes": 7}


@torch.no_grad()
def with_large_weights(model, seed, alpha):
    """Change all weights, norms and biases included, by random numbers."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=alpha)
    return model.eval()


def timm_model(seed=0, **changes):
    """Return timm's model of SMALL, with changed arguments."""
    return with_large_weights(Timm(**(SMALL | changes)), seed, 0.2)


def normalized(images, mean, std):
    """Return uint8 images (B, C, H, W) as floats with a model's own normalization."""
    mean, std = torch.tensor(mean)[:, None, None], torch.tensor(std)[:, None, None]
    return (images / 255 - mean) / std
