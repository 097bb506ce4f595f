"""Cameras for making masks: of photos without masks, and once more with the masks that were made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from align.made_masks.mask_work import MaskWork
from align.presets import PRESETS
from align.scene import Scene
from masks.errors import GraphError, MissingExtraError, ReconstructionError, SolverError
from masks.lens import remap_to_ideal
from masks.mask import Mask
from pairs.backends.classical.backend import Classical
from pairs.backends.classical.masked_solve import UnmaskedSolve
from pairs.backends.classical.sfm.solve import SceneSolve
from pairs.backends.classical.solve_scene import solve_scene
from pairs.backends.work import Work
from pairs.views.digest import digest
from pairs.views.load import load_views
from pairs.views.view import View

NO_CAMERAS = (ReconstructionError, GraphError, MissingExtraError, SolverError)
"""What is raised where photos, or what is installed, are not enough for cameras."""


@dataclass(frozen=True, slots=True)
class Solved:
    """Cameras of views."""

    views: tuple[View, ...]
    """Of all photos, in their order."""
    solve: SceneSolve

    def to_be_kept(self) -> UnmaskedSolve:
        """Return the cameras as a reconstruction with masks keeps them."""
        return UnmaskedSolve(tuple(view.name for view in self.views), self.solve)


def solved_without_masks(work: MaskWork) -> Solved:
    """Return the cameras of the photos as they are. Raises one of `NO_CAMERAS` where there are none."""
    views, _ = load_views([fact.path for fact in work.facts], "none", work.options.load)
    return _solved(work, views, _without_outlines(work))


def solved_with_masks(work: MaskWork, without: Solved, masks: Sequence[Mask]) -> Solved:
    """Return the cameras of the photos with masks (of the upright photos, one for each view). Raises as
    `solved_without_masks`, and `MaskError` for masks that hold nothing.
    """
    return _solved(work, with_masks(without.views, masks), work.options.backend)


def with_masks(views: Sequence[View], masks: Sequence[Mask]) -> tuple[View, ...]:
    """Return the views with masks of their upright photos, which nothing was known of."""
    return tuple(_with_mask(view, mask) for view, mask in zip(views, masks))


def scene_without_masks(work: MaskWork, solved: Solved) -> Scene:
    """Return the scene of all photos with its depth, in the default settings. Raises one of `NO_CAMERAS`."""
    # Only the scene's road needs a whole reconstruction, with all the rooms behind it.
    from align.global_alignment import align_predictions

    predictions = _without_outlines(work).predict(solved.views, None, work.store, work.progress)
    scene = align_predictions(predictions, PRESETS["pointloom"], work.progress)
    return replace(scene, inputs=tuple(work.names))


def _without_outlines(work: MaskWork) -> Classical:
    backend = work.options.backend
    # A stated turntable wants outlines, which views without masks have not.
    return replace(backend, solve=replace(backend.solve, turntable="auto"))


def _solved(work: MaskWork, views: tuple[View, ...], backend: Classical) -> Solved:
    with backend.engine.start() as workers:
        return Solved(
            views, solve_scene(views, None, Work(work.store, workers, work.progress), backend.solve)
        )


def _with_mask(view: View, mask: Mask) -> View:
    frame = view.pixel_map.undistortion
    key = digest(view.photo_key, np.ascontiguousarray(mask.bits))
    if frame is not None:
        mask = Mask(remap_to_ideal(frame, mask.pixels), mask.source)
    return replace(view, mask=mask, photo_key=key, grid_key=digest(view.grid_key, key))
