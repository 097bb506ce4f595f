"""A second run, with the object turned over, joins the scene by outlines, or is named and kept apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ellipsoid_masks import SIZE, Ellipsoid, masks_of, turntable
from scipy.spatial.transform import Rotation

from masks.mask import Mask
from masks.pixelmap import identity
from pairs.backends.classical.sfm.attempts import Evidence
from pairs.backends.classical.sfm.mapper import MapperModel
from pairs.backends.classical.sfm.verification import VerifiedPair
from pairs.views.cameras import Cameras
from pairs.views.view import View

ONE = turntable(8, 45.0)
OVER = np.eye(4)
OVER[:3, :3] = Rotation.from_euler("xz", [90.0, 20.0], degrees=True).as_matrix()
BOTH = Cameras(np.tile(ONE.K, (2, 1, 1)), np.concatenate([ONE.cam_from_world, ONE.cam_from_world @ OVER]))
"""The first eight views see the object standing, the others see it on its side."""


def evidence_about(solid: tuple[Ellipsoid, ...]) -> Evidence:
    masks = masks_of(BOTH, solid)
    image = np.zeros((*SIZE[::-1], 3), np.uint8)
    views = tuple(
        View(f"{k}.png", None, image, identity(SIZE), Mask(mask, "drawn"), str(k), camera="one")
        for k, mask in enumerate(masks)
    )
    # Runs are solved apart where some pair says so; without key points it gives no scene points.
    pair = VerifiedPair(np.zeros((0, 2), np.int32), 1.0)
    return Evidence(views, tuple(np.zeros((0, 2)) for _ in views), tuple(masks), {(8, 9): pair})


def model_of(views: Sequence[int], poses: np.ndarray) -> MapperModel:
    nothing = np.zeros(0, np.int32)
    return MapperModel(
        tuple(views), Cameras(BOTH.K[list(views)], poses), np.zeros((0, 3)), nothing, nothing, nothing
    )
