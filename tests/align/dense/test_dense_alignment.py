"""The dense aligner as a whole, on exact predictions of a small scene."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_predictions import ENTRIES, NUM_VIEWS, TRUTH, predictions, small_view
from small_scene import HEIGHT, WIDTH, intrinsics
from tilted_predictions import stated as tilted

from align.dense import from_predictions
from align.global_alignment import align_components, align_connected, align_predictions, register_views
from align.group_scene import with_start
from align.presets import PRESETS, preset_for, with_fixed_poses, with_options
from align.rotations import angle_between, nearest_rotation
from align.scene import Scene
from masks.errors import GraphError, ReconstructionError, UserError
from masks.notice import Level
from pairs.prediction.predictions import PairEntry, Predictions
from pairs.views.cameras import Cameras, camera_centres

DENSE = PRESETS["dust3r"]
MAPS = ("a_in_a", "b_in_a")
SHORT = with_options(DENSE, num_iterations=40)


def disc(radius: float = 0.4) -> np.ndarray:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.hypot((x - WIDTH / 2) / WIDTH, (y - HEIGHT / 2) / HEIGHT) < radius


def stated(**known: object) -> Predictions:
    """Return the predictions with something stated of every view: `K`, or `cam_from_world` (V, 4, 4)."""
    given = predictions()
    views = [
        replace(view, **{k: v[n] if k == "cam_from_world" else v for k, v in known.items()})
        for n, view in enumerate(given.views)
    ]
    return replace(given, views=tuple(views))


def rotation_errors(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the angles (V,) in degrees, after the best common turn."""
    turns = found[:, :3, :3].transpose(0, 2, 1) @ truth[:, :3, :3]
    common = nearest_rotation(turns.sum(0))
    return np.degrees(angle_between(found[:, :3, :3] @ common, truth[:, :3, :3]))


def assert_same(a: Scene, b: Scene) -> None:
    np.testing.assert_array_equal(a.cameras.K, b.cameras.K)
    np.testing.assert_array_equal(a.cameras.cam_from_world, b.cameras.cam_from_world)
    for seen, other in zip(a.views, b.views):
        np.testing.assert_array_equal(seen.depth, other.depth)
        np.testing.assert_array_equal(seen.conf, other.conf)


@pytest.mark.parametrize("name", ["dense", "dust3r", "dust3r-demo", "dust3r-modular"])
def test_exact_predictions_give_the_true_cameras(name: str) -> None:
    scene = align_predictions(predictions(), with_options(PRESETS[name], num_iterations=100))
    assert rotation_errors(scene.cameras.cam_from_world, TRUTH).max() < 0.3
    np.testing.assert_allclose(scene.cameras.K[:, 0, 0], float(intrinsics()[0, 0]), rtol=0.02)
    # Adam leaves an exact start before it comes back: half a thousandth of the depth.
    assert scene.report.figures["final loss"] < 2e-3


def test_what_lies_behind_a_mask_changes_nothing() -> None:
    mask = disc()
    clean = {}
    for edge, entry in ENTRIES.items():
        runs = [
            replace(run, **{name: np.where(mask[..., None], getattr(run, name), np.nan) for name in MAPS})
            for run in (entry.ab, entry.ba)
        ]
        clean[edge] = PairEntry(*runs, entry.matches)
    a, b = (align_predictions(predictions(e, mask=mask), SHORT) for e in (ENTRIES, clean))
    assert_same(a, b)
    assert not any(view.depth[~mask].any() for view in a.views)


def test_stated_intrinsics_stay_to_the_bit() -> None:
    K = intrinsics().numpy().copy()
    K[0, 0], K[1, 1], K[0, 2] = 1.02 * K[0, 0], 1.01 * K[1, 1], K[0, 2] + 1
    scene = align_predictions(stated(K=K), SHORT)
    np.testing.assert_array_equal(scene.cameras.K, np.stack([K] * NUM_VIEWS))


def moved_truth() -> np.ndarray:
    """Return the true poses in another world, five times as large."""
    world = np.eye(4)
    world[:3, :3] = np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))[0]
    world[:3, :3] *= np.linalg.det(world[:3, :3])
    poses = TRUTH @ world
    poses[:, :3, 3] *= 5
    return poses


