"""What is changed in the model and in the picture: ablated heads, blocked attention, occlusion."""

from dataclasses import dataclass

import streamlit as st
import torch

from ...config import ModelConfig
from ...explain.ablation import ablate_heads, block_attention, compose
from ...explain.occlusion import occlude
from ...model import Edit
from .view import View


@dataclass(frozen=True)
class Interventions:
    """Changes of the model and of the picture."""

    heads: tuple[tuple[int, int], ...]  # ablated: (layer, head), from 0
    edges: tuple[tuple[int, int], ...]  # blocked: (query token, key token)
    layers: tuple[int, ...]  # in which edges are blocked
    patches: tuple[int, ...]  # occluded

    @property
    def in_model(self) -> bool:
        """Whether the model itself is changed."""
        return bool(self.heads or self.edges)

    @property
    def edit(self) -> Edit:
        """The change of the attention, for `model.trace`."""
        return compose(ablate_heads(self.heads), block_attention(self.edges, self.layers))

    def occluded(self, image: torch.Tensor, model: ModelConfig) -> torch.Tensor:
        """(C, H, W) uint8 -> (1, C, H, W), from 0 to 255, with the patches occluded."""
        mask = torch.zeros(1, model.num_patches, dtype=torch.bool)
        mask[0, list(self.patches)] = True
        grid = mask.reshape(1, model.grid_size, model.grid_size)
        return occlude(image[None].float(), grid, model.patch_size)


def chosen_interventions(model: ModelConfig, view: View) -> Interventions:
    """Return what the session holds."""
    state = st.session_state
    queries = range(model.num_tokens) if view.token is None else [view.token]
    first_patch = 1 if model.has_cls else 0
    edges = [(query, first_patch + patch) for query in queries for patch in state["blocked"]]
    layers = range(model.depth) if state["blocked_in"] == "all" else [view.layer]
    if not edges:
        layers = ()  # they make no difference
    heads = [_head_of(name) for name in state["ablated"]]
    return Interventions(tuple(heads), tuple(edges), tuple(layers), tuple(state["occluded"]))


def _head_of(name: str) -> tuple[int, int]:
    """`3.2` -> layer 2, head 1, from 0."""
    layer, head = name.split(".")
    return int(layer) - 1, int(head) - 1
