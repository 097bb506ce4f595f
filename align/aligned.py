"""What an aligner is, and what it hands on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, replace
from typing import Any, ClassVar, Protocol

import torch

from align.depth_maps.clean import CleanOptions, clean
from align.depth_maps.dense_view import DenseView
from align.depth_maps.source import DepthSource, Posed
from align.measurements.gathered import Measurements, PairRecord, ReadingOptions
from align.measurements.known_cameras import Known, PosePrior
from align.scene import Report, Scene, SceneView
from masks.notice import Notice
from masks.progress import Progress
from pairs.prediction.predictions import Matches, Predictions
from pairs.views.cameras import Cameras
from pairs.views.view import View, grid_mask


@dataclass(frozen=True, slots=True)
class Aligned:
    """Cameras and depth of all views in one world, and what the aligner says of them."""

    cameras: Cameras
    """K in grid pixels."""
    dense: tuple[DenseView, ...]
    notices: tuple[Notice, ...]
    figures: Mapping[str, Any]
    """Numbers for the report, ready for JSON."""


class Aligner(Protocol):
    """Finds the cameras and depths in which measurements agree best.

    An aligner is its own options: a frozen dataclass, whose fields `align.presets.with_options` sets.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def reading(self) -> ReadingOptions:
        """How predictions are read for it."""
        ...

    @property
    def pose_prior(self) -> PosePrior | None:
        """How far it believes poses that are known; none: it starts from no poses, and is given none."""
        ...

    def with_fixed_poses(self) -> Aligner:
        """Return the aligner that leaves known poses as they are; itself where it starts from none."""
        ...

    def align(self, measurements: Measurements, known: Known, progress: Progress) -> Aligned:
        """Return cameras and depths of all views, which matches or known poses tie together.

        Of what is known, K is fixed, and so are the poses, and the depths, of views that `known` fixes; other
        known poses set the world and are believed as far as the prior says.
        """
        ...


def with_depths(
    aligned: Aligned,
    views: Sequence[View],
    records: Sequence[PairRecord],
    source: DepthSource | None,
    progress: Progress,
) -> Aligned:
    """Return what the aligner handed on with the depths of a source; without one, as it is.

    What a pixel off the object has for a depth, or one behind the camera, is kept from the source.
    """
    if source is None:
        return aligned
    posed = Posed(
        tuple(view.name for view in views),
        tuple(_on_object(view, seen) for view, seen in zip(views, aligned.dense)),
        torch.from_numpy(aligned.cameras.K),
        torch.from_numpy(aligned.cameras.cam_from_world),
        {
            (record.a, record.b): Matches(record.xy_a.numpy(), record.xy_b.numpy(), record.conf.numpy())
            for record in records
        },
    )
    found = source.depths(posed, progress)
    figures = {**aligned.figures, "depth": dict(found.figures)} if found.figures else aligned.figures
    return replace(aligned, dense=found.dense, notices=(*aligned.notices, *found.notices), figures=figures)


def _on_object(view: View, seen: DenseView) -> DenseView:
    """Return a view's pixels with a depth on the object, without the margin of the solver's grid."""
    mask = torch.from_numpy(grid_mask(view))
    height, width = mask.shape
    depth, points = seen.depth[:height, :width], seen.points[:height, :width]
    known = mask & (depth > 0) & torch.isfinite(depth)
    return DenseView(
        torch.where(known[..., None], points, torch.nan),
        torch.where(known, depth, torch.nan),
        seen.conf[:height, :width],
    )


def scene_of(
    predictions: Predictions, aligned: Aligned, notices: Sequence[Notice], clean_options: CleanOptions
) -> Scene:
    """Return the scene of an alignment, its depth maps cleaned against each other."""
    cameras = aligned.cameras
    dense = clean(
        aligned.dense, torch.from_numpy(cameras.K), torch.from_numpy(cameras.cam_from_world), clean_options
    )
    views = tuple(_scene_view(view, seen) for view, seen in zip(predictions.views, dense))
    report = Report((*notices, *aligned.notices), aligned.figures)
    return Scene(views, cameras, tuple(view.name for view in predictions.views), predictions.edges, report)


def _scene_view(view: View, seen: DenseView) -> SceneView:
    """Return a view as the scene keeps it. A pixel off the object, or without a depth in front of the camera,
    has neither depth nor confidence.
    """
    mask = grid_mask(view)
    height, width = mask.shape  # the solver's grid may have a margin that makes its blocks whole
    depth, conf = seen.depth[:height, :width], seen.conf[:height, :width]
    depth, conf = depth.float(), conf.float()  # which makes an infinity of what is too far
    known = torch.from_numpy(mask) & (depth > 0) & depth.isfinite() & conf.isfinite()
    depth, conf = (torch.where(known, x, 0).numpy() for x in (depth, conf))
    return SceneView(view.name, view.camera, view.pixel_map, depth, conf, view.image, mask)