def test_fixed_poses_stay_to_the_bit_and_give_the_scale() -> None:
    poses = moved_truth()
    scene = align_predictions(stated(cam_from_world=poses), with_fixed_poses(SHORT))
    np.testing.assert_array_equal(scene.cameras.cam_from_world, poses)
    free = align_predictions(predictions(), SHORT)
    ratio = [
        float(np.median(view.depth[view.depth > 0])) / float(np.median(other.depth[other.depth > 0]))
        for view, other in zip(scene.views, free.views)
    ]
    assert np.ptp(np.log(ratio)) < 0.05


def test_poses_that_are_a_start_set_the_world() -> None:
    poses = moved_truth()
    start = align_predictions(stated(cam_from_world=poses), with_options(DENSE, num_iterations=0))
    np.testing.assert_allclose(start.cameras.cam_from_world, poses, atol=1e-4)
    scene = align_predictions(stated(cam_from_world=poses), SHORT)
    assert not np.array_equal(scene.cameras.cam_from_world, poses)
    assert rotation_errors(scene.cameras.cam_from_world, TRUTH).max() < 1
    distance = np.linalg.norm(scene.cameras.centres - camera_centres(poses), axis=1)
    assert distance.max() < 0.05 * np.linalg.norm(np.ptp(camera_centres(poses), axis=0))


@pytest.mark.parametrize("num_known", [1, 2])
def test_poses_of_some_views_are_enough(num_known: int) -> None:
    poses = moved_truth()
    given = predictions()
    views = [
        replace(view, cam_from_world=poses[n] if n < num_known else None)
        for n, view in enumerate(given.views)
    ]
    scene = align_predictions(replace(given, views=tuple(views)), with_fixed_poses(SHORT))
    np.testing.assert_array_equal(scene.cameras.cam_from_world[:num_known], poses[:num_known])
    assert rotation_errors(scene.cameras.cam_from_world, TRUTH).max() < 2
    np.testing.assert_allclose(scene.cameras.cam_from_world[:, :3, :3], poses[:, :3, :3], atol=0.06)


def test_a_scene_of_all_views_is_where_it_starts() -> None:
    begun = align_predictions(predictions(), PRESETS["pointloom"])
    scene = align_predictions(with_start(predictions(), begun), SHORT)
    assert scene.report.figures["loss at the start"] < 2e-3
    distance = np.linalg.norm(scene.cameras.centres - begun.cameras.centres, axis=1).max()
    assert distance < 0.02 * np.linalg.norm(np.ptp(begun.cameras.centres, axis=0))


def test_a_start_must_hold_all_views() -> None:
    begun = align_predictions(predictions(), PRESETS["pointloom"])
    cameras = Cameras(begun.cameras.K[1:], begun.cameras.cam_from_world[1:])
    part = replace(begun, views=begun.views[1:], cameras=cameras, edges=())
    with pytest.raises(UserError, match=r"does not hold 0.jpg"):
        with_start(predictions(), part)


def test_new_views_are_placed_in_a_scene_that_stays() -> None:
    known = {edge: entry for edge, entry in ENTRIES.items() if max(edge) < NUM_VIEWS - 1}
    views = tuple(small_view(k) for k in range(NUM_VIEWS - 1))
    edges = tuple(known)
    scene = align_predictions(Predictions(views, edges, lambda k: known[edges[k]], None, ()), SHORT)
    grown = register_views(scene, predictions(), SHORT)
    assert len(grown.views) == NUM_VIEWS
    np.testing.assert_array_equal(grown.cameras.K[:-1], scene.cameras.K)
    np.testing.assert_array_equal(grown.cameras.cam_from_world[:-1], scene.cameras.cam_from_world)
    assert rotation_errors(grown.cameras.cam_from_world, TRUTH).max() < 0.7


def test_two_views_are_placed_by_their_pointmaps() -> None:
    views = (small_view(0), small_view(1))
    given = Predictions(views, ((0, 1),), lambda k: ENTRIES[0, 1], None, ())
    scene = align_predictions(given, PRESETS["dust3r-pair"])
    assert rotation_errors(scene.cameras.cam_from_world, TRUTH[:2]).max() < 0.3
    with pytest.raises(GraphError, match="given are 5 views"):
        align_predictions(predictions(), PRESETS["dust3r-pair"])


