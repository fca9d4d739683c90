"""Every map of one picture in one file, to go on with elsewhere."""

import io
import json
import zipfile

import numpy as np
import torch
from torch import Tensor

from ..model import VisionTransformer
from .relevance import relevance
from .rollout import rollout

WHAT = {  # each array of the file: its shape and meaning
    "picture": "(H, W, 3) uint8: what the model was shown",
    "probabilities": "(K,): of each class",
    "attention": "(depth, num_heads, T, T): row = asking token, column = attended token; rows sum to 1",
    "rollout": "(T, T): attention rollout, heads averaged (Abnar and Zuidema 2020)",
    "relevance": "(T, T): gradient-weighted relevance for the class (Chefer, Gur and Wolf 2021)",
    "occlusion": "(n, n): fall of the class's probability when a patch is covered (Zeiler and Fergus 2014)",
}


def maps_file(
    model: VisionTransformer,
    picture: np.ndarray,
    image: Tensor,
    class_: int,
    occluded: np.ndarray | None,
    about: dict,
) -> bytes:
    """A .npz file of the arrays of WHAT, with `about.json` in it: what they are, of which model and picture.

    Args:
        model: in evaluation.
        picture: (H, W, 3) uint8.
        image: the same as the model takes it, (C, H, W), normalized.
        class_: that relevance and occlusion are for.
        occluded: the map of occlusion (n, n), left out for None: of a large model it takes minutes.
        about: anything JSON can hold, put beside the meaning of the arrays.
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
    if occluded is not None:
        arrays["occlusion"] = occluded
    tokens = "CLS, then the patches" if model.config.has_cls else "the patches"
    about = about | {
        "class": class_,
        "tokens": f"{tokens} row by row from the top left",
        "arrays": {name: WHAT[name] for name in arrays},
    }
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("about.json", json.dumps(about, indent=1))
    return file.getvalue()
