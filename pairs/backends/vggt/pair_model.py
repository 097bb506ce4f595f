"""VGGT as a network of pairs: two photos make a scene, once in either order (docs/vggt.md, "Pairs").

Depth confidences are 1 + exp(x), trained with the same loss as those of DUSt3R and MASt3R: they are handed on
as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from masks.fill import fill_named
from masks.mask import Mask
from masks.pixelmap import identity
from pairs.backends.jobs import Encoding
from pairs.backends.vggt.group import group_prediction
from pairs.backends.vggt.images import WHITE, on_vggt_grid, stacked, vggt_input
from pairs.backends.vggt.model_spec import GROUP_HEADS, TRACK_HEADS, VggtSpec, grid_for, open_vggt
from pairs.backends.vggt.query_points import query_points
from pairs.backends.vggt.track_matches import TrackOptions, Tracks, matches_of_pairs
from pairs.backends.vggt.track_pass import arrays_of
from pairs.networks.vggt.aggregator import Aggregated
from pairs.networks.vggt.network import Vggt, VggtOutput
from pairs.prediction.from_group import run_from_group
from pairs.prediction.predictions import (
    NO_MATCHES,
    GroupPrediction,
    Matches,
    PairEntry,
    PairPrediction,
    join_matches,
    swap_matches,
)
from pairs.views.view import View, grid_mask

# A pair stands for itself here: whether it has enough matches is the aligner's business.
_TRACKS = TrackOptions(least_matches=1)


def on_own_grid(view: View, spec: VggtSpec) -> View:
    """Return a view on the network's grid, whatever the other views are."""
    return on_vggt_grid([view], grid_for((view,), spec))[0]


def open_pair_model(spec: VggtSpec) -> VggtPairModel:
    """Return the network of a spec, ready to be asked for pairs."""
    tracks = TRACK_HEADS if spec.config.track is not None else frozenset()
    return VggtPairModel(open_vggt(spec, GROUP_HEADS | tracks), spec.fill)


@dataclass(frozen=True, slots=True)
class VggtPairModel:
    """A network that answers for pairs in arrays. It looks at two photos together: there is nothing to be
    remembered of one but itself.
    """

    network: Vggt
    fill: str

    def encode(self, view: View) -> Encoding:
        """Return what the network will see of a view on its grid, (H, W, 3) uint8, and which of its pixels
        count, (H, W).
        """
        seen = vggt_input([view], fill_named(self.fill))[0].permute(1, 2, 0)
        return {"image": (seen * 255).round().byte().numpy(), "inside": grid_mask(view)}

    def decode(self, pairs: Sequence[tuple[Encoding, Encoding]]) -> list[PairEntry]:
        """Return both runs of every pair, and what was followed from either photo to the other; no matches
        without a track head.
        """
        entries = []
        for a, b in pairs:
            (ab, forth), (ba, back) = _run(self.network, a, b), _run(self.network, b, a)
            found = None if forth is None or back is None else join_matches([forth, swap_matches(back)])
            entries.append(PairEntry(ab, ba, found))
        return entries


def _run(network: Vggt, first: Encoding, second: Encoding) -> tuple[PairPrediction, Matches | None]:
    """Look at two photos in this order, as at a scene in the frame of the first."""
    shapes = [each["inside"].shape for each in (first, second)]
    size = max(h for h, _ in shapes), max(w for _, w in shapes)
    # Photos of a scene have one size: the smaller one gets bars, which are cut off again below.
    corners = [((size[0] - h) // 2, (size[1] - w) // 2) for h, w in shapes]
    views = [
        _view(number, each, size, corner)
        for number, (each, corner) in enumerate(zip((first, second), corners))
    ]
    with torch.inference_mode():
        aggregated = network.aggregate(stacked([view.image for view in views]).to(network.device)[None])
        encodings, depth = network.camera(aggregated)[-1], network.depth(aggregated, 1)
        group, _ = group_prediction(views, VggtOutput((encodings,), depth, None, None, size))
        matches = None if network.track_head is None else _followed(network, aggregated, views, group)
    run = run_from_group(group, 0, 1)
    inner = [np.s_[top : top + h, left : left + w] for (h, w), (top, left) in zip(shapes, corners)]
    (a, b), (xy_a, xy_b) = inner, [np.array([left, top]) for top, left in corners]
    cut = PairPrediction(run.a_in_a[a], run.b_in_a[b], run.a_conf[a], run.b_conf[b])
    return cut, None if matches is None else Matches(matches.xy_a - xy_a, matches.xy_b - xy_b, matches.conf)


def _view(number: int, encoding: Encoding, size: tuple[int, int], corner: tuple[int, int]) -> View:
    """Return what is remembered of a photo as a view of (height, width), with white around it that does not
    count.
    """
    inside = encoding["inside"]
    bars = [(before, whole - side - before) for before, whole, side in zip(corner, size, inside.shape)]
    image = np.pad(encoding["image"], [*bars, (0, 0)], constant_values=WHITE)
    return View(
        f"photo {number + 1} of a pair",
        None,
        image,
        identity((size[1], size[0])),
        Mask(np.pad(inside, bars), "encoding"),
        "",
    )


def _followed(
    network: Vggt, aggregated: Aggregated, views: Sequence[View], group: GroupPrediction
) -> Matches:
    """Return where points of the first view are in the second."""
    masks = [grid_mask(view) for view in views]
    points = query_points(views[0].image, masks[0], _TRACKS.points)
    if len(points) == 0:
        return NO_MATCHES
    found = arrays_of(network.track(aggregated, torch.from_numpy(points).float().to(network.device), 1))
    tracks = Tracks((0, 1), 0, found["xy"], found["visible"], found["conf"])
    return matches_of_pairs([tracks], group, masks, _TRACKS).get((0, 1), NO_MATCHES)
