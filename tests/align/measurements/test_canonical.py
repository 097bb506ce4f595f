from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_scene import HEIGHT, WIDTH, small_problem

from align.measurements.anchors import anchor_grid, anchor_of_pixel, anchored_ratio
from align.measurements.canonical import anchor_at, canonical_view, masked_canonical_view
from align.measurements.focal import estimate_focal, masked_focal
from align.pinhole import pixel_grid
from masks.errors import SolverError

CENTRE = torch.tensor([WIDTH / 2, HEIGHT / 2], dtype=torch.float64)


def random_maps(seed: int = 0, num_maps: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    depth = 3 + torch.rand(num_maps, HEIGHT, WIDTH, generator=generator, dtype=torch.float64)
    pixels = pixel_grid(HEIGHT, WIDTH, depth).reshape(HEIGHT, WIDTH, 2) - CENTRE
    points = torch.cat([pixels / 50, torch.ones(HEIGHT, WIDTH, 1)], -1) * depth[..., None]
    return points, 1 + 5 * torch.rand(num_maps, HEIGHT, WIDTH, generator=generator, dtype=torch.float64)


def disc() -> torch.Tensor:
    offset = pixel_grid(HEIGHT, WIDTH, torch.zeros(1)).reshape(HEIGHT, WIDTH, 2) - torch.tensor([22.0, 15.0])
    return offset.norm(dim=-1) < 11.5


@pytest.mark.parametrize("junk", [torch.nan, torch.inf, -1e30, 0.0])
def test_what_lies_outside_the_mask_never_changes_a_bit(junk):
    points, confs = random_maps()
    mask = disc()
    spoiled, spoiled_confs = points.clone(), confs.clone()
    spoiled[:, ~mask] = junk
    spoiled_confs[:, ~mask] = junk
    one, two = (
        masked_canonical_view(*maps, mask, CENTRE) for maps in ((points, confs), (spoiled, spoiled_confs))
    )
    for name in ("depth", "conf", "focal", "anchor_depth", "depth_ratio", "valid"):
        assert torch.equal(getattr(one, name).nan_to_num(-1), getattr(two, name).nan_to_num(-1)), name


def test_background_has_no_depth_and_empty_blocks_have_no_anchor():
    mask = disc()
    view = masked_canonical_view(*random_maps(), mask, CENTRE)
    assert torch.equal(torch.isfinite(view.depth), mask)
    blocks = mask.reshape(HEIGHT // 8, 8, WIDTH // 8, 8).any(3).any(1)
    assert torch.equal(torch.isfinite(view.anchor_depth), blocks)
    assert not bool(blocks.all())


def test_anchor_of_a_partly_covered_block_is_its_object_pixel_nearest_to_the_centre():
    mask = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    mask[1, 2] = mask[3, 3] = mask[7, 7] = True
    points, confs = random_maps(num_maps=1)
    view = masked_canonical_view(points, confs, mask, CENTRE)
    assert view.anchor_depth[0, 0] == view.depth[3, 3]
    torch.testing.assert_close(view.depth_ratio[1, 2], view.depth[1, 2] / view.depth[3, 3])


def test_depth_is_anchor_depth_times_ratio_everywhere_on_the_object():
    mask = disc()
    view = masked_canonical_view(*random_maps(), mask, CENTRE)
    xy = torch.nonzero(mask).flip(1)
    index, ratio, usable = anchor_at(view, xy)
    assert bool(usable.all())
    torch.testing.assert_close(
        view.anchor_depth.flatten()[index] * ratio, view.depth[mask], rtol=1e-14, atol=0
    )


def test_maps_of_different_scale_average_to_one_shape():
    points, confs = random_maps(num_maps=1)
    scaled = torch.cat([points, 4 * points])
    view = masked_canonical_view(scaled, confs.expand(2, -1, -1), disc(), CENTRE)
    torch.testing.assert_close(view.depth[disc()], 2 * points[0, ..., 2][disc()])


@pytest.mark.parametrize("depth", [0.0, -1.0, torch.nan])
def test_an_object_without_positive_depth_is_an_error(depth):
    points, confs = random_maps()
    points[1, ..., 2] = depth
    with pytest.raises(SolverError, match="no pixel of the object"):
        masked_canonical_view(points, confs, disc(), CENTRE)


def test_zeroed_background_under_an_anchor_is_named_in_the_reference_mode():
    points, confs = random_maps()
    points[:, :8, :8] = 0
    with pytest.raises(SolverError, match="Give masks"):
        canonical_view(points, confs, CENTRE)


def test_a_view_that_is_no_multiple_of_the_blocks_is_refused():
    points, confs = random_maps()
    with pytest.raises((ValueError, RuntimeError)):
        canonical_view(points[:, :, :44], confs[:, :, :44], CENTRE)


@given(width=st.integers(8, 80), subsample=st.sampled_from([2, 4, 8, 16]))
def test_anchor_columns_are_those_that_fit(width, subsample):
    assert anchor_grid(width, subsample) == len(range(subsample // 2, width, subsample))


def test_anchor_numbers_run_along_the_rows():
    xy = torch.tensor([[0, 0], [8, 0], [7, 8], [15, 31]])
    assert anchor_of_pixel(xy, 48, 8).tolist() == [0, 1, 6, 19]
    index, ratio = anchored_ratio(torch.full((32, 48), 2.0), xy, 8)
    assert index.tolist() == [0, 1, 6, 19]
    assert ratio.tolist() == [1, 1, 1, 1]


def test_focal_of_exact_rays_is_found_from_the_object_alone():
    points, _ = random_maps(num_maps=1)
    torch.testing.assert_close(estimate_focal(points, CENTRE[None])[0], torch.tensor(50.0).double())
    points[0, ~disc()] = torch.nan
    torch.testing.assert_close(masked_focal(points[0], CENTRE, disc()), torch.tensor(50.0).double())


def test_canonical_views_of_a_scene_carry_its_focal():
    views, _, _ = small_problem(3)
    for view in views:
        torch.testing.assert_close(view.focal, torch.tensor(50.0).double())
