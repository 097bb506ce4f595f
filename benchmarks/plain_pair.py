"""A pair of views through a pair network with nothing around it: no store, no batch, no order shared with
another. The plain twin that the backend is compared with, in time and in numbers.
"""

from __future__ import annotations

import torch

from masks.fill import Fill, mean
from pairs.backends.dust3r.images import network_input
from pairs.backends.dust3r.pair_entry import descriptor_runs, pair_prediction
from pairs.matching.correspondences import as_matches, symmetric_matches
from pairs.matching.from_pointmaps import with_matches
from pairs.networks.dust3r.network import PairNetwork
from pairs.prediction.predictions import PairEntry
from pairs.views.view import View, grid_mask


def predict_entry(network: PairNetwork, a: View, b: View, subsample: int = 8, fill: Fill = mean) -> PairEntry:
    """Return both runs of a pair of views on the network's grid, and its matches inside the masks.

    What stands behind the object is filled, so that no descriptor depends on it. Each image is encoded once.
    """
    with torch.no_grad():
        encoded = [network.encode(network_input(view, fill).to(network.device)) for view in (a, b)]
        ab, ba = network.decode(encoded[0], encoded[1]), network.decode(encoded[1], encoded[0])
    runs = descriptor_runs(ab, ba, [grid_mask(view) for view in (a, b)])
    matches = None if runs is None else as_matches(symmetric_matches(runs, subsample))
    return with_matches(PairEntry(pair_prediction(ab), pair_prediction(ba), matches), a, b)
