"""One photo's camera from its matches with a scene, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from align.localise.absolute_pose import AbsolutePose, PoseOptions, absolute_pose, largest_error_px
from align.localise.by_features.chance import log10_false_alarms
from align.localise.by_features.query_camera import LensGuess
from align.localise.by_features.scene_matches import SceneMatches

# oxford_dino, views of the scene nearer than 25 to 65 degrees taken out: of 207 cameras with -15 or less, 2
# were off by more than 1.5 degrees (3.6 and 6.4); from there up to -8, 2 of 10. Photos of other objects: 0.
MOST_LOG10_ALARMS = -15.0
"""Largest logarithm of the number of false alarms with which a camera is believed."""
SURE_LOG10_ALARMS = -50.0
"""From here up the report warns: the two above had -40 and -19; photos beside a view of the scene reach
-250."""
# Twice what the mapper of the embedded backend refines to, at 800 pixels: points have errors of depth, too.
POSE = PoseOptions(error_share=1 / 250)
"""How cameras are sampled; 4 px at 800 x 600."""
# Long lenses see flat parts of an object alike from two sides: with one seed one photo of nine, 30 degrees
# beside the scene, was off by 2 to 17 degrees; a second one found the right camera, with more matches.
_SEEDS = 3
"""Times that a camera is sampled; the most improbable agreement counts."""
_BETTER_FOCAL = 1.2
"""A focal that is sought replaces a known one where so many times as many features agree: of a zoomed or
cropped photo half as many agree with the scene's own. With the right one, 0.99 to 1.01."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A camera that a photo's matches agree on."""

    pose: AbsolutePose
    """K in pixels of the upright photo; inliers are rows of `rows`."""
    lens: LensGuess
    rows: np.ndarray
    """Matches that agree, as rows of the photo's matches."""
    agreeing: int
    """Features that agree."""
    matched: int
    """Features that were matched."""
    log10_alarms: float
    error_px: float
    """Median reprojection error, in pixels of the upright photo."""
    distance: float
    """Median depth of the points that agree."""

    @property
    def believed(self) -> bool:
        """Whether wrong matches would hardly agree so well."""
        return self.log10_alarms <= MOST_LOG10_ALARMS


def placed(
    matches: SceneMatches, lenses: Sequence[LensGuess], options: PoseOptions = POSE
) -> Placement | None:
    """Return the camera that most matches agree on, by the most trusted lens that is not plainly wrong; none
    where no five agree.
    """
    best: Placement | None = None
    for lens in lenses:
        found = _with_lens(matches, lens, options)
        if found is not None and (best is None or found.agreeing > _BETTER_FOCAL * best.agreeing):
            best = found
    return best


def _with_lens(matches: SceneMatches, lens: LensGuess, options: PoseOptions) -> Placement | None:
    tried = [_sampled(matches, lens, replace(options, seed=options.seed + k)) for k in range(_SEEDS)]
    found = [placement for placement in tried if placement is not None]
    return min(found, key=lambda placement: placement.log10_alarms) if found else None


def _sampled(matches: SceneMatches, lens: LensGuess, options: PoseOptions) -> Placement | None:
    sampled = absolute_pose(matches.points, matches.pixels, lens.camera, options)
    if sampled is None:
        return None
    rows = np.flatnonzero(sampled.inliers)
    _, first, group = np.unique(matches.feature[rows], return_index=True, return_inverse=True)
    # The same feature in several views is one observation of a point that several depth maps know: counted
    # more than once it would make the pose look surer than it is.
    points = (
        np.stack([np.bincount(group, x) for x in matches.points[rows].T], 1) / np.bincount(group)[:, None]
    )
    pose = absolute_pose(points, matches.pixels[rows[first]], lens.camera, options)
    if pose is None:
        return None
    largest = largest_error_px(lens.camera.size, options)
    projected = _projected(matches.points, pose)
    errors = np.linalg.norm(projected - matches.pixels, axis=1)
    errors[np.isnan(errors)] = np.inf
    one_each = _best_of_feature(matches.feature, errors)
    in_camera = points @ pose.cam_from_world[2, :3] + pose.cam_from_world[2, 3]
    return Placement(
        pose=pose,
        lens=lens,
        rows=np.flatnonzero(errors <= largest),
        agreeing=int((errors[one_each] <= largest).sum()),
        matched=len(one_each),
        log10_alarms=log10_false_alarms(
            projected[one_each], matches.pixels[one_each], largest, 3 if lens.camera.focal_known else 4
        ),
        error_px=float(np.median(errors[one_each][errors[one_each] <= largest])),
        distance=float(np.median(in_camera)),
    )


def _projected(points: np.ndarray, pose: AbsolutePose) -> np.ndarray:
    """Return the pixels (N, 2) of world points; NaN behind the camera."""
    in_camera = points @ pose.cam_from_world[:3, :3].T + pose.cam_from_world[:3, 3]
    in_camera[in_camera[:, 2] <= 0] = np.nan
    image = in_camera @ pose.K.T
    return image[:, :2] / image[:, 2:]


def _best_of_feature(feature: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Return for each feature the row of its match with the smallest error."""
    order = np.argsort(errors, kind="stable")
    return order[np.unique(feature[order], return_index=True)[1]]
