"""Whether predictions fit the views they are about: asked once before they are aligned, wherever they come
from.

Values of pixels are not judged here: a point that is not finite, or lies off the object, is absent.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from masks.errors import FormatError, GraphError
from pairs.prediction.predictions import Matches, PairEntry, Predictions
from pairs.views.cameras import is_rigid
from pairs.views.view import View

_FOCAL_RANGE = 1e3
"""Of the longer side, and one over it: beyond lies no lens, but a K in other units."""
# Rounding of a K that was multiplied through float32 crops stays below; a real skew is orders above.
_MOST_SKEW = 1e-6  # of the focal
_LAST_ROW = 1e-4
_NEARLY = 0.01
"""What rounding to two digits leaves of a rotation."""


def require_sound(predictions: Predictions) -> None:
    """Raise `FormatError` or `GraphError` naming the view or pair when what is stated of views, pairs or
    cameras cannot be.
    """
    views = predictions.views
    doubled = [name for name, count in Counter(view.name for view in views).items() if count > 1]
    if doubled:
        raise FormatError(f"{doubled[0]}: two views have this name. Names tell views apart.")
    for view in views:
        _require_stated(view)
    seen = set()
    for a, b in predictions.edges:
        if a == b or not (0 <= a < len(views) and 0 <= b < len(views)):
            raise GraphError(
                f"the pair ({a}, {b}) does not name two of the {len(views)} views. A pair is two positions "
                "in the list of views."
            )
        if (a, b) in seen:
            raise GraphError(
                f"{views[a].name} and {views[b].name}: the pair is there twice. A pair stands once, in "
                "either order."
            )
        seen |= {(a, b), (b, a)}
    cameras = predictions.cameras
    if cameras is not None and (
        len(cameras.K) != len(views)
        or not all(np.isfinite(x).all() for x in (cameras.K, cameras.cam_from_world))
    ):
        raise FormatError(
            f"the backend's cameras are not {len(views)} finite ones, one a view. Leave them out, and they "
            "are found."
        )


def require_fitting(entry: PairEntry, a: View, b: View) -> None:
    """Raise `FormatError` naming the pair when its arrays do not lie on the views' grids, or its matches are
    not positions on them.
    """
    for (first, second), run in (((a, b), entry.ab), ((b, a), entry.ba)):
        if run is None:
            continue
        for view, conf in ((first, run.a_conf), (second, run.b_conf)):
            w, h = view.pixel_map.target_size
            if conf.shape != (h, w):
                size = f"{conf.shape[1]}x{conf.shape[0]}"
                raise FormatError(
                    f"{_named(a, b)}: a pointmap of {view.name} is {size}, but its grid {w}x{h}. Predict "
                    "every view on its own grid."
                )
    if entry.matches is not None:
        _require_on_grid(entry.matches, a, b)


def fault_of_K(K: np.ndarray, size: tuple[int, int]) -> str | None:
    """Return what is wrong with intrinsics (3, 3) of a picture of that (width, height), as the end of a
    sentence; none when they can be.
    """
    if not np.isfinite(K).all():
        return "K holds numbers that are not finite. Correct it or leave it out."
    if np.abs(K[:2, 2]).max() == 0 < np.abs(K[2, :2]).max():
        return (
            "K is transposed: the principal point stands in its last row. Write it in the last column: "
            "(fx 0 cx), (0 fy cy), (0 0 1)."
        )
    if min(K[0, 0], K[1, 1]) < 0 or K[2, 2] < 0:
        return (
            "K has negative numbers on its diagonal, as for camera axes other than OpenCV's (x right, y "
            "down, z forward). State K, with positive focals and the last row 0 0 1, and poses for those."
        )
    if min(K[0, 0], K[1, 1]) == 0 or np.abs(K[2] - (0, 0, 1)).max() > 0:
        return "K needs positive focals and the last row 0 0 1. Correct it or leave it out."
    if np.abs([K[0, 1], K[1, 0]]).max() > _MOST_SKEW * min(K[0, 0], K[1, 1]):
        return "K has a skew, which no step knows. Rectify the pictures, or set it to 0."
    for focal in (K[0, 0], K[1, 1]):
        if not 1 / _FOCAL_RANGE < focal / max(size) < _FOCAL_RANGE:
            return (
                f"a focal of {focal:g} pixels cannot be on {size[0]}x{size[1]} of them. State K in "
                "pixels of that picture."
            )
    return None


def fault_of_pose(cam_from_world: np.ndarray) -> str | None:
    """Return what is wrong with a pose (4, 4), as the end of a sentence; none when it is one."""
    if is_rigid(cam_from_world):
        return None
    if not np.isfinite(cam_from_world).all():
        return "cam_from_world holds numbers that are not finite. Correct it or leave it out."
    if is_rigid(cam_from_world.T):
        return (
            "cam_from_world is transposed: the translation stands in its last row. Write it in the last "
            "column, with the last row 0 0 0 1."
        )
    fault = _fault_of_rotation(cam_from_world[:3, :3])
    if np.abs(cam_from_world[3] - (0, 0, 0, 1)).max() > _LAST_ROW:
        fault = "its last row is not 0 0 0 1."
    return f"cam_from_world is not a rigid motion: {fault} Correct it or leave it out."


def _fault_of_rotation(R: np.ndarray) -> str:
    """Return why a finite matrix (3, 3) is no rotation, as the end of a sentence."""
    scale = float(np.cbrt(np.linalg.det(R)))
    if np.abs(R @ R.T - scale**2 * np.eye(3)).max() >= _NEARLY * max(scale**2, 1e-300):
        off = np.abs(R @ R.T - np.eye(3)).max()
        return f"its 3x3 part is no rotation, R R^T differs from the identity by {off:.2g}."
    if scale < 0:
        return "its rotation mirrors (determinant below 0), as between left- and right-handed axes."
    if abs(scale - 1) > _NEARLY:
        return (
            f"its rotation is scaled by {scale:.4g}; a scale of the world belongs to the translation alone."
        )
    return "its rotation is rounded too much, write it with six digits."


def _require_stated(view: View) -> None:
    """Raise `FormatError` when the camera that is stated for a view cannot be."""
    faults = (
        fault_of_K(view.K, view.photo_size) if view.K is not None else None,
        fault_of_pose(view.cam_from_world) if view.cam_from_world is not None else None,
    )
    for fault in filter(None, faults):
        raise FormatError(f"{view.name}: {fault}")


def _require_on_grid(matches: Matches, a: View, b: View) -> None:
    conf = matches.conf
    if not (np.isfinite(conf).all() and (conf > 0).all()):
        raise FormatError(
            f"{_named(a, b)}: matches have confidences that are not positive numbers. Leave such matches out."
        )
    for view, xy in ((a, matches.xy_a), (b, matches.xy_b)):
        # Written so that NaN is not inside.
        if not ((xy >= -0.5) & (xy <= np.array(view.pixel_map.target_size) - 0.5)).all():
            w, h = view.pixel_map.target_size
            raise FormatError(
                f"{_named(a, b)}: matches leave the {w}x{h} grid of {view.name}. Positions are (x, y) in "
                "the grid's pixels."
            )


def _named(a: View, b: View) -> str:
    return f"{a.name} and {b.name}"
