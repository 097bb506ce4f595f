"""How well the pairs' matches agree with a dense alignment, whose losses know nothing of matches."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from align.agreement import Agreement, agreement_of
from align.depth_maps.dense_view import DenseView
from align.measurements.gathered import PairRecord
from align.pinhole import in_camera, project
from pairs.views.cameras import Cameras

_BEHIND_PX = 1e3
"""What counts for a point behind the camera: far off, and finite."""


def matches_agree(records: Sequence[PairRecord], dense: Sequence[DenseView], cameras: Cameras) -> Agreement:
    """Return the agreement of all matches whose pixels have a depth: each end's point, seen by the other
    end's view.
    """
    K, cam_from_world = torch.from_numpy(cameras.K), torch.from_numpy(cameras.cam_from_world)
    errors, owners = [torch.zeros(0, dtype=torch.float64)], [torch.zeros(0, dtype=torch.int64)]
    for record in records:
        ends = ((record.a, record.xy_a), (record.b, record.xy_b))
        for (source, xy), (target, seen) in (ends, ends[::-1]):
            points, known = _points_at(dense[source], xy)
            in_cam = in_camera(points, cam_from_world[target])
            error = (project(in_cam, K[target].expand(len(in_cam), 3, 3)) - seen[known]).norm(dim=1)
            errors.append(torch.where(in_cam[:, 2] > 0, error, _BEHIND_PX))
            owners.append(torch.full((len(error),), source))
    return agreement_of(torch.cat(errors), torch.cat(owners), len(dense))


def _points_at(view: DenseView, xy: Tensor) -> tuple[Tensor, Tensor]:
    """Return the world points of the nearest pixels, and which positions (M,) have one."""
    height, width = view.depth.shape
    column, row = xy.round().long().unbind(1)
    points = view.points[row.clamp(0, height - 1), column.clamp(0, width - 1)].double()
    known = points.isfinite().all(1)
    return points[known], known
