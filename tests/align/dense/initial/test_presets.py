import pytest
import torch
from seen_dense import seen

from align.dense.initial.presets import Presets, with_presets
from align.dense.options import DenseOptions
from align.dense.poses import focals, principal_points, random_parameters, view_poses
from masks.errors import StatedCamerasError

OPTIONS = DenseOptions()


def test_only_views_with_a_preset_are_frozen_and_the_others_stay_as_they_are() -> None:
    problem, truth = seen()
    drawn = random_parameters(problem.sizes, len(problem.edges), OPTIONS)
    presets = Presets({2: truth.world_from_cam[2]}, {0: torch.tensor(30.0)}, {1: torch.tensor([10.0, 13.0])})
    found = with_presets(drawn, presets, problem, OPTIONS)
    torch.testing.assert_close(view_poses(found.poses)[2], truth.world_from_cam[2])
    torch.testing.assert_close(focals(found.log_focals, OPTIONS)[0], torch.tensor([30.0]))
    torch.testing.assert_close(
        principal_points(found.principal_points, problem.sizes)[1], torch.tensor([10.0, 13.0])
    )
    assert torch.equal(found.poses[[0, 1, 3]], drawn.poses[[0, 1, 3]])
    assert torch.equal(found.log_focals[1:], drawn.log_focals[1:])
    frozen = presets.frozen
    assert (frozen.poses, frozen.focals, frozen.principal_points) == ({2}, {0}, {1})


@pytest.mark.parametrize(
    ("presets", "said"),
    [
        (Presets(focals={4: torch.tensor(3.0)}), "view 4"),
        (Presets(focals={1: torch.tensor(-3.0)}), "photo1.jpg: its stated focal"),
        (Presets(world_from_cam={0: torch.full((4, 4), torch.nan)}), "photo0.jpg: its stated pose"),
    ],
)
def test_values_that_no_camera_has_are_named(presets: Presets, said: str) -> None:
    problem, _ = seen()
    drawn = random_parameters(problem.sizes, len(problem.edges), OPTIONS)
    with pytest.raises(StatedCamerasError, match=said):
        with_presets(drawn, presets, problem, OPTIONS)
