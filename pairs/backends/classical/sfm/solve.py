"""The scene that the embedded backend's features and mapper agree on."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from masks.lens import Lens
from masks.notice import Level, Notice
from pairs.prediction.layout import Layout, laid_out
from pairs.prediction.sealed_arrays import Arrays
from pairs.views.cameras import Cameras

KIND = "scene_solve"
"""Name of the solves' folder in the store."""
_LAYOUT: Layout = {
    "placed": ("int32", ("P",)),
    "K": ("float64", ("P", 3, 3)),
    "cam_from_world": ("float64", ("P", 4, 4)),
    "points": ("float64", ("N", 3)),
    "observed_point": ("int32", ("M",)),
    "observed_by": ("int32", ("M",)),
    "observed_xy": ("float64", ("M", 2)),
    "lenses": ("uint8", ("L",)),
    "by_outline": ("int32", ("O",)),
    "notices": ("uint8", ("B",)),
}


@dataclass(frozen=True, slots=True)
class SceneSolve:
    """Placed views, their cameras, and the scene points with every observation of them
    (docs/classical_backend.md, "What the solve hands on").
    """

    placed: tuple[int, ...]
    """Indices of the placed views in the list that was given, ascending. P of them."""
    cameras: Cameras
    """Of the placed views; K in pixels of the upright photos."""
    points: np.ndarray  # (N, 3), world
    observed_point: np.ndarray  # (M,) int, which point
    observed_by: np.ndarray  # (M,) int, position in `placed`
    observed_xy: np.ndarray  # (M, 2), pixels of the upright photo
    notices: tuple[Notice, ...]
    """What was decided, retried and left out."""
    lenses: tuple[Lens | None, ...] = ()
    """Of the placed views' photos; none is a pinhole. Empty: all are."""
    by_outline: tuple[int, ...] = ()
    """Indices of the views that outlines placed on a turntable's circle. Where there are some, all poses are
    exactly that circle's.
    """


def shared_points(solve: SceneSolve) -> np.ndarray:
    """Return how many scene points each two placed views (P, P) have in common; the diagonal is 0."""
    sees = csr_array(
        (np.ones(len(solve.observed_by)), (solve.observed_by, solve.observed_point)),
        shape=(len(solve.placed), len(solve.points)),
    )
    sees.data[:] = 1  # a point that a view observes twice counts once
    shared = (sees @ sees.T).toarray().astype(int)
    np.fill_diagonal(shared, 0)
    return shared


def solve_from_arrays(arrays: Arrays) -> SceneSolve:
    """Return a solve as the store kept it. Raises `ValueError` when this is none."""
    arrays = laid_out(arrays, _LAYOUT)
    notices = json.loads(arrays["notices"].tobytes())
    return SceneSolve(
        placed=tuple(int(view) for view in arrays["placed"]),
        cameras=Cameras(arrays["K"], arrays["cam_from_world"]),
        lenses=tuple(
            None if lens is None else Lens(lens[0], tuple(lens[1]))
            for lens in json.loads(arrays["lenses"].tobytes())
        ),
        by_outline=tuple(int(view) for view in arrays["by_outline"]),
        points=arrays["points"],
        observed_point=arrays["observed_point"],
        observed_by=arrays["observed_by"],
        observed_xy=arrays["observed_xy"],
        notices=tuple(Notice(Level(level), subject, text) for level, subject, text in notices),
    )


def solve_to_arrays(solve: SceneSolve) -> Arrays:
    """Return a solve as the store keeps it."""
    notices = json.dumps([[notice.level, notice.subject, notice.text] for notice in solve.notices])
    lenses = json.dumps([lens and [lens.model, lens.coefficients] for lens in solve.lenses])
    return {
        "placed": np.array(solve.placed, np.int32),
        "K": solve.cameras.K,
        "cam_from_world": solve.cameras.cam_from_world,
        "points": solve.points,
        "observed_point": solve.observed_point,
        "observed_by": solve.observed_by,
        "observed_xy": solve.observed_xy,
        "by_outline": np.array(solve.by_outline, np.int32),
        "lenses": np.frombuffer(lenses.encode(), np.uint8),
        "notices": np.frombuffer(notices.encode(), np.uint8),
    }
