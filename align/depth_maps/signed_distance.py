"""Depths moved to where the surfaces of all views agree
(docs/sparse_alignment.md, "Signed distance refinement").

The field is the truncated signed distance of Curless and Levoy (SIGGRAPH 1996). Along a ray that meets the
surface it falls about as fast as the ray goes on, so its zero is found by adding its value twice, without
samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from align.depth_maps.dense_view import DenseView
from align.depth_maps.source import Depths, Posed, at_depth
from masks.notice import info
from masks.progress import Progress
from pairs.views.cameras import camera_centres

_CHUNK = 1 << 14
"""Pixels of a view that are moved at once: their arrays stay in the processor's cache."""
_WIDEST = 0.1
"""A band beyond which views say nothing about each other, whatever they disagree by."""
_BAND_SHARE = 2.5
"""Band over the median disagreement within the widest one. The best bands of simulated scenes are 2 to 4
times it, from 0.5 % of the depth (rings by the bundle aligner) to 5 % (groups that nothing has aligned); a
band ten times too wide spoils depths."""
_EVERY = 16
"""Of the pixels, so many-th ones measure the disagreement."""


@dataclass(frozen=True, slots=True)
class SignedDistance:
    """How depths are moved to the surface that all views agree on."""

    band: float | None = None
    """A view has a say where it sees the surface nearer than this to the point, as a share of its depth; what
    is farther off is another surface. None: 2.5 times the views' median disagreement."""
    rounds: int = 2
    """How often the mean distance is added. Of 16 views with errors of 0.130 % one round leaves 0.092, two
    0.092 and fewer large ones, three no less."""
    most_views: int = 24
    """So many nearest other views are asked. Of 64 views, 8, 16, 24, 32 and all leave 0.129, 0.120, 0.117,
    0.118 and 0.122 % of 0.207: far ones see other sides, and stand where the scene has drifted."""

    def depths(self, posed: Posed, progress: Progress) -> Depths:
        """Return the views refined, each against the unrefined depths of all."""
        field = _field(posed, self.most_views)
        band = _measured_band(field) if self.band is None else self.band
        dense, moves, total = [], [], 0
        for k, view in enumerate(posed.dense):
            move, heard = _moves(field, k, band, self.rounds)
            depth = view.depth.numpy().astype(float)
            depth[field.maps[k].held] *= 1 + move
            dense.append(at_depth(view, torch.from_numpy(depth), posed.K[k], posed.cam_from_world[k]))
            moves.append(np.abs(move[heard]))
            total += len(move)
            progress("refining depth maps", k + 1, len(posed.dense))
        moved = np.concatenate(moves)
        share, middle = len(moved) / max(total, 1), float(np.median(moved)) if len(moved) else 0.0
        text = (
            f"refined where other views see the surface within {100 * band:.2g} %: "
            f"{100 * share:.0f} % of the pixels, by {100 * middle:.2g} % of their depth in the middle."
        )
        figures = {
            "source": "tsdf",
            "band": band,
            "share of pixels refined": share,
            "median move share": middle,
        }
        return Depths(tuple(dense), (info("depth", text),), figures)


@dataclass(frozen=True, slots=True)
class _DepthMap:
    """What a view sees, with a border of NaN, one pixel before and two behind, that stands for all that lies
    outside.
    """

    held: np.ndarray  # (H, W) bool, pixels with a depth
    depth: np.ndarray  # (H + 3, W + 3)
    conf: np.ndarray  # (H + 3, W + 3)


@dataclass(frozen=True, slots=True)
class _Field:
    """All views, and whom each one asks."""

    maps: tuple[_DepthMap, ...]
    K: np.ndarray  # (V, 3, 3)
    cam_from_world: np.ndarray  # (V, 4, 4)
    others: np.ndarray  # (V, most), the nearest other views


def _field(posed: Posed, most_views: int) -> _Field:
    K, cam_from_world = posed.K.numpy(), posed.cam_from_world.numpy()
    centres = camera_centres(cam_from_world)
    distance = np.linalg.norm(centres[:, None] - centres, axis=-1)
    np.fill_diagonal(distance, np.inf)
    others = np.argsort(distance, axis=1, kind="stable")[:, : min(most_views, len(centres) - 1)]
    return _Field(tuple(_depth_map(view) for view in posed.dense), K, cam_from_world, others)


