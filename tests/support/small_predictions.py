"""Predictions of the small exact scene: every run in a scale of its own, every match true."""

from __future__ import annotations

import numpy as np
from small_scene import HEIGHT, WIDTH, cam_from_world, depth_map, intrinsics, pair_record, points_in

from masks.mask import Mask
from masks.pixelmap import identity
from pairs.prediction.predictions import Matches, PairEntry, PairPrediction, Predictions
from pairs.views.cameras import Cameras
from pairs.views.view import View

NUM_VIEWS = 5
POSES = cam_from_world(NUM_VIEWS)
DEPTHS = [depth_map(pose) for pose in POSES]
TRUTH = POSES.numpy()


def small_view(k: int, mask: np.ndarray | None = None) -> View:
    image = np.full((HEIGHT, WIDTH, 3), 10 * k, np.uint8)
    return View(
        f"{k}.jpg",
        None,
        image,
        identity((WIDTH, HEIGHT)),
        None if mask is None else Mask(mask, "test"),
        str(k),
        camera="one",
    )


def entry(a: int, b: int, spread: float) -> PairEntry:
    """Exact runs, each in a scale of its own unless `spread` is 0, and exact matches."""
    conf = np.full((HEIGHT, WIDTH), 5.0)
    scales = np.exp(np.random.default_rng(7 * a + b).uniform(-spread, spread, 2))
    runs = [
        PairPrediction(*(s * points_in(POSES[i], POSES[k], DEPTHS[k]).numpy() for k in (i, j)), conf, conf)
        for s, i, j in zip(scales, (a, b), (b, a))
    ]
    record = pair_record(POSES, DEPTHS, a, b)
    return PairEntry(runs[0], runs[1], Matches(record.xy_a.numpy(), record.xy_b.numpy(), record.conf.numpy()))


EDGES = tuple((a, b) for b in range(NUM_VIEWS) for a in range(b))
ENTRIES = {edge: entry(*edge, spread=0.4) for edge in EDGES}
IN_ONE_UNIT = {edge: entry(*edge, spread=0.0) for edge in EDGES}


def predictions(
    entries: dict[tuple[int, int], PairEntry] = ENTRIES,
    cameras: Cameras | None = None,
    mask: np.ndarray | None = None,
) -> Predictions:
    """Return the predictions of some pairs, all unless told."""
    edges = tuple(entries)
    return Predictions(
        tuple(small_view(k, mask) for k in range(NUM_VIEWS)), edges, lambda k: entries[edges[k]], cameras, ()
    )


def true_cameras() -> Cameras:
    return Cameras(np.tile(intrinsics().numpy(), (NUM_VIEWS, 1, 1)), TRUTH)
