"""Scene points found in a photo by MASt3R's descriptors, as published (arXiv:2406.09756, section 4.4;
docs/localisation.md, "MASt3R").
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from align.localise.by_pointmaps import standard_input
from align.localise.photo_grids import ReducedPhoto, StandardPhoto, reduced
from align.localise.scene_points import Correspondences, MapPhoto, SeenPoints, carried, marks_on_grid
from masks.errors import UserError
from masks.fill import Fill, mean
from pairs.backends.dust3r.fine_matches import (
    encoded_crops,
    full_photo,
    in_parts_that_fit,
    require_descriptors,
)
from pairs.backends.dust3r.pair_entry import descriptor_map
from pairs.matching.coarse_to_fine import CropPair, FineOptions, crop_batches, from_crop, holds_a_crop
from pairs.matching.correspondences import Run, as_matches, grid_matches, seeded_matches
from pairs.networks.dust3r.heads import HeadOutput
from pairs.networks.dust3r.network import Encoded, PairNetwork
from pairs.prediction.predictions import Matches, select_matches
from pairs.views.view import View

_RIM_PX = 3
"""Coarse matches nearer to a border are no guide to windows, as published."""


@dataclass(frozen=True, slots=True)
class DescriptorOptions:
    """How map pixels with known points are searched for in a query."""

    least_conf: float = 1.001
    """Confidence that a match needs, of the smaller one of its two descriptors."""
    tolerance_px: float = 5.0
    """A map pixel's way to the query and back must end nearer to it than this."""
    longest: int | None = None
    """Longest side to which photos are reduced before crops are cut; none: not at all."""
    fine: FineOptions | None = None
    """How crops are matched at full resolution; none: whole photos at the network's resolution only."""

    def __post_init__(self) -> None:
        if self.tolerance_px <= 0:
            raise UserError(
                f"`tolerance_px={self.tolerance_px}`: chosen map pixels are matched within a tolerance. Give "
                "a positive number of pixels."
            )


@dataclass(frozen=True, slots=True)
class _Side:
    """A photo on its grids."""

    photo: ReducedPhoto
    standard: StandardPhoto
    encoded: Encoded


@dataclass(frozen=True, slots=True)
class _Found:
    """Matches of known points with the pixels of a query's grid."""

    number: np.ndarray  # (M,), of the seen points
    xy: np.ndarray  # (M, 2)
    conf: np.ndarray  # (M,)


def match_by_descriptors(
    network: PairNetwork,
    query: View,
    maps: Iterable[MapPhoto],
    options: DescriptorOptions | None = None,
    fill: Fill = mean,
) -> Iterator[Correspondences]:
    """Yield for each map photo where in the query the known points of its pixels are, of one run with the
    query first.

    With `fine` options, photos that are larger than a crop are matched by crops at their own resolution.
    Raises `UserError` for a network without descriptors.
    """
    require_descriptors(network)
    options = options or DescriptorOptions()
    here = _side(network, query, options, fill)
    for each in maps:
        there = _side(network, each.view, options, fill)
        with torch.inference_mode():
            first, second = network.decode(here.encoded, there.encoded)
        run = _described((second, there.standard.inside), (first, here.standard.inside))
        if options.fine is not None and _finer(here, there, options.fine):
            found = _by_crops(network, run, (there, here), each.seen, options.tolerance_px, options.fine)
        else:
            found = _as_a_whole(run, (there, here), each.seen, options.tolerance_px)
        sure = found.conf >= options.least_conf
        points = each.seen.points[found.number[sure]].astype(np.float64)
        yield Correspondences(points, found.xy[sure], found.conf[sure])


def _side(network: PairNetwork, view: View, options: DescriptorOptions, fill: Fill) -> _Side:
    photo = full_photo(view, fill)
    standard, encoded = standard_input(network, photo)
    return _Side(reduced(photo, options.longest if options.fine else None), standard, encoded)


def _finer(here: _Side, there: _Side, fine: FineOptions) -> bool:
    """Tell whether crops of the two photos show more than the whole photos at the network's size."""
    longest, photos = fine.windows.longest, [side.photo.photo for side in (here, there)]
    return max(photos[0].size) > longest and all(holds_a_crop(photo, longest) for photo in photos)


