"""All attention and attribution maps of one picture in one file, to be analyzed elsewhere."""

import io
import zipfile

import numpy as np
import torch
from torch import Tensor

from ..files import json_text
from ..model import VisionTransformer
from .relevance import relevance
from .rollout import rollout

ARRAYS = {  # each array of the file: its shape and meaning
    "picture": "(H, W, 3) uint8: the picture as the model sees it",
    "probabilities": "(K,): probability of each class",
    "attention": "(depth, num_heads, T, T): row = query token, column = key token; rows sum to 1",
    "rollout": "(T, T): attention rollout, mean of heads (Abnar and Zuidema 2020)",
    "relevance": "(T, T): gradient-weighted relevance for the class (Chefer, Gur and Wolf 2021)",
    "occlusion": "(n, n): drop of the class's probability when a patch is occluded "
    "(Zeiler and Fergus 2014)",
}


def maps_file(
    model: VisionTransformer,
    picture: np.ndarray,
    image: Tensor,
    class_: int,
    occlusion: np.ndarray | None,
    about: dict,
) -> bytes:
    """Return an .npz file with ARRAYS, and `about.json` in it, which explains them.

    Args:
        model: model in evaluation mode.
        picture: image to show, (H, W, 3) uint8.
        image: the same image, (C, H, W), normalized.
        class_: the class that relevance and occlusion are about.
        occlusion: the occlusion map (n, n); None leaves it out, as it takes a large model minutes.
        about: anything JSON can hold; goes into about.json.
    """
    with torch.no_grad():
        logits, trace = model.trace(image[None])
    arrays = {
        "picture": picture,
        "probabilities": logits.softmax(dim=1)[0].numpy(force=True),
        "attention": torch.cat(trace.attention).numpy(force=True),
        "rollout": rollout(trace.attention)[0].numpy(force=True),
        "relevance": relevance(model, image[None], torch.tensor([class_]))[0].numpy(force=True),
    }
    if occlusion is not None:
        arrays["occlusion"] = occlusion
    tokens = "CLS, then the patches" if model.config.has_cls else "the patches"
    about = about | {
        "class": class_,
        "tokens": f"{tokens}, row by row from the top left",
        "arrays": {name: ARRAYS[name] for name in arrays},
    }
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("about.json", json_text(about, indent=1))
    return file.getvalue()
