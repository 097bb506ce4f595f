"""Matches of two photos at their full resolution by a network with descriptors
(docs/pair_networks.md, "Coarse-to-fine matching").
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from masks.errors import UserError
from masks.fill import Fill, mean
from masks.pixelmap import present
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

T = TypeVar("T")


def fine_matches(network: PairNetwork, a: View, b: View, coarse: Matches, fill: Fill = mean) -> Matches:
    """Return matches in pixels of the upright photos, inside both masks, from coarse ones on the views'
    grids.

    Crops have the network's own resolution; what stands behind the object is filled before they are cut. Too
    few coarse matches: none. Raises `UserError` for a network without descriptors, `ImageError` for a photo
    that is smaller than a crop.
    """
    require_descriptors(network)
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


def require_descriptors(network: PairNetwork) -> None:
    """Raise `UserError` for a network without descriptors."""
    if network.config.outputs.desc_dim == 0:
        raise UserError(
            f"matches by descriptors: {network.config.kind} has none. Choose a MASt3R checkpoint, or do "
            "without them."
        )


def full_photo(view: View, fill: Fill = mean) -> FullPhoto:
    """Return the upright photo of a view as crops are cut from it: its background filled, its mask at full
    resolution.
    """
    image = filled_photo(view, fill)
    inside = present(view.pixel_map.to_ideal()) if view.mask is None else view.mask.pixels
    return FullPhoto(view.name, image, inside, view.K)


def match_crops(network: PairNetwork, pairs: Sequence[CropPair]) -> list[Matches]:
    """Return the matches of every pair of crops, in their pixels and inside their masks, from both orders of
    decoding.

    All first crops have one size, and so have all second ones.
    """
    return in_parts_that_fit(functools.partial(_matched, network), pairs)


def in_parts_that_fit(match: Callable[[Sequence[CropPair]], list[T]], pairs: Sequence[CropPair]) -> list[T]:
    """Return what a matcher finds for every pair of crops; a batch that the memory does not suffice for is
    halved. Raises `UserError` when it does not suffice for one pair.
    """
    found = within_memory(lambda: match(pairs))
    if found is not None:
        return found
    if len(pairs) == 1:
        raise UserError(
            f"{pairs[0][0].tag} and {pairs[0][1].tag}: the memory does not suffice for one pair of crops. "
            "Match without the fine stage."
        )
    half = len(pairs) // 2
    return [*in_parts_that_fit(match, pairs[:half]), *in_parts_that_fit(match, pairs[half:])]


def _matched(network: PairNetwork, pairs: Sequence[CropPair]) -> list[Matches]:
    with torch.inference_mode():
        # Encoded anew: what the store remembers is of whole photos.
        a, b = (encoded_crops(network, crops) for crops in zip(*pairs))
        ab, ba = network.decode(a, b), network.decode(b, a)
        runs = [
            descriptor_runs(ab, ba, [crop.inside for crop in pair], row) for row, pair in enumerate(pairs)
        ]
        return [as_matches(symmetric_matches(run, SUBSAMPLE)) for run in runs if run is not None]


def encoded_crops(network: PairNetwork, crops: Sequence[Crop]) -> Encoded:
    """Return a batch of crops of one size as the decoders take it."""
    return network.encode(torch.cat([normalised(crop.image) for crop in crops]).to(network.device))