def _as_a_whole(run: Run, sides: tuple[_Side, _Side], seen: SeenPoints, tolerance_px: float) -> _Found:
    """Return the matches of a run (map, query) at the network's size, in pixels of the query's photo."""
    resize, to_photo = (
        sides[0].standard.resize,
        sides[1].standard.resize.half_pixel_photo_from_target,
    )
    found = _seeded(run, marks_on_grid(seen, resize.half_pixel_target_from_photo, resize.size), tolerance_px)
    return replace(found, xy=carried(to_photo, found.xy))


def _by_crops(
    network: PairNetwork,
    run: Run,
    sides: tuple[_Side, _Side],
    seen: SeenPoints,
    tolerance_px: float,
    fine: FineOptions,
) -> _Found:
    """Return the matches of crops that a run (map, query) at the network's size leads to, in pixels of the
    query's photo.
    """
    there, here = (side.photo for side in sides)
    marks = marks_on_grid(seen, there.reduction.target_from_photo, there.photo.size)
    match = functools.partial(_match_crops, network, tolerance_px)
    parts = [_Found(np.zeros(0, int), np.zeros((0, 2)), np.zeros(0))]
    for crops in crop_batches(replace(there.photo, marks=marks), here.photo, _guide(run, sides), fine):
        parts += in_parts_that_fit(match, crops)
    number, xy, conf = (np.concatenate([getattr(part, name) for part in parts]) for name in _Found.__slots__)
    return _Found(number, _scaled(here.reduction.photo_from_target, xy), conf)


def _guide(run: Run, sides: tuple[_Side, _Side]) -> Matches:
    """Return matches of a run (map, query) on a grid, in pixels of both reduced photos."""
    coarse = as_matches(grid_matches(*run))
    clear = np.ones(len(coarse.conf), bool)
    for xy, described in zip((coarse.xy_a, coarse.xy_b), run):
        height, width = described.size
        clear &= np.all((xy >= _RIM_PX) & (xy < (width - _RIM_PX, height - _RIM_PX)), axis=1)
    kept = select_matches(coarse, clear)
    xy_a, xy_b = (
        _scaled(
            side.photo.reduction.target_from_photo,
            carried(side.standard.resize.half_pixel_photo_from_target, xy),
        )
        for side, xy in zip(sides, (kept.xy_a, kept.xy_b))
    )
    return Matches(xy_a, xy_b, kept.conf)


def _match_crops(network: PairNetwork, tolerance_px: float, pairs: Sequence[CropPair]) -> list[_Found]:
    """Return the matches of each pair of crops, decoded map first, in pixels of the query's reduced photo."""
    with torch.inference_mode():
        a, b = (encoded_crops(network, crops) for crops in zip(*pairs))
        first, second = network.decode(a, b)
    found = []
    for row, (crop_a, crop_b) in enumerate(pairs):
        run = _described((first, crop_a.inside), (second, crop_b.inside), row=row)
        marks = np.zeros(crop_a.inside.shape, np.int32) if crop_a.marks is None else crop_a.marks
        matched = _seeded(run, marks, tolerance_px)
        found.append(replace(matched, xy=from_crop(crop_b, matched.xy)))
    return found


def _seeded(run: Run, marks: np.ndarray, tolerance_px: float) -> _Found:
    """Return where the marked pixels (H, W) of a run's first side are in its second."""
    seeds = torch.from_numpy(np.flatnonzero(marks)).to(run[0].desc.device)
    found = as_matches(seeded_matches(*run, seeds, tolerance_px))
    x, y = found.xy_a.astype(int).T
    return _Found(marks[y, x] - 1, found.xy_b, found.conf)


def _described(*sides: tuple[HeadOutput, np.ndarray], row: int = 0) -> Run:
    a, b = (descriptor_map(output, inside, row) for output, inside in sides)
    if a is None or b is None:
        raise TypeError("a network with descriptors gave none")
    return a, b


def _scaled(scaling: np.ndarray, xy: np.ndarray) -> np.ndarray:
    # Not about the pixels' corners: the published reduction of a photo leaves half pixels out of account.
    return xy @ scaling[:2, :2].T + scaling[:2, 2]
