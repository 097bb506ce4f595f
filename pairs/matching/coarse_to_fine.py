"""Matches at full resolution: windows that coarse matches point to are matched on their own
(docs/pair_networks.md, "Coarse-to-fine matching").

What matches two crops is a callable: a network in a program, anything in a test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from masks.errors import ImageError
from masks.mask import holds
from masks.pixelmap import PixelMap, to_source
from pairs.matching.crops import Crop, FullPhoto, plain_crop
from pairs.matching.standard_sizes import best_resolution
from pairs.matching.windows import WindowOptions, choose_windows
from pairs.prediction.predictions import Matches, join_matches, select_matches

CropPair = tuple[Crop, Crop]

MatchCrops = Callable[[Sequence[CropPair]], Sequence[Matches]]
"""Returns for a batch of crops the matches of each pair, in pixels of the crops."""

Cut = Callable[[FullPhoto, np.ndarray], Crop]
"""Cuts a window (left, top, right, bottom) out of a photo: `plain_crop` or `facing_crop`."""


@dataclass(frozen=True, slots=True)
class FineOptions:
    """How crops are chosen, cut and matched."""

    windows: WindowOptions = field(default_factory=WindowOptions)
    cut: Cut = plain_crop
    batch: int = 48
    """Largest number of pairs of crops that are matched at once: bounds the memory."""


def coarse_to_fine(
    a: FullPhoto, b: FullPhoto, coarse: Matches, match_crops: MatchCrops, options: FineOptions | None = None
) -> Matches:
    """Return matches of two photos at their full resolution from coarse ones, which are in the photos' pixels
    as well (see `in_photos`).

    Every crop has the network's standard size that suits its photo. No window with enough coarse matches: no
    matches. Only matches inside the masks are returned, from overlapping windows in the order of the windows;
    one that two windows found stands twice, as published. Raises `ImageError` for a photo that is smaller
    than a crop: there is nothing finer in it.
    """
    found = []
    for crops in crop_batches(a, b, coarse, options or FineOptions()):
        found += [_to_photos(pair, matches) for pair, matches in zip(crops, match_crops(crops), strict=True)]
    return join_matches(found)


def crop_batches(
    a: FullPhoto, b: FullPhoto, coarse: Matches, options: FineOptions
) -> Iterator[list[CropPair]]:
    """Yield the pairs of crops that the coarse matches lead to, best first, as many at once as are matched
    at once.

    Raises `ImageError` for a photo that is smaller than a crop.
    """
    longest = options.windows.longest
    resolutions = (_resolution(a, longest), _resolution(b, longest))
    chosen = choose_windows((coarse.xy_a, coarse.xy_b), (a.size, b.size), resolutions, options.windows)
    for start in range(0, len(chosen), options.batch):
        rows = range(start, min(start + options.batch, len(chosen)))
        yield [(options.cut(a, chosen.a[k]), options.cut(b, chosen.b[k])) for k in rows]


def holds_a_crop(photo: FullPhoto, longest: int) -> bool:
    """Tell whether a photo is at least as large as a crop of it."""
    return bool((np.array(photo.size) >= best_resolution(photo.size, longest)).all())


def in_photos(matches: Matches, photo_to_grid_a: PixelMap, photo_to_grid_b: PixelMap) -> Matches:
    """Return matches on two grids as matches in the pixels of the photos, exactly: half pixels are the map's
    business.
    """
    return Matches(
        to_source(photo_to_grid_a, matches.xy_a), to_source(photo_to_grid_b, matches.xy_b), matches.conf
    )


def _resolution(photo: FullPhoto, longest: int) -> tuple[int, int]:
    resolution = best_resolution(photo.size, longest)
    (height, width), (least_h, least_w) = photo.size, resolution
    if not holds_a_crop(photo, longest):
        raise ImageError(
            f"{photo.name}: {width}x{height} pixels are fewer than one crop of {least_w}x{least_h}. Match "
            "this pair without the fine stage, or use "
            "the photo at its full size."
        )
    return resolution


def _to_photos(crops: CropPair, matches: Matches) -> Matches:
    """Return a crop pair's matches in the photos' pixels, without those outside a mask."""
    a, b = crops
    kept = select_matches(matches, holds(a.inside, matches.xy_a) & holds(b.inside, matches.xy_b))
    return Matches(from_crop(a, kept.xy_a), from_crop(b, kept.xy_b), kept.conf)


def from_crop(crop: Crop, xy: np.ndarray) -> np.ndarray:
    """Return positions (N, 2) in a crop as positions in its photo."""
    # A turned crop is a homography away from its photo, a plain one a shift: the divisor is 1 there.
    ahead = np.concatenate([xy, np.ones((len(xy), 1))], 1) @ crop.photo_from_crop.T
    return ahead[:, :2] / ahead[:, 2:]
