"""Cameras that are known beforehand (docs/dense_alignment.md, "Known cameras")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from torch import Tensor

from align.dense.options import DenseOptions
from align.dense.parameters import DenseParameters, Frozen
from align.dense.poses import focal_values, pose_values, principal_point_values
from align.dense.problem import DenseProblem
from masks.errors import StatedCamerasError


@dataclass(frozen=True, slots=True)
class Presets:
    """What is known, by view; it stays as it is while the other views are found."""

    world_from_cam: Mapping[int, Tensor] = field(default_factory=dict)  # (4, 4) each
    focals: Mapping[int, Tensor] = field(default_factory=dict)  # () each, or (2,) for fx and fy
    principal_points: Mapping[int, Tensor] = field(default_factory=dict)  # (2,) each, pixels

    @property
    def frozen(self) -> Frozen:
        """What is stated, and so does not move."""
        return Frozen(
            poses=frozenset(self.world_from_cam),
            focals=frozenset(self.focals),
            principal_points=frozenset(self.principal_points),
        )


def with_presets(
    parameters: DenseParameters, presets: Presets, problem: DenseProblem, options: DenseOptions
) -> DenseParameters:
    """Return the parameters with what is known of some views. Raises `StatedCamerasError` for values that no
    camera has.
    """
    _check(presets, problem)
    poses, focals = parameters.poses.clone(), parameters.log_focals.clone()
    points = parameters.principal_points.clone()
    for view, pose in presets.world_from_cam.items():
        poses[view] = pose_values(pose[None, :3, :3], pose[None, :3, 3])[0]
    for view, focal in presets.focals.items():
        focals[view] = focal_values(focal, options)
    for view, point in presets.principal_points.items():
        points[view] = principal_point_values(point[None], [problem.sizes[view]])[0]
    return replace(parameters, poses=poses, log_focals=focals, principal_points=points)


def _check(presets: Presets, problem: DenseProblem) -> None:
    for name, values in (
        ("pose", presets.world_from_cam),
        ("focal", presets.focals),
        ("principal point", presets.principal_points),
    ):
        for view, value in values.items():
            if not 0 <= view < problem.num_views:
                raise StatedCamerasError(
                    f"a {name} is stated for view {view}, but there are {problem.num_views} views. State "
                    "cameras of these views only."
                )
            if not bool(value.isfinite().all()) or (name == "focal" and bool((value <= 0).any())):
                raise StatedCamerasError(
                    f"{problem.name(view)}: its stated {name} is {value.tolist()}, which no camera has. "
                    "Mend it, or leave it out."
                )
