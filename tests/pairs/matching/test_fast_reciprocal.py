"""The walk equals its plain twin; what a mask hides is not compared, costs nothing and changes nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_maps import related_maps, unit_desc, unit_map
from torch import Tensor

from pairs.matching.descriptor_map import DescriptorMap, grid_pixels
from pairs.matching.fast_reciprocal import (
    basins_from_grid,
    prepare_search,
    reciprocal_from_grid,
    reciprocal_from_seeds,
)
from pairs.matching.nearest import by_dot_product


def plain_walk(
    a: DescriptorMap, b: DescriptorMap, seeds: list[int], rounds: int
) -> list[tuple[int, int, int, bool]]:
    """Let every seed walk on its own, by the letter (arXiv:2406.09756, section 3.3): (before, here, there,
    active) at the end.
    """
    similarity = a.desc.flatten(0, 1) @ b.desc.flatten(0, 1).T
    if a.inside is not None:
        similarity[~a.inside.flatten()] = -torch.inf
    if b.inside is not None:
        similarity[:, ~b.inside.flatten()] = -torch.inf
    ends = []
    for seed in seeds:
        before, here, before_there, there, active = seed, seed, -1, -1, True
        for _ in range(rounds):
            before, before_there = here, there
            there = int(similarity[here].argmax())
            active = there != before_there
            if active:
                here = int(similarity[:, there].argmax())
                active = here != before
            if not active:
                break
        ends.append((before, here, there, active))
    return ends


def kept(a: DescriptorMap, pixels: Tensor) -> list[int]:
    return [p for p in sorted(set(pixels.tolist())) if a.inside is None or a.inside.flatten()[p]]


@settings(max_examples=25)
@given(st.integers(0, 999), st.sampled_from([None, 0.7, 0.2]), st.integers(1, 9), st.booleans())
def test_walks_end_where_the_plain_ones_do(seed, coverage, subsample, related):
    a, b = (
        related_maps(seed, coverage=coverage)
        if related
        else (unit_map(seed, coverage=coverage), unit_map(seed + 1, (12, 20), coverage))
    )
    expected = {
        (here, there)
        for _, here, there, active in plain_walk(a, b, kept(a, grid_pixels(a.size, subsample)), 10)
        if not active
    }
    assert reciprocal_from_grid(prepare_search(a, b), subsample).tolist() == [
        list(pair) for pair in sorted(expected)
    ]


@settings(max_examples=25)
@given(st.integers(0, 999), st.sampled_from([None, 0.5]), st.sampled_from([0, 1, 3, 5.5]))
def test_seeds_come_back_within_the_tolerance_or_are_dropped(seed, coverage, tolerance):
    a, b = related_maps(seed, coverage=coverage)
    seeds = torch.randint(0, 16 * 24, (90,), generator=torch.Generator().manual_seed(seed))
    expected = set()
    for before, here, there, active in plain_walk(a, b, kept(a, seeds), 1):
        away = complex(here % 24 - before % 24, here // 24 - before // 24)
        if not active or abs(away) < tolerance:
            expected.add((before, there))
    assert reciprocal_from_seeds(prepare_search(a, b), seeds, tolerance).tolist() == [
        list(pair) for pair in sorted(expected)
    ]


def test_basins_lead_to_where_a_pixel_goes_next():
    a, b = related_maps(3)
    pairs, basin = basins_from_grid(prepare_search(a, b), 4)
    similarity = a.desc.flatten(0, 1) @ b.desc.flatten(0, 1).T
    there = similarity.argmax(1)
    passed = (basin[:-1] >= 0).nonzero()[:, 0]
    assert torch.equal(basin[passed].long(), similarity[:, there[passed]].argmax(0))
    assert basin[-1] == -1
    assert set(grid_pixels(a.size, 4).tolist()) <= set(passed.tolist())
    assert torch.equal(pairs, reciprocal_from_grid(prepare_search(a, b), 4))


def test_matches_are_mutual_nearest_neighbours():
    a, b = unit_desc(0), unit_desc(1)
    found = reciprocal_from_grid(prepare_search(DescriptorMap(a), DescriptorMap(b)), 4)
    similarity = a.flatten(0, 1) @ b.flatten(0, 1).T
    assert len(found) > 0
    assert torch.equal(similarity[found[:, 0]].argmax(1), found[:, 1])
    assert torch.equal(similarity[:, found[:, 1]].argmax(0), found[:, 0])


def test_a_shifted_picture_is_matched_by_its_shift():
    a = unit_desc(0)
    found = reciprocal_from_grid(prepare_search(DescriptorMap(a), DescriptorMap(a.roll((2, 3), (0, 1)))), 8)
    row, column = found[:, 0] // 24, found[:, 0] % 24
    assert torch.equal(found[:, 1], (row + 2) % 16 * 24 + (column + 3) % 24)
    assert len(found) == 6


def test_every_mutual_pair_inside_the_masks_is_found_from_all_seeds_and_no_other():
    a, b = unit_map(0, coverage=0.4), unit_map(1, coverage=0.6)
    similarity = a.desc.flatten(0, 1) @ b.desc.flatten(0, 1).T
    in_a, in_b = (m.inside.flatten().nonzero()[:, 0] for m in (a, b))
    among = similarity[in_a][:, in_b]
    mutual = [
        (int(in_a[i]), int(in_b[j])) for i, j in enumerate(among.argmax(1)) if among[:, j].argmax() == i
    ]
    assert reciprocal_from_seeds(prepare_search(a, b), torch.arange(16 * 24)).tolist() == [
        list(pair) for pair in mutual
    ]


def test_descriptors_outside_the_masks_are_never_looked_at():
    a, b = (unit_map(k, coverage=0.5) for k in range(2))
    poisoned = [replace(m, desc=torch.where(m.inside[..., None], m.desc, torch.nan)) for m in (a, b)]
    assert torch.equal(
        reciprocal_from_grid(prepare_search(a, b), 2), reciprocal_from_grid(prepare_search(*poisoned), 2)
    )


def test_descriptors_that_are_not_finite_are_left_out_and_spoil_nothing():
    a, b = unit_map(0), unit_map(1)
    lost = torch.zeros(b.size, dtype=torch.bool)
    lost[3:5, 7:12] = True
    broken = replace(b, desc=torch.where(lost[..., None], torch.nan, b.desc))
    expected = reciprocal_from_grid(prepare_search(a, replace(b, inside=~lost)), 2)
    assert torch.equal(reciprocal_from_grid(prepare_search(a, broken), 2), expected)


def compared(coverage: float) -> int:
    """Return how many pairs of descriptors a search compares."""
    count = 0

    def counting(among: Tensor):
        def find(asked: Tensor) -> Tensor:
            nonlocal count
            count += len(asked) * len(among)
            return by_dot_product(among)(asked)

        return find

    maps = [unit_map(k, (48, 64), coverage) for k in range(2)]
    reciprocal_from_grid(prepare_search(*maps, counting), 4)
    return count


def test_the_work_falls_with_the_square_of_the_coverage():
    whole, half, tenth = (compared(coverage) for coverage in (1.0, 0.5, 0.1))
    assert half < 0.3 * whole
    assert tenth < 0.02 * whole


def test_no_neighbour_is_looked_up_twice_in_either_direction():
    asked = []

    def watching(among: Tensor):
        def find(queries: Tensor) -> Tensor:
            asked.extend((len(among), tuple(query)) for query in queries.tolist())
            return by_dot_product(among)(queries)

        return find

    a, b = related_maps(5)
    b = DescriptorMap(b.desc[:12], b.conf[:12])
    search = prepare_search(a, b, watching)
    reciprocal_from_grid(search, 2)
    reciprocal_from_grid(search.reversed(), 2)
    assert len(asked) == len(set(asked))


@pytest.mark.parametrize("empty", [0, 1])
def test_an_empty_mask_gives_no_pair(empty):
    maps = [unit_map(k, coverage=0.0 if k == empty else 0.5) for k in range(2)]
    search = prepare_search(*maps)
    assert reciprocal_from_grid(search, 4).shape == (0, 2)
    assert reciprocal_from_grid(search.reversed(), 4).shape == (0, 2)
    assert reciprocal_from_seeds(search, torch.arange(50), 3).shape == (0, 2)
    assert (basins_from_grid(search, 4)[1] == -1).all()
    assert len(basins_from_grid(search, 4)[1]) == 16 * 24 + 1


def test_a_map_whose_parts_do_not_fit_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        DescriptorMap(torch.zeros(4, 5, 3), torch.zeros(5, 4))
    with pytest.raises(ValueError, match="boolean"):
        DescriptorMap(torch.zeros(4, 5, 3), inside=torch.zeros(4, 5))
    with pytest.raises(ValueError, match="H, W, D"):
        DescriptorMap(torch.zeros(4, 5))
