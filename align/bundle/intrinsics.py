"""Intrinsics before the refinement, and which views share a focal
(docs/bundle_alignment.md, "Shared intrinsics").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from align.measurements.canonical import CanonicalView
from align.measurements.known_cameras import Known
from masks.notice import Notice, warning
from masks.pixelmap import intrinsics_to_target
from pairs.views.view import View

_ONE_CAMERA_SPREAD = 0.035
"""Of the log focals that the views' own pointmaps suggest: views of one camera spread by 1.4 to 2.2 %."""


@dataclass(frozen=True, slots=True)
class SharedIntrinsics:
    """The intrinsics of V views of C cameras. Views of one camera share a focal; one whose K is known is a
    camera of its own.
    """

    principal_point: np.ndarray  # (V, 2), pixels
    aspect: np.ndarray  # (V,)
    """Focal along x over focal along y."""
    camera: np.ndarray  # (V,) int
    log_focal: np.ndarray  # (C,)
    """As the pointmaps suggest, or as known; pixels along x."""
    fixed: np.ndarray  # (C,) bool, known
    free_principal_point: bool = False
    """Principal points may move, those of fixed cameras excepted: one offset (2,) a camera, in pixels
    along x."""

    @property
    def num_params(self) -> int:
        """How many numbers of a camera may move: the log focal, and both coordinates of the
        principal point.
        """
        return 3 if self.free_principal_point else 1

    def columns(self, first: int) -> np.ndarray:
        """Return where the parameters of each view's camera stand (V, num_params) when all focals, then all
        principal points, stand from `first` on.
        """
        focal = first + self.camera[:, None]
        if not self.free_principal_point:
            return focal
        return np.concatenate([focal, first + len(self.log_focal) + 2 * self.camera[:, None] + [0, 1]], 1)

    def K(self, log_focal: np.ndarray, principal_point_offset: np.ndarray) -> np.ndarray:
        """Return the intrinsics (V, 3, 3) at the cameras' log focals (C,) and shifts of the principal point
        (C, 2).
        """
        K = np.tile(np.eye(3), (len(self.camera), 1, 1))
        K[:, 0, 0] = np.exp(log_focal)[self.camera]
        K[:, 1, 1] = K[:, 0, 0] / self.aspect
        K[:, :2, 2] = self.principal_point + principal_point_offset[self.camera] / np.stack(
            [np.ones(len(self.camera)), self.aspect], 1
        )
        return K


def _grid_aspect(view: View) -> float:
    """Return the focal along x over that along y on a view's grid: pixels of photos are square, those of a
    grid of whole patches not always.
    """
    K = intrinsics_to_target(view.grid_from_photo, np.eye(3))
    return float(K[0, 0] / K[1, 1])


def shared_intrinsics(
    canonical: Sequence[CanonicalView], views: Sequence[View], principal_points: Tensor, known: Known
) -> tuple[SharedIntrinsics, tuple[Notice, ...]]:
    """Return the intrinsics with the median focal of each camera's views, and a notice where these differ too
    much for one camera.
    """
    centre, aspect = (
        principal_points.double().numpy().copy(),
        np.array([_grid_aspect(view) for view in views]),
    )
    keys: list[tuple[str, float]] = [(view.camera, 0.0) for view in views]
    for view, K in known.K.items():
        keys[view] = (views[view].camera, float(K[0, 0]))
        centre[view], aspect[view] = K[:2, 2].numpy(), float(K[0, 0] / K[1, 1])
    cameras = sorted(set(keys))
    camera = np.array([cameras.index(key) for key in keys])
    # The one focal of a pointmap lies between those along both axes.
    vote = np.log([float(view.focal) for view in canonical]) + np.log(aspect) / 2
    fixed = np.array([focal > 0 for _, focal in cameras])
    log_focal = np.array(
        [np.log(focal) if focal > 0 else np.median(vote[camera == c]) for c, (_, focal) in enumerate(cameras)]
    )
    notices = []
    for c, (name, _) in enumerate(cameras):
        spread = float(np.std(vote[camera == c]))
        if not fixed[c] and spread > _ONE_CAMERA_SPREAD:
            text = (
                f"the predicted focals of its views spread by {100 * spread:.1f} %: these may be different "
                "lenses or zooms. State them as such."
            )
            notices.append(warning(f"camera {name}" if name else "camera", text))
    return SharedIntrinsics(centre, aspect, camera, log_focal, fixed), tuple(notices)
