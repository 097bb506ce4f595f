"""Matches from both sides and both orders of decoding."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from random_maps import related_maps, unit_map

from pairs.matching.correspondences import (
    as_matches,
    grid_matches,
    pair_score,
    seeded_matches,
    single_run_matches,
    symmetric_matches,
)
from pairs.matching.descriptor_map import grid_pixels
from pairs.matching.fast_reciprocal import prepare_search, reciprocal_from_grid


def listed(matches):
    return [(*xy_a, *xy_b) for xy_a, xy_b in zip(matches.xy_a.tolist(), matches.xy_b.tolist())]


def test_a_pair_in_the_other_order_has_the_same_matches_and_confidences():
    runs = [related_maps(0), related_maps(10)]
    there, back = symmetric_matches(runs, 4), symmetric_matches([(b, a) for a, b in runs], 4)
    swapped = {(*match[2:], *match[:2]): conf for match, conf in zip(listed(back), back.conf.tolist())}
    assert swapped == dict(zip(listed(there), there.conf.tolist()))
    assert len(swapped) == len(there.conf) > 0


def test_a_match_of_both_runs_has_the_confidence_of_the_first():
    a, b = related_maps(0)
    surer = [replace(m, conf=9 * m.conf) for m in (a, b)]
    matches = symmetric_matches([(a, b), (surer[0], surer[1])], 4)
    expected = [(a.conf[ya, xa] * b.conf[yb, xb]).sqrt().item() for xa, ya, xb, yb in listed(matches)]
    assert matches.conf.tolist() == pytest.approx(expected)


def test_matches_of_one_run_have_the_smaller_confidence_and_come_from_both_sides():
    a, b = related_maps(4)
    matches = single_run_matches(a, b, 4)
    assert matches.conf.tolist() == [
        min(a.conf[ya, xa], b.conf[yb, xb]).item() for xa, ya, xb, yb in listed(matches)
    ]
    search = prepare_search(a, b)
    found = {(p, q) for p, q in reciprocal_from_grid(search, 4).tolist()} | {
        (p, q) for q, p in reciprocal_from_grid(search.reversed(), 4).tolist()
    }
    assert {(ya * 24 + xa, yb * 24 + xb) for xa, ya, xb, yb in listed(matches)} == found


def test_with_a_tolerance_the_grids_own_pixels_are_matched():
    a, b = related_maps(4)
    seeds = set(grid_pixels(a.size, 4).tolist())
    matches = single_run_matches(a, b, 4, tolerance_px=3)
    assert all(ya * 24 + xa in seeds or yb * 24 + xb in seeds for xa, ya, xb, yb in listed(matches))
    from_a = seeded_matches(a, b, grid_pixels(a.size, 4), 3)
    assert {ya * 24 + xa for xa, ya, *_ in listed(from_a)} <= seeds
    assert set(listed(from_a)) <= set(listed(matches))


def test_from_a_grid_in_one_picture_walks_go_one_way():
    a, b = related_maps(4)
    matches = grid_matches(a, b, 4)
    found = reciprocal_from_grid(prepare_search(a, b), 4).tolist()
    assert [[ya * 24 + xa, yb * 24 + xb] for xa, ya, xb, yb in listed(matches)] == found
    assert matches.conf.tolist() == [
        min(a.conf[ya, xa], b.conf[yb, xb]).item() for xa, ya, xb, yb in listed(matches)
    ]


def test_no_match_starts_or_ends_outside_the_masks():
    runs = [(unit_map(0, coverage=0.3), unit_map(1, coverage=0.3)) for _ in range(2)]
    matches = symmetric_matches(runs, 1)
    assert len(matches.conf) > 10
    for xy, descriptors in ((matches.xy_a, runs[0][0]), (matches.xy_b, runs[0][1])):
        assert descriptors.inside[xy[:, 1], xy[:, 0]].all()


def test_without_confidences_every_match_counts_one():
    a, b = (replace(m, conf=None) for m in related_maps(2))
    assert (symmetric_matches([(a, b), (a, b)], 4).conf == 1).all()


def test_the_score_is_a_geometric_mean_a_sum_and_a_count():
    matches = symmetric_matches([related_maps(0), related_maps(10)], 4)
    mean, total, count = pair_score([torch.full((3, 4), value) for value in (1.0, 2.0, 4.0, 8.0)], matches)
    assert mean == pytest.approx(64**0.25)
    assert total == pytest.approx(matches.conf.sum().item())
    assert count == len(as_matches(matches).conf)
