"""Print one table: solved scenes folded by hand, and what the scene solve makes of them.

    python benchmarks/folds.py DATA STORE

DATA is a folder of photo sets with masks and cameras.json (oxford_dino, templeSparseRing); features and
matches are kept in STORE. A block of the solved model is turned about the axis with its points, scaled by
1.02 and shifted; then `unfolded`, which the scene solve calls after its first strategy, has the last word.
Rotations are median / largest error of a view after the best common rotation, in degrees; seconds are CPU
seconds.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from align.evaluation.camera_errors import rotation_errors_deg
from align.export.cameras_json import read_cameras
from masks.progress import silent
from pairs.backends.classical.completion.unfolding import unfolded
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.attempts import Attempt, assessed, best_attempt, run_attempts
from pairs.backends.classical.sfm.mapper import MapperModel, solve_apart
from pairs.backends.classical.solve_scene import photo_evidence
from pairs.backends.work import Work
from pairs.engines.processes import Processes
from pairs.prediction.store import PredictionStore
from pairs.rings.ring import fit_circular_motion
from pairs.views.cameras import Cameras
from pairs.views.load import load_views

_SHIFT = 0.03
"""Of the radius: a fifth of the object, about."""
FOLDS = {
    "oxford_dino": ((8, 21, 180.0), (8, 21, 90.0), (8, 12, 180.0), (8, 9, 168.0), (0, 0, 0.0)),
    "templeSparseRing": ((11, 16, 180.0), (0, 0, 0.0)),
}
"""First view of the block, the one after its last, and degrees; an empty block leaves the scene right."""


def rows(data: Path, name: str, work: Work) -> Iterator[str]:
    """Yield a row for every fold of a set."""
    options = SolveOptions()
    views, _ = load_views(sorted((data / name / "images").iterdir()), data / name / "masks")
    evidence = photo_evidence(views, None, work, options).evidence
    attempts = run_attempts(evidence, lambda job: solve_apart(job, work.workers), options, lambda _: None)
    best = best_attempt(attempts)
    if best is None or best.model is None:
        raise SystemExit(f"{name}: no scene")
    truth = {Path(c.file).name: c.cam_from_world for c in read_cameras(data / name / "cameras.json")}
    true = np.stack([truth[view.name] for view in views])
    yield f"{name} as solved: {_rotation(best.model, true)}"
    for first, last, turn in FOLDS[name]:
        block = np.arange(first, last)
        model = folded(best.model, block, turn) if len(block) else best.model
        tried = Attempt("folded by hand", best.start, model, assessed(evidence, model, options))
        begun = _seconds()
        found = unfolded(evidence, (tried,), work.workers, options)
        seconds = _seconds() - begun
        title = f"{name}, {len(block)} views by {turn:g}: {_rotation(model, true)}"
        if len(found) == 1:
            yield f"{title} -> the same, {seconds:.1f} s"
            continue
        new = found[1]
        verdict = new.assessment.verdict if new.assessment is not None else "no scene"
        after = "" if new.model is None else _rotation(new.model, true)
        said = " ".join(notice.text for notice in new.notices)
        yield f"{title} -> {new.num_placed} views, {verdict}, {after}, {seconds:.1f} s; {said}"


def folded(model: MapperModel, block: np.ndarray, turn_deg: float) -> MapperModel:
    """Return a model with a block of views turned about its axis; points that it shares with other views are
    doubled.
    """
    ring = fit_circular_motion(model.cameras.cam_from_world).rings[0]
    middle = np.linalg.inv(ring.axis_from_world)
    turn = Rotation.from_rotvec(np.deg2rad(turn_deg) * middle[:3, 2]).as_matrix()

    def moved(points: np.ndarray) -> np.ndarray:
        back = 1.02 * (points - middle[:3, 3]) @ turn.T + middle[:3, 3]
        return back + _SHIFT * ring.radius * middle[:3, 0]

    at = np.flatnonzero(np.isin(model.placed, block))
    poses = model.cameras.cam_from_world.copy()
    poses[at, :3, :3] = poses[at, :3, :3] @ turn.T
    poses[at, :3, 3] = -np.einsum("vij,vj->vi", poses[at, :3, :3], moved(model.cameras.centres[at]))
    points = np.concatenate([model.points, moved(model.points)])
    seen = np.where(
        np.isin(model.observed_by, at), model.observed_point + len(model.points), model.observed_point
    )
    kept = np.bincount(seen, minlength=len(points))[seen] >= 2
    used, number = np.unique(seen[kept], return_inverse=True)
    return replace(
        model,
        cameras=Cameras(model.cameras.K, poses),
        points=points[used],
        observed_point=number.astype(np.int32),
        observed_by=model.observed_by[kept],
        observed_feature=model.observed_feature[kept],
    )


def _rotation(model: MapperModel, true: np.ndarray) -> str:
    errors = rotation_errors_deg(model.cameras.cam_from_world, true[list(model.placed)])
    return f"{np.median(errors):.2f} / {errors.max():.2f}"


def _seconds() -> float:
    """Return CPU seconds of this process and of those that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def main() -> None:
    """Print the table, a row as soon as it is known."""
    data, store = Path(sys.argv[1]), PredictionStore(Path(sys.argv[2]))
    with Processes(1).start() as workers:
        for name in FOLDS:
            for row in rows(data, name, Work(store, workers, silent)):
                print(row, flush=True)


if __name__ == "__main__":
    main()
