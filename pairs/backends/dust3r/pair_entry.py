"""What a pair network says of two views, with their matches
(docs/pair_networks.md, "Both orders of a pair")."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from masks.fill import Fill, mean
from pairs.backends.dust3r.images import NetworkGrid, network_input
from pairs.matching.correspondences import Run, as_matches, symmetric_matches
from pairs.matching.descriptor_map import DescriptorMap
from pairs.matching.from_pointmaps import with_matches
from pairs.networks.dust3r.config import NetworkConfig
from pairs.networks.dust3r.heads import HeadOutput
from pairs.networks.dust3r.network import PairNetwork
from pairs.prediction.predictions import Matches, PairEntry, PairPrediction
from pairs.views.view import View, grid_mask

Decoded = tuple[HeadOutput, HeadOutput]
"""What the two heads say of one pair, in the order of decoding."""


def grid_of(config: NetworkConfig) -> NetworkGrid:
    """Return the images that a network was trained on."""
    return NetworkGrid(size=max(config.image_size), patch=config.patch_size)


def predict_entry(network: PairNetwork, a: View, b: View, subsample: int = 8, fill: Fill = mean) -> PairEntry:
    """Return both runs of a pair of views on the network's grid, and its matches inside the masks.

    What stands behind the object is filled, so that no descriptor depends on it. Each image is encoded once.
    """
    with torch.no_grad():
        encoded = [network.encode(network_input(view, fill).to(network.device)) for view in (a, b)]
        ab, ba = network.decode(encoded[0], encoded[1]), network.decode(encoded[1], encoded[0])
    entry = PairEntry(
        pair_prediction(ab), pair_prediction(ba), _descriptor_matches((ab, ba), (a, b), subsample)
    )
    return with_matches(entry, a, b)


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
    maps = [_descriptor_map(output, mask, row) for output, mask in in_order]
    if any(each is None for each in maps):
        return None
    a_first, b_second, a_second, b_first = (each for each in maps if each is not None)
    return (a_first, b_second), (a_second, b_first)


def _descriptor_matches(
    decoded: tuple[Decoded, Decoded], views: tuple[View, View], subsample: int
) -> Matches | None:
    runs = descriptor_runs(*decoded, [grid_mask(view) for view in views])
    return None if runs is None else as_matches(symmetric_matches(runs, subsample))


def _descriptor_map(output: HeadOutput, inside: np.ndarray, row: int) -> DescriptorMap | None:
    if output.desc is None or output.desc_conf is None:
        return None
    return DescriptorMap(
        output.desc[row], output.desc_conf[row], torch.from_numpy(inside).to(output.desc.device)
    )


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()
