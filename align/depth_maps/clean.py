"""Lower the confidence of points that stand in front of what another view sees
(docs/sparse_alignment.md, "Cleaning").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from align.depth_maps.dense_view import DenseView
from align.pinhole import seen_at


def clean(
    dense: Sequence[DenseView],
    K: Tensor,  # (V, 3, 3)
    cam_from_world: Tensor,  # (V, 4, 4)
    tolerance: float = 0.001,
    bad_conf: float = 0.0,
) -> list[DenseView]:
    """Return the views with the confidence of contradicted points lowered to `bad_conf`.

    A point of view i is contradicted by view j when it lies more than `tolerance` (a share of the depth) in
    front of what j sees there with a higher confidence. Views are taken in order and confidences already
    lowered count as such, so the result depends on the order. Pixels without a point (NaN) neither contradict
    nor are contradicted. Time grows with the square of the number of views.
    """
    # Only pixels with a point are carried from view to view: of a masked photo that is a small part.
    held = [torch.isfinite(view.points).all(-1) for view in dense]
    points = [view.points[here] for view, here in zip(dense, held)]
    confs = [view.conf.clone() for view in dense]
    for i, here in enumerate(held):
        conf = confs[i][here]
        for j, other in enumerate(dense):
            if i == j:
                continue
            visible, pixel, z = seen_at(
                points[i], K[j], cam_from_world[j], (other.depth.shape[1], other.depth.shape[0])
            )
            in_front = z < (1 - tolerance) * other.depth.flatten()[pixel]
            bad = visible & in_front & (conf < confs[j].flatten()[pixel])
            conf = torch.where(bad, conf.clamp(max=bad_conf), conf)
        confs[i][here] = conf
    return [replace(view, conf=conf) for view, conf in zip(dense, confs)]