def _depth_map(view: DenseView) -> _DepthMap:
    depth, conf = view.depth.numpy(), view.conf.numpy()
    border = ((1, 2), (1, 2))
    return _DepthMap(np.isfinite(depth), np.pad(depth, border, constant_values=np.nan), np.pad(conf, border))


def _measured_band(field: _Field) -> float:
    """Return the band that suits how far the views disagree; the widest where none sees another's points."""
    found = [np.zeros(0)]  # a view alone has none to ask
    for view in range(len(field.maps)):
        y, x = (along[::_EVERY] for along in np.nonzero(field.maps[view].held))
        depth = field.maps[view].depth[1:-2, 1:-2][y, x]
        for other, direction, start in _lines(field, view, x, y):
            distance, conf = _distances(field.maps[other], depth * direction + start, _WIDEST)
            found.append(np.abs(distance[conf > 0]))
    apart = np.concatenate(found)
    return min(_WIDEST, _BAND_SHARE * float(np.median(apart))) if len(apart) else _WIDEST


def _moves(field: _Field, view: int, band: float, rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """Return by which share of its depth each of a view's held pixels (N,) moves, and whether another view
    has had a say in it.
    """
    y, x = np.nonzero(field.maps[view].held)
    depth, conf = (array[1:-2, 1:-2][y, x] for array in (field.maps[view].depth, field.maps[view].conf))
    move, heard = np.zeros(len(x)), np.zeros(len(x), bool)
    for start_pixel in range(0, len(x), _CHUNK):
        part = slice(start_pixel, start_pixel + _CHUNK)
        lines = list(_lines(field, view, x[part], y[part]))
        for _ in range(rounds):
            # Its own view sees the surface where it was.
            weight, total = conf[part].copy(), -conf[part] * move[part]
            for other, direction, start in lines:
                points = depth[part] * (1 + move[part]) * direction + start
                distance, said = _distances(field.maps[other], points, band)
                weight += said
                total += said * distance
                heard[part] |= said > 0
            move[part] += np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)
    return move, heard


def _lines(
    field: _Field, view: int, x: np.ndarray, y: np.ndarray
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Return for every other view how the points of a view's pixels run through its picture: at a depth they
    lie at depth x direction (3, N) + start (3, 1), homogeneous pixels.
    """
    world_from_cam = np.linalg.inv(field.cam_from_world[view])
    rays = world_from_cam[:3, :3] @ np.linalg.inv(field.K[view]) @ np.stack([x, y, np.ones(len(x))])
    for other in map(int, field.others[view]):
        pixels_from_world = field.K[other] @ field.cam_from_world[other, :3]
        start = pixels_from_world[:, :3] @ world_from_cam[:3, 3:] + pixels_from_world[:, 3:]
        yield other, pixels_from_world[:, :3] @ rays, start


def _distances(seen: _DepthMap, points: np.ndarray, band: float) -> tuple[np.ndarray, np.ndarray]:
    """Return how far before the surface that a view sees points (3, N) lie, as a share of its depth, and with
    what confidence: 0 where it sees none within the band.

    Depths between pixels are interpolated: wherever a surface is slanted, the nearest pixel's is off by more
    than most depths are. Where one of the four has none there is none.
    """
    height, width = (side - 3 for side in seen.depth.shape)
    z = points[2]
    with np.errstate(divide="ignore", invalid="ignore"):
        # fmin and fmax take NaN to the border, where nothing is seen.
        x = np.fmin(np.fmax(points[0] / z, -1), width)
        y = np.fmin(np.fmax(points[1] / z, -1), height)
        left, top = np.floor(x).astype(np.intp), np.floor(y).astype(np.intp)
        right_share, lower_share = x - left, y - top
        stride = width + 3
        corner = (top + 1) * stride + left + 1
        flat = seen.depth.ravel()
        a, b, c, d = (flat.take(corner + step) for step in (0, 1, stride, stride + 1))
        upper, lower = a + (b - a) * right_share, c + (d - c) * right_share
        distance = 1 - z / (upper + (lower - upper) * lower_share)
        agreed = (z > 0) & (np.abs(distance) <= band)
    nearest = corner + (right_share > 0.5) + stride * (lower_share > 0.5)
    return np.where(agreed, distance, 0), np.where(agreed, seen.conf.ravel().take(nearest), 0)
