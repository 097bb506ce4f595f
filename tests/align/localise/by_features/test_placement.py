"""A camera from matches, and whether it is believed."""

from __future__ import annotations

import numpy as np
import pytest
from textured_roof import SIZE, K, turned

from align.localise.absolute_pose import QueryCamera
from align.localise.by_features.placement import Placement, placed
from align.localise.by_features.query_camera import LensGuess
from align.localise.by_features.scene_matches import SceneMatches

LENS = LensGuess(QueryCamera(K, SIZE), "scene")
SOUGHT = LensGuess(QueryCamera(K, SIZE, focal_known=False), "sought")
POSE = turned(10.0)


def matches(num: int, right: int, seed: int = 0, times: int = 1, focal: float = 500.0) -> SceneMatches:
    """Return so many features' matches, each with so many views; those of the first ones are right."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-0.7, 0.7, (num, 3))
    seen = points @ POSE[:3, :3].T + POSE[:3, 3]
    pixels = seen[:, :2] / seen[:, 2:] * focal + K[:2, 2] + rng.normal(0, 0.3, (num, 2))
    pixels[right:] = rng.uniform(0, SIZE, (num - right, 2))
    feature = np.repeat(np.arange(num), times)
    return SceneMatches(num, feature, pixels[feature], np.tile(np.arange(times), num), points[feature])


def found(given: SceneMatches, *lenses: LensGuess) -> Placement:
    placement = placed(given, lenses)
    assert placement is not None
    return placement


@pytest.mark.parametrize("seed", range(3))
def test_wrong_matches_alone_are_never_believed(seed: int) -> None:
    placement = placed(matches(300, 0, seed), [LENS, SOUGHT])
    assert placement is None or not placement.believed


def test_a_tenth_of_right_matches_is_believed_and_gives_the_camera() -> None:
    placement = found(matches(300, 30), LENS, SOUGHT)
    assert placement.believed
    np.testing.assert_allclose(placement.pose.cam_from_world, POSE, atol=0.02)
    assert 30 <= placement.agreeing <= 33
    assert placement.matched == 300
    assert placement.distance == pytest.approx(4, abs=0.3)


def test_a_feature_that_many_views_know_counts_once() -> None:
    once, often = found(matches(200, 60), LENS), found(matches(200, 60, times=5), LENS)
    assert often.agreeing == once.agreeing
    assert often.pose.rotation_sd_deg == pytest.approx(once.pose.rotation_sd_deg, rel=0.2)
    assert often.log10_alarms == pytest.approx(once.log10_alarms, rel=0.1)


def test_a_known_focal_stays_unless_another_one_fits_far_better() -> None:
    assert found(matches(300, 200), LENS, SOUGHT).lens.source == "scene"
    zoomed = found(matches(300, 200, focal=800), LENS, SOUGHT)
    assert zoomed.lens.source == "sought"
    assert zoomed.pose.K[0, 0] == pytest.approx(800, rel=0.02)
