"""What a source of depths is: how the depth of every view is found once the cameras stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from align.depth_maps.dense_view import DenseView
from align.pinhole import backproject
from masks.notice import Notice
from masks.progress import Progress
from pairs.prediction.predictions import Matches


@dataclass(frozen=True, slots=True)
class Posed:
    """Views whose cameras stand, with the aligner's depths."""

    names: tuple[str, ...]
    dense: tuple[DenseView, ...]
    """NaN where a pixel is off the object or has no depth."""
    K: Tensor  # (V, 3, 3), grid pixels
    cam_from_world: Tensor  # (V, 4, 4)
    matches: Mapping[tuple[int, int], Matches]
    """Of each pair of views, both ends on the object; no pairs from a backend that predicts none."""


@dataclass(frozen=True, slots=True)
class Depths:
    """The views' depths by a source, and what it says of them."""

    dense: tuple[DenseView, ...]
    notices: Sequence[Notice] = ()
    figures: Mapping[str, Any] | None = None
    """Numbers for the report, ready for JSON."""


class DepthSource(Protocol):
    """Gives every view its depth. A source is its own options: a frozen dataclass."""

    def depths(self, posed: Posed, progress: Progress) -> Depths:
        """Return the views with other depths and their points; confidences stay the aligner's.

        A pixel without depth says nothing of any other and gets none. Raises `UserError` when the views lack
        what the source needs.
        """
        ...


def at_depth(view: DenseView, depth: Tensor, K: Tensor, cam_from_world: Tensor) -> DenseView:
    """Return the view with another depth (H, W), and its points."""
    return replace(view, depth=depth, points=backproject(depth, K, torch.linalg.inv(cam_from_world)))
