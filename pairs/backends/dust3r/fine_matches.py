"""Matches of two photos at their full resolution by a network with descriptors
(docs/pair_networks.md, "Coarse-to-fine matching").
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import torch

from masks.errors import UserError
from masks.fill import Fill, mean
from pairs.backends.dust3r.images import normalised
from pairs.backends.dust3r.pair_entry import SUBSAMPLE, descriptor_runs, usual_batch
from pairs.backends.jobs import within_memory
from pairs.matching.coarse_to_fine import CropPair, FineOptions, coarse_to_fine, in_photos
from pairs.matching.correspondences import as_matches, symmetric_matches
from pairs.matching.crops import Crop, FullPhoto
from pairs.matching.windows import WindowOptions
from pairs.networks.dust3r.network import Encoded, PairNetwork
from pairs.prediction.predictions import Matches
from pairs.views.photos import filled_photo
from pairs.views.view import View


def fine_matches(network: PairNetwork, a: View, b: View, coarse: Matches, fill: Fill = mean) -> Matches:
    """Return matches in pixels of the upright photos, inside both masks, from coarse ones on the views'
    grids.

    Crops have the network's own resolution; what stands behind the object is filled before they are cut. Too
    few coarse matches: none. Raises `UserError` for a network without descriptors, `ImageError` for a photo
    that is smaller than a crop.
    """
    if network.config.outputs.desc_dim == 0:
        raise UserError(
            f"fine matches need descriptors, and {network.config.kind} has none. Choose a MASt3R "
            "checkpoint, or do without."
        )
    photos = (full_photo(a, fill), full_photo(b, fill))
    options = FineOptions(
        windows=WindowOptions(longest=max(network.config.image_size)),
        batch=usual_batch(network.device),
    )
    return coarse_to_fine(
        *photos,
        in_photos(coarse, a.grid_from_photo, b.grid_from_photo),
        functools.partial(match_crops, network),
        options,
    )


def full_photo(view: View, fill: Fill = mean) -> FullPhoto:
    """Return the upright photo of a view as crops are cut from it: its background filled, its mask at full
    resolution.
    """
    image = filled_photo(view, fill)
    return FullPhoto(
        view.name, image, np.ones(image.shape[:2], bool) if view.mask is None else view.mask.pixels
    )


def match_crops(network: PairNetwork, pairs: Sequence[CropPair]) -> list[Matches]:
    """Return the matches of every pair of crops, in their pixels and inside their masks, from both orders of
    decoding.

    All first crops have one size, and so have all second ones. A batch that the memory does not suffice for
    is halved. Raises `UserError` when it does not suffice for one pair.
    """
    found = within_memory(lambda: _matched(network, pairs))
    if found is not None:
        return found
    if len(pairs) == 1:
        raise UserError(
            f"{pairs[0][0].tag} and {pairs[0][1].tag}: the memory does not suffice for one pair of crops. "
            "Match without the fine stage."
        )
    half = len(pairs) // 2
    return [*match_crops(network, pairs[:half]), *match_crops(network, pairs[half:])]


def _matched(network: PairNetwork, pairs: Sequence[CropPair]) -> list[Matches]:
    with torch.inference_mode():
        # Encoded anew: what the store remembers is of whole photos.
        a, b = (_encoded(network, crops) for crops in zip(*pairs))
        ab, ba = network.decode(a, b), network.decode(b, a)
        runs = [
            descriptor_runs(ab, ba, [crop.inside for crop in pair], row) for row, pair in enumerate(pairs)
        ]
        return [as_matches(symmetric_matches(run, SUBSAMPLE)) for run in runs if run is not None]


def _encoded(network: PairNetwork, crops: Sequence[Crop]) -> Encoded:
    return network.encode(torch.cat([normalised(crop.image) for crop in crops]).to(network.device))
