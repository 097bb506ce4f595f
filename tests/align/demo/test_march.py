"""Rays find the surface where plain bisection finds it."""

from __future__ import annotations

import numpy as np

from align.demo.march import first_hits
from align.demo.shape import coffee_pot, normals

POT = coffee_pot()
EYE = np.array([0.4, -4.5, 1.9])


def rays(count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    target = rng.uniform((-1.2, -0.8, -1.1), (1.2, 0.8, 1.1), (count, 3))
    return target - EYE


def plain_first_hit(direction: np.ndarray) -> float:
    t = np.linspace(0.6, 1.5, 6000)
    inside = POT.distance(EYE + t[:, None] * direction) < 0
    if not inside.any():
        return np.inf
    k = int(inside.argmax())
    low, high = t[k - 1], t[k]
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if POT.distance(EYE[None] + middle * direction)[0] < 0 else (middle, high)
    return high


def test_rays_stop_where_bisection_says() -> None:
    directions = rays(300)
    expected = np.array([plain_first_hit(d) for d in directions])
    actual = first_hits(POT, EYE, directions)
    assert (np.isfinite(expected) == np.isfinite(actual)).mean() > 0.99  # bisection steps over grazes
    both = np.isfinite(expected) & np.isfinite(actual)
    assert both.sum() > 100
    np.testing.assert_allclose(actual[both], expected[both], atol=2e-5)


def test_a_ray_started_late_finds_the_same_surface() -> None:
    directions = rays(200)
    hits = first_hits(POT, EYE, directions)
    late = first_hits(POT, EYE, directions, np.where(np.isfinite(hits), hits - 0.02, 0.0))
    np.testing.assert_allclose(late, hits, atol=2e-5)


def test_the_pot_lies_inside_its_box() -> None:
    points = np.random.default_rng(1).uniform(-1.6, 1.6, (200_000, 3))
    inside = points[POT.distance(points) < 0]
    assert (inside > POT.low).all()
    assert (inside < POT.high).all()


def test_normals_point_outwards() -> None:
    directions = rays(200)
    hits = first_hits(POT, EYE, directions)
    hit = np.isfinite(hits)
    points = EYE + hits[hit, None] * directions[hit]
    outward = normals(POT, points)
    np.testing.assert_allclose(np.linalg.norm(outward, axis=1), 1)
    assert (POT.distance(points + 0.01 * outward) > 0).all()
