"""Points followed through the photos of a group: one pass of the network for every photo that points are
chosen in (docs/vggt.md, "Query frames and points").
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np
import torch

from masks.fill import fill_named
from pairs.backends.vggt.group_pass import Grouped, enough_memory
from pairs.backends.vggt.images import vggt_input
from pairs.backends.vggt.model_spec import TRACK_HEADS, VggtSpec, open_vggt
from pairs.backends.vggt.query_frames import swapped_to_front
from pairs.backends.vggt.query_points import query_points, require_on_object
from pairs.backends.vggt.track_matches import TrackOptions, Tracks, reached, spread_views
from pairs.backends.work import Work
from pairs.networks.vggt.network import Vggt
from pairs.networks.vggt.tracker import Tracks as NetworkTracks
from pairs.prediction.layout import laid_out
from pairs.views.digest import digest
from pairs.views.view import View, grid_mask

_TRACKS = "tracks"
"""Folder of the store."""
_LAYOUT = {
    "xy": ("float64", ("S", "N", 2)),
    "visible": ("float64", ("S", "N")),
    "conf": ("float64", ("S", "N")),
}
_POINT_FRAMES_CPU, _POINT_FRAMES_ACCELERATOR = 1 << 13, 1 << 16
"""Points times photos that are followed together: they bound the memory. Points of one call help each
other,
so the number is part of the key."""


def follow_all(grouped: Grouped, options: TrackOptions, spec: VggtSpec, work: Work) -> tuple[Tracks, ...]:
    """Return tracks of points of some photos of every window through that window.

    Query photos are spread over the cameras; a photo that hardly any point of others reaches becomes one as
    well, once.
    """
    masks = [grid_mask(view) for view in grouped.views]
    network = functools.cache(lambda: open_vggt(spec, TRACK_HEADS))
    found: list[Tracks] = []
    for k, window in enumerate(grouped.windows):
        follow = functools.partial(_follow, grouped.views, window, options, network, spec, work)
        own: list[Tracks] = []
        queries = spread_views(grouped.group.cameras, window, options.query_views)
        work.progress("following points, a pass each", k * len(queries), len(grouped.windows) * len(queries))
        for number, view in enumerate(queries):
            own.append(follow(view))
            work.progress(
                "following points, a pass each",
                k * len(queries) + number + 1,
                len(grouped.windows) * len(queries),
            )
        count = reached(own, masks, options)
        # Once only: a photo that is still not reached shows what no other one shows.
        own += [follow(view) for view in window if view not in queries and count[view] < options.least_points]
        found += own
    return tuple(tracks for tracks in found if tracks.xy.shape[1])


def follow_points(
    network: Vggt, views: Sequence[View], query: int, points: np.ndarray, fill: str = "mean"
) -> dict[str, np.ndarray]:
    """Return where points (N, 2) of view number `query` are in all views (S): `xy` (S, N, 2), `visible` and
    `conf` (S, N), in pixels of one grid.

    The query view comes first in a pass of its own: the weights follow points of the first image only. Raises
    `UserError` for points outside the view's image or off its object.
    """
    require_on_object(points, grid_mask(views[query]), views[query].name)
    order = swapped_to_front(query, len(views))
    images = vggt_input(views, fill_named(fill))[order].to(network.device)
    at_once = max(
        1, (_POINT_FRAMES_CPU if network.device.type == "cpu" else _POINT_FRAMES_ACCELERATOR) // len(views)
    )
    with torch.inference_mode():
        aggregated = network.aggregate(images[None])
        calls = [points[start : start + at_once] for start in range(0, len(points), at_once)]
        parts = [
            arrays_of(network.track(aggregated, torch.from_numpy(call).float().to(network.device)))
            for call in calls
        ]
    if not parts:
        return {
            "xy": np.zeros((len(views), 0, 2)),
            "visible": np.zeros((len(views), 0)),
            "conf": np.zeros((len(views), 0)),
        }
    return {
        # The order undoes itself, so it brings the frames back as well.
        name: np.concatenate([part[name][order.numpy()] for part in parts], axis=1)
        for name in ("xy", "visible", "conf")
    }


def arrays_of(tracks: NetworkTracks) -> dict[str, np.ndarray]:
    """Return the tracks of the first scene of a batch as float64: `xy` (S, N, 2), `visible` and `conf` (S,
    N), surely right without a confidence.
    """
    conf = tracks.conf if tracks.conf is not None else torch.ones_like(tracks.visible)
    xy, visible, conf = (each[0].double().cpu().numpy() for each in (tracks.xy, tracks.visible, conf))
    return {"xy": xy, "visible": visible, "conf": conf}


def _follow(
    views: Sequence[View],
    window: tuple[int, ...],
    options: TrackOptions,
    network: Callable[[], Vggt],
    spec: VggtSpec,
    work: Work,
    query: int,
) -> Tracks:
    """Return the tracks of points of one view through its window, from the store when they are there."""
    seen = [views[view] for view in window]
    position = window.index(query)
    key = digest(
        spec.key("vggt tracks"),
        [view.grid_key for view in seen],
        position,
        options.points,
        _POINT_FRAMES_CPU,
        _POINT_FRAMES_ACCELERATOR,
    )
    return work.store.get_or_make(
        _TRACKS,
        key,
        lambda: _followed(seen, position, options, network, spec.fill),
        lambda arrays: Tracks(window, position, **laid_out(arrays, _LAYOUT)),
    )


def _followed(
    seen: Sequence[View], position: int, options: TrackOptions, network: Callable[[], Vggt], fill: str
) -> dict[str, np.ndarray]:
    picture = vggt_input([seen[position]], fill_named(fill))[0].permute(
        1, 2, 0
    )  # (H, W, 3), what the network sees
    points = query_points((picture * 255).round().byte().numpy(), grid_mask(seen[position]), options.points)
    with enough_memory(len(seen)):
        return follow_points(network(), seen, position, points, fill)
