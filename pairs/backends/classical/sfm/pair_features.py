"""Features that two views share, without a scene (docs/classical_backend.md, "Matching").

Two photos often match well and still don't tell where the cameras stood: this is what one looks at then.
"""

from __future__ import annotations

import numpy as np

from masks.notice import Notice, info
from masks.pixelmap import to_source, to_target
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.features import comparable, features_of
from pairs.backends.classical.sfm.matching import Pair, merge_doubles, mutual_matches
from pairs.backends.classical.sfm.stationary import reject_stationary
from pairs.backends.classical.sfm.verification import verify_pairs
from pairs.backends.classical.sfm.working_image import working_map
from pairs.engines.processes import single_threaded
from pairs.prediction.predictions import Matches
from pairs.views.view import View

_PAIR: Pair = (0, 1)


def feature_matches(a: View, b: View, options: SolveOptions) -> tuple[Matches, tuple[Notice, ...]]:
    """Return the features of two views, inside their masks, that agree with one epipolar geometry, on the
    views' grids; each counts 1.

    Where neither has a mask, what stands still with the camera is left out, and said. Too few verified
    matches: none.
    """
    with single_threaded():
        features = [features_of(view, options) for view in (a, b)]
        xy = [each.xy for each in features]
        matches = {
            _PAIR: mutual_matches(
                comparable(features[0].descriptors), comparable(features[1].descriptors), options.ratio
            )
        }
        matches = merge_doubles(xy, matches)
        notices: tuple[Notice, ...] = ()
        if a.mask is None and b.mask is None:
            matches, stationary = reject_stationary(xy, matches, options.stationary_px, (0, 1))
            notices = (
                info(
                    "stationary background",
                    f"{stationary.matches:.1%} of the matches stand still with the camera and are left out.",
                ),
            )
        verified = verify_pairs(xy, matches, options.verify_px, options.min_inliers)
    indices = verified[_PAIR].indices if _PAIR in verified else np.zeros((0, 2), np.int32)
    at_a, at_b = (_on_grid(view, each[column], options) for view, each, column in zip((a, b), xy, indices.T))
    return Matches(at_a, at_b, np.ones(len(indices))), notices


def _on_grid(view: View, xy: np.ndarray, options: SolveOptions) -> np.ndarray:
    """Carry positions (N, 2) of the working picture to the view's grid."""
    return to_target(view.grid_from_photo, to_source(working_map(view, options.working_longest), xy))