def test_two_views_keep_stated_intrinsics_to_the_bit() -> None:
    K = intrinsics().numpy() * np.array([[1.1], [1.1], [1]])
    given = stated(K=K)
    pair = replace(given, views=given.views[:2], edges=((0, 1),), load=lambda k: ENTRIES[0, 1])
    scene = align_predictions(pair, PRESETS["dust3r-pair"])
    np.testing.assert_array_equal(scene.cameras.K, np.stack([K] * 2))


def test_parts_that_no_pair_ties_are_aligned_each_alone_and_named() -> None:
    apart = {edge: entry for edge, entry in ENTRIES.items() if (edge[0] < 3) == (edge[1] < 3)}
    first, second = align_components(predictions(apart), SHORT)
    assert second is not None
    assert [len(scene.views) for scene in (first, second)] == [3, 2]
    assert any(notice.subject == "parts" for notice in first.report.notices)
    with pytest.raises(GraphError, match=r"3.jpg, 4.jpg"):
        align_connected(predictions(apart), SHORT)


def test_pointmaps_tie_views_that_share_no_match() -> None:
    bare = {edge: replace(entry, matches=None) for edge, entry in ENTRIES.items()}
    scene = align_predictions(predictions(bare), SHORT)
    assert len(scene.views) == NUM_VIEWS
    assert scene.report.figures["share within 2 px"] is None
    assert not any(notice.level is Level.WARNING for notice in scene.report.notices)


def test_a_prediction_without_points_of_one_view_is_not_used() -> None:
    blind = dict(ENTRIES)
    run = blind[0, 1].ab
    blind[0, 1] = replace(blind[0, 1], ab=replace(run, b_in_a=np.full_like(run.b_in_a, np.nan)))
    scene = align_predictions(predictions(blind), SHORT)
    assert rotation_errors(scene.cameras.cam_from_world, TRUTH).max() < 1
    assert any("1.jpg" in notice.text for notice in scene.report.notices)


def test_a_view_with_an_empty_mask_is_left_out_by_name() -> None:
    given = predictions(mask=disc())
    views = list(given.views)
    views[2] = small_view(2, np.zeros((HEIGHT, WIDTH), bool))
    scene = align_predictions(replace(given, views=tuple(views)), SHORT)
    assert len(scene.views) == NUM_VIEWS - 1
    assert any(n.subject == "2.jpg" and n.level is Level.LEFT_OUT for n in scene.report.notices)


def test_equal_confidences_all_over_are_no_obstacle() -> None:
    even = {
        edge: PairEntry(
            *(
                replace(run, a_conf=np.full((HEIGHT, WIDTH), 1.5), b_conf=np.full((HEIGHT, WIDTH), 1.5))
                for run in (entry.ab, entry.ba)
            ),
            entry.matches,
        )
        for edge, entry in ENTRIES.items()
    }
    scene = align_predictions(predictions(even), SHORT)
    assert rotation_errors(scene.cameras.cam_from_world, TRUTH).max() < 1


def test_least_squares_end_lower_than_the_published_descent() -> None:
    adam, second = (align_predictions(tilted(), PRESETS[name]) for name in ("dust3r", "dense"))
    assert second.report.figures["final loss"] <= adam.report.figures["final loss"]
    assert second.report.figures["solver"] == "least-squares"


def test_sky_has_no_confidence() -> None:
    given = predictions()
    views = [replace(view, image=np.full_like(view.image, (90, 150, 240))) for view in given.views]
    for view in views:
        view.image[HEIGHT // 2 :] = 60, 50, 20
    scene = align_predictions(replace(given, views=tuple(views)), with_options(SHORT, mask_sky=True))
    assert not any(view.conf[: HEIGHT // 2 - 2].any() for view in scene.views)
    assert all(view.conf[HEIGHT // 2 + 2 :].any() for view in scene.views)


def test_too_little_memory_is_told_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(from_predictions, "free_memory", lambda: 1e5)
    with pytest.raises(ReconstructionError, match=r"20 directed pairs takes about .* fewer pairs"):
        align_predictions(predictions(), SHORT)


def test_an_aligner_and_a_preset_must_fit() -> None:
    assert preset_for(None, "auto") == "pointloom"
    assert preset_for("dense", "auto") == "dense"
    assert preset_for("dense", "dust3r-demo") == "dust3r-demo"
    with pytest.raises(UserError, match="dense or dust3r or dust3r-demo"):
        preset_for("dense", "mast3r")
