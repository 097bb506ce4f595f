from __future__ import annotations

import torch

from pairs.reciprocal import pair_matches, reciprocal_search


def unit_maps(seed: int, height: int = 16, width: int = 24) -> torch.Tensor:
    maps = torch.randn(height, width, 24, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(maps, dim=-1)


def test_matches_are_mutual_nearest_neighbours():
    a, b = unit_maps(0), unit_maps(1)
    found = reciprocal_search(a, b, 4)
    likeness = a.flatten(0, 1) @ b.flatten(0, 1).T
    assert len(found) > 0
    assert torch.equal(likeness[found[:, 0]].argmax(1), found[:, 1])
    assert torch.equal(likeness[:, found[:, 1]].argmax(0), found[:, 0])
    assert torch.equal(found, torch.unique(found, dim=0))


def test_a_shifted_picture_is_matched_by_its_shift():
    a = unit_maps(0)
    found = reciprocal_search(a, a.roll((2, 3), (0, 1)), 8)
    row, column = found[:, 0] // 24, found[:, 0] % 24
    assert torch.equal(found[:, 1], (row + 2) % 16 * 24 + (column + 3) % 24)
    assert len(found) == 6


def test_a_pair_in_the_other_order_has_the_same_matches():
    desc = [(unit_maps(k), unit_maps(k)) for k in range(2)]
    conf = [(torch.full((16, 24), 4.0), torch.full((16, 24), 4.0)), (torch.full((16, 24), 9.0), torch.full((16, 24), 9.0))]
    there = pair_matches(desc[0], conf[0], desc[1], conf[1], 4)
    back = pair_matches(desc[1], conf[1], desc[0], conf[0], 4)
    listed = [{(*xy_a, *xy_b) for xy_a, xy_b in zip(each.xy_a.tolist(), each.xy_b.tolist())} for each in (there, back)]
    assert listed[0] == {(*pair[2:], *pair[:2]) for pair in listed[1]}
    assert len(listed[0]) == len(there.conf)
    assert (there.conf == 6).all()
