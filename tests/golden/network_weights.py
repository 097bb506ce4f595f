"""Weights that anybody can draw again: the procedure `pcg64_v1`."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

_TRANSPOSED = ("act_postprocess.0.1.weight", "act_postprocess.1.1.weight")


def drawn_weights(shapes: Mapping[str, Sequence[int]], seed: int) -> Iterator[tuple[str, Tensor]]:
    """Yield a tensor for every name of a state dict, shared ones once, in the procedure's order."""
    generator = np.random.Generator(np.random.PCG64(seed))
    once = {drawn_name(name): tuple(shape) for name, shape in shapes.items()}
    for name, shape in sorted(once.items()):
        yield name, torch.from_numpy(_draw(generator, name, shape))


def drawn_state(shapes: Mapping[str, Sequence[int]], seed: int) -> tuple[dict[str, Tensor], str]:
    """Return a whole state dict, shared tensors under each of their names in `shapes`, and the digest of all
    drawn bytes.
    """
    drawn, digest = {}, hashlib.sha256()
    for name, tensor in drawn_weights(shapes, seed):
        digest.update(tensor.numpy())
        drawn[name] = tensor
    return {name: drawn[drawn_name(name)] for name in shapes}, digest.hexdigest()


def drawn_name(name: str) -> str:
    """Return the name under which a tensor is drawn: of a pair of aliases, the one with the dot."""
    return re.sub(r"scratch\.layer(\d)_rn\.", lambda found: f"scratch.layer_rn.{int(found[1]) - 1}.", name)


def _draw(generator: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    z = generator.standard_normal(shape)
    if len(shape) == 1:
        return (1 + 0.1 * z if name.endswith("weight") else 0.05 * z).astype(np.float32)
    fan = shape[0] if name.endswith(_TRANSPOSED) else math.prod(shape[1:])
    gain = 0.2 if name.endswith("dpt.head.4.weight") else 1.0
    return (z * gain / math.sqrt(fan)).astype(np.float32)
