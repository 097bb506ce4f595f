"""Scene points found in a photo by DUSt3R's pointmaps, as published (arXiv:2312.14132, section 4.1;
docs/localisation.md, "DUSt3R").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch

from align.localise.photo_grids import StandardPhoto, at_standard_size
from align.localise.scene_points import Correspondences, MapPhoto, carried, marks_on_grid
from masks.fill import Fill, mean
from pairs.backends.dust3r.fine_matches import full_photo
from pairs.backends.dust3r.images import normalised
from pairs.backends.dust3r.pair_entry import pair_prediction
from pairs.matching.crops import FullPhoto
from pairs.matching.from_pointmaps import mutual_nearest
from pairs.networks.dust3r.network import Encoded, PairNetwork
from pairs.prediction.predictions import PairPrediction
from pairs.views.view import View

LEAST_CONF = 3.0
"""Confidence that a pixel's point needs to take part, as published."""


def match_by_pointmaps(
    network: PairNetwork,
    query: View,
    maps: Iterable[MapPhoto],
    least_conf: float = LEAST_CONF,
    fill: Fill = mean,
) -> Iterator[Correspondences]:
    """Yield for each map photo the pixels of the query whose predicted points and those of known map pixels
    are each other's nearest, in one run with the query first.

    Confidence: the smaller one of both pixels.
    """
    here, encoded = standard_input(network, full_photo(query, fill))
    for each in maps:
        there, encoded_map = standard_input(network, full_photo(each.view, fill))
        with torch.inference_mode():
            run = pair_prediction(network.decode(encoded, encoded_map))
        yield _known_matches(run, here, there, each, least_conf)


def standard_input(network: PairNetwork, photo: FullPhoto) -> tuple[StandardPhoto, Encoded]:
    """Return a photo at the network's standard size, and encoded."""
    standard = at_standard_size(photo, max(network.config.image_size))
    with torch.inference_mode():
        return standard, network.encode(normalised(standard.image).to(network.device))


def _known_matches(
    run: PairPrediction, here: StandardPhoto, there: StandardPhoto, known: MapPhoto, least_conf: float
) -> Correspondences:
    marks = marks_on_grid(known.seen, there.resize.half_pixel_target_from_photo, there.resize.size)
    ij = np.argwhere((run.a_conf >= least_conf) & here.inside & np.isfinite(run.a_in_a).all(-1))
    ij_map = np.argwhere(
        (run.b_conf >= least_conf) & there.inside & (marks > 0) & np.isfinite(run.b_in_a).all(-1)
    )
    if len(ij) == 0 or len(ij_map) == 0:
        return Correspondences(np.zeros((0, 3)), np.zeros((0, 2)), np.zeros(0))
    (row, column), (row_map, column_map) = ij.T, ij_map.T
    nearest, mutual = mutual_nearest(run.b_in_a[row_map, column_map], run.a_in_a[row, column])
    at, at_map = ij[nearest[mutual]], ij_map[mutual]
    conf = np.minimum(run.a_conf[at[:, 0], at[:, 1]], run.b_conf[at_map[:, 0], at_map[:, 1]])
    number = marks[at_map[:, 0], at_map[:, 1]] - 1
    xy = carried(here.resize.half_pixel_photo_from_target, at[:, ::-1])
    return Correspondences(known.seen.points[number].astype(np.float64), xy, conf)
