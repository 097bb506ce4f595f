"""Weights of VGGT that anybody can draw again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from golden_case import Case
from torch import Tensor, nn

_TOKENS = {
    "camera_token",
    "register_token",
    "register_tokens",
    "cls_token",
    "pos_embed",
    "mask_token",
    "empty_pose_tokens",
    "query_ref_token",
    "virual_tracks",
}


def drawn_weights(shapes: Mapping[str, Sequence[int]], seed: int) -> Iterator[tuple[str, Tensor]]:
    """Yield a tensor for every name of a state dict, in the procedure's order."""
    generator = np.random.Generator(np.random.PCG64(seed))
    for name in sorted(shapes):
        yield name, torch.from_numpy(_draw(generator, name, tuple(shapes[name])).astype(np.float32))


def _draw(generator: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    n = generator.standard_normal(math.prod(shape)).reshape(shape)
    last = name.rpartition(".")[2]
    if name.endswith("pose_branch.fc2.bias"):
        return 0.02 * n + np.where(np.arange(len(n)) >= 6, 0.25, 0.0)
    if last == "gamma":
        return 0.3 + 0.05 * n
    if last in _TOKENS:
        return 0.2 * n
    if name.endswith("flow_head.weight"):
        return 0.1 * n / math.sqrt(math.prod(shape[1:]))
    if len(shape) == 1:
        return 1 + 0.1 * n if last == "weight" else 0.05 * n
    return n / math.sqrt(math.prod(shape[1:]))


def with_drawn_weights(
    module: nn.Module, case: Case, shapes: Mapping[str, Sequence[int]] | None = None
) -> nn.Module:
    """Return a module with the weights of a case; its names and shapes must be those that the case lists."""
    weights = case.description["weights"]
    shapes = weights["keys"] if shapes is None else shapes
    own = {name: list(tensor.shape) for name, tensor in module.state_dict().items()}
    assert own == {name: list(shape) for name, shape in shapes.items()}, sorted(set(own) ^ set(shapes))
    state = dict(drawn_weights(shapes, weights["seed"]))
    for name, (first, total, absolute) in weights["check"].items():
        drawn = state[name].double()
        found = torch.stack([drawn.flatten()[0], drawn.sum(), drawn.abs().sum()])
        torch.testing.assert_close(
            found, torch.tensor([first, total, absolute], dtype=torch.float64), rtol=1e-12, atol=1e-9
        )
    module.load_state_dict(state, assign=True)
    return module.eval().requires_grad_(False)
