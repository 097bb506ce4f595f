"""Any aligner takes its place in a preset: what calls it knows none by name."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_predictions import IN_ONE_UNIT, TRUTH, predictions, small_view, true_cameras

import align
from align.aligned import Aligned, Aligner
from align.bundle.options import BundleOptions
from align.dense.options import DenseOptions
from align.depth_maps.dense_view import DenseView
from align.global_alignment import align_components, align_connected, align_predictions, register_views
from align.measurements.gathered import Measurements, ReadingOptions
from align.measurements.known_cameras import Known, PosePrior
from align.pinhole import backproject
from align.presets import POINTLOOM, PRESETS, Preset, presets_with, with_fixed_poses, with_options
from align.sparse.options import SparseOptions
from masks.errors import UserError
from masks.progress import Progress
from pairs.prediction.predictions import Predictions
from pairs.views.cameras import Cameras


@dataclass(frozen=True, slots=True)
class AtKnownPoses:
    """A toy: cameras as they are known, depths as they are predicted, times a factor."""

    pose_prior: PosePrior | None = field(default_factory=PosePrior)
    factor: float = 1.0

    @property
    def reading(self) -> ReadingOptions:
        return ReadingOptions(subsample=4)

    def with_fixed_poses(self) -> AtKnownPoses:
        return self if self.pose_prior is None else replace(self, pose_prior=PosePrior(fixed=True))

    def align(self, measurements: Measurements, known: Known, progress: Progress) -> Aligned:
        progress("standing still", 1, 1)
        assert {view.subsample for view in measurements.views} == {4}
        here = torch.eye(4, dtype=torch.float64)
        numbers = range(len(measurements.views))
        poses = np.stack([known.cam_from_world.get(k, here).numpy() for k in numbers])
        cameras = Cameras(np.stack([known.K[k].numpy() for k in numbers]), poses)
        dense = []
        for k, view in enumerate(measurements.views):
            depth = self.factor * view.depth
            world_from_cam = torch.from_numpy(cameras.world_from_cam[k])
            points = backproject(depth, torch.from_numpy(cameras.K[k]), world_from_cam)
            dense.append(DenseView(points, depth, view.conf))
        fixed = self.pose_prior is not None and self.pose_prior.fixed
        return Aligned(cameras, tuple(dense), (), {"fixed": fixed})


TOY = Preset(AtKnownPoses())


def given() -> Predictions:
    return predictions(IN_ONE_UNIT, true_cameras())


@pytest.mark.parametrize(
    "aligner",
    [BundleOptions(), SparseOptions(), DenseOptions(), AtKnownPoses()],
    ids=lambda a: type(a).__name__,
)
def test_every_aligner_says_how_it_reads_and_whether_it_takes_poses(aligner: Aligner) -> None:
    assert isinstance(aligner.reading, ReadingOptions)
    assert (aligner.pose_prior is None) == (type(aligner) is SparseOptions)


@pytest.mark.parametrize(
    "align_all", [align_predictions, align_connected, lambda *a: align_components(*a)[0]]
)
def test_a_third_aligner_needs_nothing_but_its_place_in_a_preset(align_all) -> None:
    stages: list[str] = []
    scene = align_all(given(), TOY, lambda stage, done, total: stages.append(stage))
    assert "standing still" in stages
    np.testing.assert_array_equal(scene.cameras.cam_from_world, TRUTH)
    assert [view.name for view in scene.views] == [view.name for view in given().views]
    assert all((view.depth > 0).all() for view in scene.views)


def test_its_options_are_set_by_name_and_its_poses_fixed_like_those_of_any() -> None:
    once, twice = (align_predictions(given(), preset) for preset in (TOY, with_options(TOY, factor=2.0)))
    np.testing.assert_allclose(twice.views[0].depth, 2 * once.views[0].depth, rtol=1e-6)
    assert not once.report.figures["fixed"]
    assert align_predictions(given(), with_fixed_poses(TOY)).report.figures["fixed"]
    with pytest.raises(UserError, match=r"solver: .*`preset=mast3r or mast3r-function"):
        with_options(TOY, solver="adam")


def test_views_are_placed_in_a_scene_by_it() -> None:
    pairs = {pair: entry for pair, entry in IN_ONE_UNIT.items() if 4 not in pair}
    four = Predictions(
        tuple(small_view(k) for k in range(4)), tuple(pairs), [*pairs.values()].__getitem__, None, ()
    )
    scene = align_predictions(four, POINTLOOM)
    grown = register_views(scene, predictions(), TOY)
    np.testing.assert_array_equal(grown.cameras.cam_from_world, [*scene.cameras.cam_from_world, np.eye(4)])


def test_one_that_takes_no_poses_is_given_none_and_the_report_says_so() -> None:
    stated = tuple(
        replace(view, K=K, cam_from_world=pose)
        for view, K, pose in zip(given().views, true_cameras().K, TRUTH)
    )
    scene = align_predictions(replace(given(), views=stated), Preset(AtKnownPoses(pose_prior=None)))
    np.testing.assert_array_equal(scene.cameras.cam_from_world, np.tile(np.eye(4), (5, 1, 1)))
    assert [notice.subject for notice in scene.report.notices] == ["poses"]


def test_presets_are_found_by_what_they_can_be_told() -> None:
    assert presets_with("pose_prior") == "pointloom"
    assert presets_with("solver").split(" or ") == [
        name for name in PRESETS if name not in ("pointloom", "dust3r-pair")
    ]
    assert presets_with("solver", "pose_prior") == "none"


def test_no_code_asks_which_aligner_it_has() -> None:
    asked = [
        (path.name, node.lineno)
        for path in Path(align.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "isinstance"
        and any(name in ast.unparse(node.args[1]) for name in ("BundleOptions", "SparseOptions"))
    ]
    assert asked == []
