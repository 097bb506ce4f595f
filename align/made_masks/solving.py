"""Cameras for making masks: of photos without masks, and once more with the masks that were made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from masks.lens import remap_to_ideal
from masks.mask import Mask
from masks.progress import Progress
from pairs.backends.classical.backend import Classical
from pairs.backends.classical.sfm.solve import SceneSolve
from pairs.backends.classical.solve_scene import solve_scene
from pairs.backends.work import Work
from pairs.prediction.store import PredictionStore
from pairs.views.digest import digest
from pairs.views.load import LoadOptions, load_views
from pairs.views.view import View


def views_without_masks(photos: Sequence[Path], load: LoadOptions) -> tuple[View, ...]:
    """Return the views of the photos, in their order."""
    views, _ = load_views(photos, "none", load)
    return views


def solved(
    views: Sequence[View], backend: Classical, store: PredictionStore, progress: Progress
) -> SceneSolve:
    """Return the cameras of the views. Raises `ReconstructionError` where the photos do not say enough, and
    `MissingExtraError` where nothing can solve them.
    """
    options = backend.solve
    if all(view.mask is None for view in views):
        # A stated turntable wants outlines.
        options = replace(options, turntable="auto")
    with backend.engine.start() as workers:
        return solve_scene(views, None, Work(store, workers, progress), options)


def with_masks(views: Sequence[View], masks: Sequence[Mask]) -> tuple[View, ...]:
    """Return the views with masks of their upright photos, which nothing was known of."""
    return tuple(_with_mask(view, mask) for view, mask in zip(views, masks))


def _with_mask(view: View, mask: Mask) -> View:
    frame = view.pixel_map.undistortion
    key = digest(view.photo_key, np.ascontiguousarray(mask.bits))
    if frame is not None:
        mask = Mask(remap_to_ideal(frame, mask.pixels), mask.source)
    return replace(view, mask=mask, photo_key=key, grid_key=digest(view.grid_key, key))
