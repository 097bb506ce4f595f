"""What a pair network says of two views, as store and matching take it (docs/pair_networks.md, "Both orders
of a pair").
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from pairs.backends.dust3r.images import NetworkGrid
from pairs.matching.correspondences import Run
from pairs.matching.descriptor_map import DescriptorMap
from pairs.networks.dust3r.config import NetworkConfig
from pairs.networks.dust3r.heads import HeadOutput
from pairs.prediction.predictions import PairPrediction

Decoded = tuple[HeadOutput, HeadOutput]
"""What the two heads say of one pair, in the order of decoding."""


# One seed for each anchor of the aligner: denser matches would share their anchors.
SUBSAMPLE = 8
"""Pixels between the seeds from which matches are searched, in both directions."""
_BATCH_CPU, _BATCH_ACCELERATOR = 1, 8


def usual_batch(device: torch.device) -> int:
    """Return how many pairs are decoded at once, unless somebody chooses.

    On a CPU one pair in both orders fills the processor: four at a time were no faster
    (`benchmarks/network.py`).
    """
    return _BATCH_CPU if device.type == "cpu" else _BATCH_ACCELERATOR


def grid_of(config: NetworkConfig) -> NetworkGrid:
    """Return the images that a network was trained on."""
    return NetworkGrid(size=max(config.image_size), patch=config.patch_size)


def pair_prediction(decoded: Decoded, row: int = 0) -> PairPrediction:
    """Return one pair of a decoded batch as the store has it."""
    first, second = decoded
    return PairPrediction(
        a_in_a=_array(first.points[row]),
        b_in_a=_array(second.points[row]),
        a_conf=_array(first.conf[row]),
        b_conf=_array(second.conf[row]),
    )


def descriptor_runs(
    ab: Decoded, ba: Decoded, inside: Sequence[np.ndarray], row: int = 0
) -> tuple[Run, Run] | None:
    """Return the descriptor maps (of a, of b) of both orders of decoding, to be searched inside the masks (H,
    W); none without descriptors.
    """
    in_order = ((ab[0], inside[0]), (ab[1], inside[1]), (ba[1], inside[0]), (ba[0], inside[1]))
    maps = [descriptor_map(output, mask, row) for output, mask in in_order]
    if any(each is None for each in maps):
        return None
    a_first, b_second, a_second, b_first = (each for each in maps if each is not None)
    return (a_first, b_second), (a_second, b_first)


def descriptor_map(output: HeadOutput, inside: np.ndarray, row: int = 0) -> DescriptorMap | None:
    """Return one side of a decoded pair, to be searched inside a mask (H, W); none without descriptors."""
    if output.desc is None or output.desc_conf is None:
        return None
    return DescriptorMap(
        output.desc[row], output.desc_conf[row], torch.from_numpy(inside).to(output.desc.device)
    )


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()
