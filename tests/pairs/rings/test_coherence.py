"""Coherence: true cameras leave silhouettes standing, and what tangents miss shows."""

from __future__ import annotations

import numpy as np
from ellipsoid_masks import BODY, EGG, JUG, SIZE, around_origin, masks_of, outlines_of, pinholes, turntable

from pairs.rings.coherence import coherence, coherence_cost, object_ball
from pairs.rings.outline import outline_of
from pairs.rings.tangency import all_pairs, hulls_of, tangency
from pairs.views.cameras import Cameras, nearest_to_lines

RING = turntable(12, 30.0)
BACKWARDS = pinholes(around_origin(-30.0 * np.arange(12)))


def test_true_cameras_cost_little_and_a_wrong_direction_much():
    outlines = outlines_of(RING, BODY)
    missed = coherence(RING, outlines)
    assert missed.shape == (12, 64)
    assert np.nanmean(missed) < 0.25
    assert coherence_cost(missed) < 0.05
    assert coherence_cost(coherence(BACKWARDS, outlines)) > 10 * coherence_cost(missed)


def test_a_handle_that_tangents_hardly_see_decides():
    outlines = outlines_of(RING, JUG)
    hulls, pairs = hulls_of(outlines), all_pairs(12)
    backwards = coherence_cost(coherence(BACKWARDS, outlines))
    assert coherence_cost(coherence(RING, outlines)) < 0.3 * backwards
    assert tangency(BACKWARDS, hulls, pairs).median > tangency(RING, hulls, pairs).median


def test_a_body_of_revolution_is_alike_whichever_way_it_turns():
    outlines = outlines_of(RING, EGG)
    there, back = (coherence_cost(coherence(c, outlines)) for c in (RING, BACKWARDS))
    assert max(there, back) < 0.02


def test_an_empty_silhouette_and_views_that_see_another_place_say_nothing():
    full = outline_of(np.ones(SIZE[::-1], bool))
    assert full is not None
    assert np.isnan(coherence(Cameras(RING.K[:2], RING.cam_from_world[:2]), [full, full])).all()
    assert coherence_cost(np.full(3, np.nan)) == np.inf


def test_the_ball_holds_the_object():
    ball = object_ball(RING, outlines_of(RING, BODY))
    for centre, half in BODY:
        assert np.linalg.norm(np.array(centre) - ball.centre) + max(half) < 1.35 * ball.radius
    assert ball.radius < 1.3


def test_the_point_nearest_to_lines():
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(5, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    point = np.array([1.0, -2, 3])
    origins = point + rng.normal(size=(5, 1)) * directions
    np.testing.assert_allclose(nearest_to_lines(origins, directions), point, atol=1e-9)


def test_masks_are_made_of_conics():
    masks = masks_of(RING, EGG)
    assert all(mask.sum() == masks[0].sum() for mask in masks)
