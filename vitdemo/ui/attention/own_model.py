"""Open a model of one's own: a checkpoint of this project, or a plain ViT of timm."""

from pathlib import Path

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from ...config import ConfigError, ModelConfig
from ...config.settings import settings_of
from ...machine import release_memory
from ...runs.from_timm import HEAD_DIM, config_of, sizes_of
from ...runs.own_models import (
    MAX_BYTES,
    MAX_PARAMETERS,
    is_checkpoint,
    keep_upload,
    open_checkpoint,
    open_timm,
    shapes_in,
)
from ...runs.pretrained import imagenet_classes
from ...runs.run import Run
from ..offered_runs import OWN
from ..wording import plain

UPLOAD, PROBLEM, COUNT = "own_upload", "own_problem", "own_uploads"  # in the session
USUAL_SIZE = 224  # pixels, of ViTs for ImageNet
NORMALIZATIONS = {  # name -> mean and standard deviation of each channel
    "mean 0.5, standard deviation 0.5 (most ViTs)": ((0.5,) * 3, (0.5,) * 3),
    "ImageNet's (DeiT, torchvision, DINO)": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "CLIP's": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
}


def open_own_model() -> None:
    """Draw a button that opens the uploader and, for a model of timm, the fields to fill in."""
    opened = len(st.session_state.get(OWN, ()))
    key = f"own-model-{opened}"  # a new one, which is closed, after each model that is opened
    with st.popover("Your own model", icon=":material/upload_file:", key=key):
        st.markdown(
            "Open a **.safetensors** file: a checkpoint of this app (*Download* on the Train "
            "page), or the weights of a plain ViT of timm or transformers."
        )
        count = st.session_state.setdefault(COUNT, 0)
        file = st.file_uploader(
            "Model file",
            type="safetensors",
            key=f"own-file-{count}",  # a new one after each file, which is then out of memory
            max_upload_size=MAX_BYTES // 2**20,
            help=f"At most {MAX_PARAMETERS // 10**6} million parameters, as a ViT-B has. The file "
            "is kept until the app restarts, or until later ones need its place. Only who has the "
            "URL can see the model.",
        )
        if file is not None:
            _take(file)
        upload = st.session_state.get(UPLOAD)
        if upload and Path(upload[0]).is_file():
            _fill_in(*upload)
        if problem := st.session_state.get(PROBLEM):
            st.error(plain(problem), icon=":material/broken_image:")


def _take(file) -> None:
    """Move an upload from Streamlit's memory to disk, and open it if it is a checkpoint."""
    state = st.session_state
    state[COUNT] += 1
    state.pop(PROBLEM, None)
    state.pop(UPLOAD, None)
    try:
        path = keep_upload(file.getvalue())
        if is_checkpoint(path):
            _choose(open_checkpoint(path, Path(file.name).stem))
        else:
            sizes_of(shapes_in(path))  # refuses what is no plain ViT
            state[UPLOAD] = (str(path), Path(file.name).stem)
    except ConfigError as error:
        state[PROBLEM] = str(error)
    context = get_script_run_ctx()
    context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)
    st.rerun()


def _fill_in(path: str, name: str) -> None:
    """Draw the fields that a file of timm leaves open, and a button that opens the model."""
    try:
        shapes = shapes_in(Path(path))
        sizes, size = _sizes(*sizes_of(shapes))
        config = config_of(shapes, num_heads=1, image_size=size)
    except ConfigError as error:
        st.error(plain(str(error)), icon=":material/broken_image:")
        return
    with st.form("own-fields", border=False):
        st.markdown(
            f"**{plain(name)}**: {config.depth} blocks, {config.embed_dim} numbers per token, "
            f"patches of {config.patch_size} × {config.patch_size} pixels, "
            f"{config.num_classes:,} classes."
        )
        heads = config.head_choices()
        usual = config.embed_dim // HEAD_DIM
        num_heads = st.selectbox(
            "Heads",
            heads,
            index=heads.index(usual) if usual in heads else 0,
            help="The weights do not tell the number of heads. ViT-Ti has 3, ViT-S 6, ViT-B 12.",
        )
        image_size = st.selectbox(
            "Image size",
            sizes,
            index=sizes.index(size),
            format_func=lambda pixels: f"{pixels} × {pixels} pixels",
            help="Position embeddings are resized to another size than that of the training.",
        )
        normalization = st.selectbox(
            "Normalization of the pixels",
            NORMALIZATIONS,
            help="Mean and standard deviation that the model was trained with (in timm, "
            "pretrained_cfg). They are folded into its first layer.",
        )
        classes = st.text_area(
            "Class names, one per line",
            placeholder="Leave empty for "
            + ("ImageNet's names" if config.num_classes == 1000 else "class 0, class 1, …"),
        )
        if not st.form_submit_button("Open model", type="primary"):
            return
    mean, std = NORMALIZATIONS[normalization]
    names = [line for line in classes.splitlines() if line.strip()]
    if not names and config.num_classes == 1000:
        names = imagenet_classes()
    _open(path, name, names, num_heads, image_size, mean, std)


def _sizes(patch_size: int, stored: int) -> tuple[list[int], int]:
    """Return the image sizes that fit a patch size, and the first choice: the model's own."""
    low, high = settings_of(ModelConfig)["image_size"].limits
    sizes = [size for size in range(patch_size, high + 1, patch_size) if size >= low]
    if not sizes:
        raise ConfigError(f"Patches of {patch_size} pixels are larger than images may be here.")
    near = [size for size in (stored, USUAL_SIZE) if size in sizes]
    return sizes, near[0] if near else sizes[-1]


def _open(path: str, name: str, classes: list[str], num_heads, image_size, mean, std) -> None:
    state = st.session_state
    state.pop(PROBLEM, None)
    settings = {"num_heads": num_heads, "image_size": image_size, "mean": mean, "std": std}
    try:
        with st.spinner("Opening the model …"):
            _choose(open_timm(Path(path), name, classes, **settings))
        state.pop(UPLOAD)
    except ConfigError as error:
        state[PROBLEM] = str(error)
    st.rerun()


def _choose(run: Run) -> None:
    """Show an own model, now and in the pickers of this session."""
    release_memory()
    st.session_state[OWN] = (*st.session_state.get(OWN, ()), run.id)
    st.session_state["run"] = run.id
