"""What the aligner gathers of the small exact scene, run by run in units of their own."""

from __future__ import annotations

import numpy as np
import torch
from small_scene import FOCAL, HEIGHT, WIDTH, cam_from_world, depth_map, pair_record, points_in

from align.bundle.intrinsics import SharedIntrinsics
from align.measurements.canonical import masked_canonical_view
from align.measurements.gathered import DirectedSample, Measurements, coarse_grid
from masks.pixelmap import PixelMap
from pairs.prediction.predictions import PairEntry, Predictions
from pairs.views.view import View

CENTRE = torch.tensor([WIDTH / 2, HEIGHT / 2], dtype=torch.float64)


def small_measurements(
    num_views: int = 4,
    edges: list[tuple[int, int]] | None = None,
    unit: dict[tuple[int, int], float] | None = None,
    poses: torch.Tensor | None = None,
) -> Measurements:
    """Return exact views, records and samples of the edges (all pairs unless told). `unit` scales single
    runs, by (frame, other); `poses` (V, 4, 4) stand in the place of those ten degrees apart.
    """
    poses = cam_from_world(num_views) if poses is None else poses
    depths = [depth_map(pose) for pose in poses]
    edges = [(a, b) for b in range(num_views) for a in range(b)] if edges is None else edges
    conf = torch.full((1, HEIGHT, WIDTH), 3.0, dtype=torch.float64)
    mask = torch.ones(HEIGHT, WIDTH, dtype=torch.bool)
    views = [
        masked_canonical_view(points_in(pose, pose, depth)[None], conf, mask, CENTRE)
        for pose, depth in zip(poses, depths)
    ]
    samples = []
    for a, b in edges:
        for target, source in ((a, b), (b, a)):
            in_source, in_target = (
                coarse_grid(points_in(poses[k], poses[source], depths[source])).numpy()
                for k in (source, target)
            )
            in_source, in_target = (
                in_source * (unit or {}).get((source, target), 1.0),
                in_target * (unit or {}).get((target, source), 1.0),
            )
            samples.append(DirectedSample(target, source, in_source, in_target, np.full(len(in_source), 2.0)))
    predictions = Predictions(tuple(small_views(num_views)), tuple(edges), _never, None, ())
    records = tuple(pair_record(poses, depths, a, b) for a, b in edges)
    return Measurements(predictions, tuple(views), records, tuple(samples))


def _never(edge: int) -> PairEntry:
    raise AssertionError(f"pair {edge} is read again")


def small_views(num_views: int, cameras: str | None = None) -> list[View]:
    """Return views of one camera, or of those named by one letter each."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixel_map = PixelMap((WIDTH, HEIGHT), 1, (0, 0, WIDTH, HEIGHT), (WIDTH, HEIGHT))
    names = cameras or "a" * num_views
    return [View(f"{k}.png", None, image, pixel_map, None, str(k), camera=names[k]) for k in range(num_views)]


def small_intrinsics(num_views: int, cameras: tuple[int, ...] | None = None) -> SharedIntrinsics:
    """Return the true lenses, one camera unless told."""
    camera = np.array(cameras or (0,) * num_views)
    count = int(camera.max()) + 1
    return SharedIntrinsics(
        np.tile(CENTRE.numpy(), (num_views, 1)),
        np.ones(num_views),
        camera,
        np.full(count, np.log(FOCAL)),
        np.zeros(count, bool),
    )
