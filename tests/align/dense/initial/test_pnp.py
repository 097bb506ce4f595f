import pytest
import torch
from seen_dense import discs, seen

from align.dense.initial.pnp import place_camera
from align.pinhole import backproject


def _view() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, float, torch.Tensor]:
    """Return world points, mask, pose, focal and principal point of a view."""
    problem, truth = seen()
    height, width = problem.sizes[0]
    K = torch.tensor([[truth.focals[0], 0, width / 2], [0, truth.focals[0], height / 2], [0, 0, 1]])
    points = backproject(truth.depth[0], K, truth.world_from_cam[0])
    return points, discs()[0], truth.world_from_cam[0], truth.focals[0].item(), K[:2, 2]


@pytest.mark.parametrize("junk", [0.0, 1e9, torch.nan])
def test_a_camera_is_found_whatever_lies_outside_the_mask(junk: float) -> None:
    points, mask, pose, focal, middle = _view()
    found = place_camera(torch.where(mask[..., None], points, junk), mask, focal, middle, 10)
    assert found is not None
    assert found.focal == focal
    torch.testing.assert_close(found.world_from_cam, pose, atol=1e-3, rtol=0)


def test_of_several_focals_one_is_taken_that_the_points_agree_with() -> None:
    """On a picture of 32 pixels a threshold of 5 tells little: see `_ERROR_PX`."""
    points, mask, _, focal, middle = _view()
    found = place_camera(points, mask, None, middle, 100)
    assert found is not None
    assert 0.4 < found.focal / focal < 1.1


def test_three_pixels_and_points_in_one_place_give_no_camera() -> None:
    points, mask, _, focal, middle = _view()
    few = torch.zeros_like(mask)
    few[3, 4:7] = True
    assert place_camera(points, few, focal, middle, 10) is None
    assert place_camera(torch.full_like(points, torch.nan), mask, focal, middle, 10) is None
