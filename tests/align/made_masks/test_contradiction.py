"""Silhouettes and cameras that belong together, and ones that do not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from ellipsoid_masks import masks_of
from still_backdrops import disc_before, textured_backdrop
from turning_body import CAMERAS, MASKS, SIZE, VIEWS, blank_views, folded_cameras, solve_of

from align.made_masks.contradiction import compared, without_cuts
from align.made_masks.placed_pictures import carried, placed_by_solve, points_on_masks
from align.objects.hull import Floor
from masks.image_file import ImageFacts
from masks.lens import Lens, ideal_frame
from masks.making.pictures import working_map
from masks.making.refine import refined
from masks.making.roads import take_road
from masks.pixelmap import fit_longest, identity

FACTS = [ImageFacts(Path(f"{k}.jpg"), SIZE, 1, False, {}) for k in range(VIEWS)]


def test_right_cameras_agree() -> None:
    solve = solve_of()
    points = points_on_masks(blank_views(), solve, MASKS, FACTS)
    assert len(points) < 220
    assert np.abs(points).max() < 1
    found = compared(MASKS, placed_by_solve(blank_views(), solve, FACTS), points)
    assert found is not None
    assert found.share < 1e-3
    assert not found.contradicts


def test_a_folded_ring_contradicts() -> None:
    solve = solve_of(folded_cameras())
    found = compared(MASKS, placed_by_solve(blank_views(), solve, FACTS), solve.points[:200])
    assert found is not None
    assert found.contradicts


def test_what_a_mirror_shows_below_the_floor_is_taken_away_and_contradicts_nothing() -> None:
    body = (((0.0, 0.0, 0.2), (0.2, 0.2, 0.6)),)
    mirrored = masks_of(CAMERAS, (*body, ((0.0, 0.0, -1.0), (0.2, 0.2, 0.6))))
    placed = placed_by_solve(blank_views(), solve_of(), FACTS)
    points = np.random.default_rng(0).uniform(-0.2, 0.2, (200, 3))
    floor = Floor(np.array([0.0, 0.0, 1.0]), -0.4)
    found = compared(mirrored, placed, points, floor)
    assert found is not None
    assert not found.contradicts
    assert found.below > 0.2
    for mask, alone, cut in zip(mirrored, masks_of(CAMERAS, body), found.cut.values()):
        assert cut[mask & ~alone].mean() > 0.8
        assert not cut[alone].any()


def test_too_little_says_nothing() -> None:
    placed = placed_by_solve(blank_views(), solve_of(), FACTS)
    assert compared(MASKS, placed, np.zeros((3, 3))) is None
    empty = [np.zeros_like(mask) for mask in MASKS]
    assert compared(empty, placed, solve_of().points) is None


def test_a_lens_is_undone_where_silhouettes_are_compared() -> None:
    lens = Lens("SIMPLE_RADIAL", (-0.2,))
    solve = solve_of(CAMERAS, (lens,) * VIEWS)
    placed = placed_by_solve(blank_views(), solve, FACTS)
    frame = ideal_frame(lens, CAMERAS.K[0], SIZE)
    assert placed.pinholes[0].undistortion == frame
    there = placed.to_pinholes(MASKS)
    back = placed.to_working(there)
    assert (back[3] ^ MASKS[3]).sum() < 0.02 * MASKS[3].sum()
    assert there[0].shape == placed.pinholes[0].target_size[::-1]


def test_pictures_are_carried_between_grids_by_pixel_centres() -> None:
    ramp = np.tile(np.arange(40, dtype=np.float32), (30, 1))
    whole, half = identity((40, 30)), fit_longest((40, 30), 20)
    small = carried(ramp, whole, half)
    np.testing.assert_allclose(small[7], np.arange(20) * 2 + 0.5)
    assert carried(ramp, whole, whole) is ramp
    assert working_map(FACTS[0]).upright().target_size == SIZE


def test_a_thin_strip_that_was_taken_away_does_not_come_back() -> None:
    still = disc_before(textured_backdrop())
    strip = np.zeros_like(still.masks[0])
    strip[59:61] = still.masks[0][59:61]
    evidence = take_road(still.photos, [str(k) for k in range(len(still.photos))]).evidence
    assert evidence is not None
    less = replace(evidence, logits=(np.where(strip, -4, evidence.logits[0]), *evidence.logits[1:]))
    outlines = refined(less, still.photos)
    assert outlines.masks[0][strip].any()
    taken = without_cuts(outlines, {0: strip})
    assert not taken.masks[0][strip].any()
    np.testing.assert_array_equal(taken.masks[0][~strip], outlines.masks[0][~strip])
    np.testing.assert_array_equal(taken.masks[1], outlines.masks[1])
