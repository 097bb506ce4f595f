"""Stated cameras against what the predictions say: what is refused, what is doubted, and what is named as
the cause.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from tilted_predictions import NUM_VIEWS, TRUE_K, TRUTH, stated

from align.global_alignment import align_predictions, register_views
from align.initial.stated_cameras import check_stated_cameras, check_stated_intrinsics
from align.measurements.gather import gather
from align.measurements.gathered import Measurements, ReadingOptions
from align.measurements.known_cameras import PosePrior
from align.presets import POINTLOOM, PRESETS, with_fixed_poses
from masks.errors import StatedCamerasError
from masks.notice import Level, Notice
from masks.pixelmap import PixelMap
from masks.progress import silent
from pairs.prediction.predictions import PairEntry, Predictions

OPENGL = np.diag([1.0, -1, -1, 1])
MIRROR = np.diag([1.0, -1, 1, 1])
inverse = np.linalg.inv


def elsewhere(poses: np.ndarray, unit: float = 1000.0, seed: int = 0) -> np.ndarray:
    """Return the poses in another world and unit, as millimetres for metres: nothing that a pair could
    tell.
    """
    world = np.eye(4)
    world[:3, :3] = Rotation.random(random_state=seed).as_matrix()
    world[:3, 3] = 1, -2, 3
    moved = poses @ world
    moved[:, :3, 3] *= unit
    return moved


WORLD = elsewhere(TRUTH)


def with_centres(poses: np.ndarray) -> np.ndarray:
    """Return the poses with the camera's centre in the place of the translation."""
    found = poses.copy()
    found[:, :3, 3] = inverse(poses)[:, :3, 3]
    return found


def with_transposed_rotations(poses: np.ndarray) -> np.ndarray:
    found = poses.copy()
    found[:, :3, :3] = poses[:, :3, :3].transpose(0, 2, 1)
    return found


def disturbed(poses: np.ndarray, degrees: float, seed: int = 0) -> np.ndarray:
    """Return poses each turned about the object, by an angle whose root mean square is that."""
    turn = np.tile(np.eye(4), (len(poses), 1, 1))
    vectors = np.random.default_rng(seed).normal(0, np.deg2rad(degrees) / np.sqrt(3), (len(poses), 3))
    turn[:, :3, :3] = Rotation.from_rotvec(vectors).as_matrix()
    pivot = np.tile(np.eye(4), (len(poses), 1, 1))
    pivot[:, :3, 3] = poses[:, :3, 3]
    return pivot @ turn @ inverse(pivot) @ poses


def of_some(views: list[int], wrong: np.ndarray) -> np.ndarray:
    found = WORLD.copy()
    found[views] = wrong[views]
    return found


def random_poses() -> np.ndarray:
    rng = np.random.default_rng(5)
    poses = np.tile(np.eye(4), (NUM_VIEWS, 1, 1))
    poses[:, :3, :3] = Rotation.random(NUM_VIEWS, random_state=6).as_matrix()
    poses[:, :3, 3] = rng.normal(0, 3, (NUM_VIEWS, 3))
    return poses


def gathered(predictions: Predictions) -> Measurements:
    return gather(predictions, ReadingOptions(), silent)


def said(predictions: Predictions, sigma_deg: float = 1.0, fixed: bool = False) -> tuple[Notice, ...]:
    prior = PosePrior(rotation_sigma_deg=sigma_deg, fixed=fixed)
    return check_stated_cameras(gathered(predictions), prior)[1]


def refusal(predictions: Predictions) -> str:
    with pytest.raises(StatedCamerasError) as caught:
        said(predictions)
    return str(caught.value)


@pytest.mark.parametrize("poses", [TRUTH, WORLD, elsewhere(TRUTH, 1e-3, 4)])
def test_right_cameras_in_any_world_and_unit_pass_in_silence(poses: np.ndarray) -> None:
    assert said(stated(poses, TRUE_K)) == ()


@pytest.mark.parametrize("degrees", [3, 5, 8])
@pytest.mark.parametrize("seed", range(3))
def test_poor_priors_pass_in_silence(degrees: float, seed: int) -> None:
    assert said(stated(disturbed(TRUTH, degrees, seed))) == ()


def test_a_prior_as_poor_as_it_is_said_to_be_passes_in_silence() -> None:
    assert said(stated(disturbed(TRUTH, 15, 1)), sigma_deg=15) == ()


KINDS = {
    "inverted": (inverse(TRUTH), "world_from_cam", "write the inverse of each matrix"),
    "inverted elsewhere": (inverse(WORLD), "world_from_cam", "write the inverse of each matrix"),
    "OpenGL": (OPENGL @ WORLD, "cam_from_world with OpenGL axes", "multiply the rows y and z by -1"),
    "inverted OpenGL": (
        inverse(OPENGL @ WORLD),
        "world_from_cam with OpenGL axes",
        "inverse of each matrix, then multiply its rows y and z",
    ),
    "centres": (
        with_centres(WORLD),
        "the camera's centre in the place of its translation",
        "write -R @ centre there",
    ),
    "rotations transposed": (
        with_transposed_rotations(WORLD),
        "the rotation of world_from_cam beside",
        "transpose each rotation",
    ),
    "PyTorch3D": (np.diag([-1.0, -1, 1, 1]) @ WORLD, "PyTorch3D axes", "multiply the rows x and y by -1"),
    "mirrored": (MIRROR @ WORLD @ MIRROR, "left-handed, with y the other way", "row and column y"),
    "wrong sign": (
        WORLD * [[1, 1, 1, -1], [1, 1, 1, -1], [1, 1, 1, -1], [1, 1, 1, 1]],
        "translations of the wrong sign",
        "multiply each by -1",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_convention_is_named_with_its_remedy(kind: str) -> None:
    poses, cause, remedy = KINDS[kind]
    text = refusal(stated(poses))
    assert cause in text
    assert remedy in text
    assert "0.jpg" in text
    # No other cause: the words between begin with the right one, and inverses in OpenCV axes are told from
    # those in others.
    assert ("OpenGL" in text) == ("OpenGL" in kind)
    assert ("read as world_from_cam" in text) == ("inverted" in kind)


@pytest.mark.parametrize("kind", ["inverted", "OpenGL", "inverted OpenGL"])
@pytest.mark.parametrize("views", [2, 3])
def test_few_views_are_enough_to_name_it(kind: str, views: int) -> None:
    poses, cause, _ = KINDS[kind]
    assert f"read as {cause}" in refusal(stated(poses[:views], views=views))


@pytest.mark.parametrize("kind", ["inverted", "OpenGL", "inverted OpenGL"])
def test_it_is_named_before_poor_poses_too(kind: str) -> None:
    poses = disturbed(TRUTH, 3)
    wrong = {
        "inverted": inverse(poses),
        "OpenGL": OPENGL @ poses,
        "inverted OpenGL": inverse(OPENGL @ poses),
    }[kind]
    assert f"read as {KINDS[kind][1]}" in refusal(stated(wrong))


@pytest.mark.parametrize("order", [[1, 0, 2, 3, 5, 4], [5, 4, 3, 2, 1, 0], [1, 2, 3, 4, 5, 0]])
def test_poses_in_another_order_are_named_as_such(order: list[int]) -> None:
    text = refusal(stated(WORLD[order]))
    assert "in different orders" in text
    assert f"that of {order.index(0)}.jpg belongs to 0.jpg" in text
    assert "read as" not in text


def test_poses_of_another_scene_are_only_contradicted() -> None:
    text = refusal(stated(random_poses()))
    assert "contradict the pointmaps: in the middle of 15 pairs they differ by" in text
    assert "read as" not in text
    assert "order than" not in text


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        (inverse(WORLD), "read as world_from_cam."),
        (OPENGL @ WORLD, "OpenGL axes"),
        (random_poses(), "Check it."),
    ],
)
@pytest.mark.parametrize("views", [[1], [3, 4, 5]])
def test_views_with_wrong_poses_are_named_and_placed_without_them(
    wrong: np.ndarray, cause: str, views: list[int]
) -> None:
    kept, notices = check_stated_cameras(gathered(stated(of_some(views, wrong))), PosePrior())
    assert [n.subject for n in notices] == [f"{view}.jpg" for view in views]
    assert all(n.level is Level.WARNING and cause in n.text for n in notices)
    assert [k for k, view in enumerate(kept.predictions.views) if view.cam_from_world is None] == views


def test_the_scene_comes_out_right_without_wrong_poses_of_half_of_its_views() -> None:
    scene = align_predictions(stated(of_some([3, 4, 5], inverse(WORLD)), TRUE_K), POINTLOOM)
    turns = Rotation.from_matrix(
        scene.cameras.cam_from_world[:, :3, :3] @ WORLD[:, :3, :3].transpose(0, 2, 1)
    ).magnitude()
    assert np.rad2deg(turns).max() < 0.5


def test_the_larger_part_may_be_the_wrong_one() -> None:
    text = refusal(stated(of_some([2, 3, 4, 5], OPENGL @ WORLD)))
    assert "the stated poses of 2.jpg, 3.jpg, 4.jpg, 5.jpg contradict those of 0.jpg, 1.jpg" in text
    assert "The former agree when read as cam_from_world with OpenGL axes" in text


def test_two_worlds_are_told() -> None:
    text = refusal(stated(of_some([3, 4, 5], elsewhere(TRUTH, 1000.0, 8))))
    assert "0.jpg, 1.jpg, 2.jpg" in text
    assert "3.jpg, 4.jpg, 5.jpg" in text
    assert "Are all in one world?" in text


def test_wrong_fixed_poses_are_refused_where_they_are_many_and_warned_of_where_few() -> None:
    notices = said(stated(of_some([1], random_poses())), fixed=True)
    assert [n.subject for n in notices] == ["1.jpg"]
    assert "it stays" in notices[0].text
    with pytest.raises(StatedCamerasError, match=r"3\.jpg, 4\.jpg, 5\.jpg"):
        align_predictions(stated(of_some([3, 4, 5], random_poses())), with_fixed_poses(POINTLOOM))


def test_what_hardly_moves_is_told_as_such() -> None:
    still = stated()

    def load(number: int) -> PairEntry:
        # Every pixel of the other view says that the camera never moved, as a still backdrop does.
        entry = still.load(number)
        assert entry.ab is not None
        assert entry.ba is not None
        ab = replace(entry.ab, b_in_a=entry.ba.a_in_a)
        return replace(entry, ab=ab, ba=replace(entry.ba, b_in_a=entry.ab.a_in_a))

    text = refusal(replace(stated(TRUTH), load=load))
    assert "By the pointmaps the cameras hardly turn (0.0 degrees a pair)" in text
    assert "give masks" in text


def test_a_wrong_K_and_wrong_poses_are_both_named() -> None:
    text = refusal(stated(inverse(WORLD), TRUE_K * [[8], [8], [1]]))
    assert "its focal is 8 times theirs" in text
    assert "And the stated poses of" in text
    assert "read as world_from_cam" in text


def test_a_wrong_K_of_some_views_is_named_by_view() -> None:
    K = np.tile(TRUE_K, (NUM_VIEWS, 1, 1))
    K[[1, 4]] = TRUE_K * [[8], [8], [1]]
    text = refusal(stated(K=K))
    assert text.startswith("the stated K of 1.jpg, 4.jpg contradicts")


def test_a_wrong_K_does_not_accuse_right_poses_where_pairs_have_one_run() -> None:
    given = stated(WORLD, TRUE_K * [[8], [8], [1]])
    one_run = replace(given, load=lambda k: replace(given.load(k), ba=None) if k % 2 else given.load(k))
    assert "poses" not in refusal(one_run)


def test_doubtful_intrinsics_are_warned_of() -> None:
    K = TRUE_K * [[1.5, 0, 1], [0, 1.5, 1], [0, 0, 1]]
    notices = check_stated_intrinsics(gathered(stated(K=K)))
    assert [(n.level, n.subject) for n in notices] == [(Level.WARNING, "K")]
    assert "its focal is 1.5 times theirs" in notices[0].text


def test_the_references_presets_hear_of_a_wrong_K() -> None:
    with pytest.raises(StatedCamerasError, match="its focal is 8 times"):
        align_predictions(stated(K=TRUE_K * [[8], [8], [1]]), PRESETS["mast3r"])


def test_a_known_scene_of_other_photos_is_refused() -> None:
    scene = align_predictions(stated(TRUTH[:4], TRUE_K, views=4), POINTLOOM)
    assert len(register_views(scene, stated(), POINTLOOM).views) == NUM_VIEWS
    names = [view.name for view in scene.views]
    mixed = replace(
        scene, views=tuple(replace(view, name=name) for view, name in zip(scene.views, np.roll(names, 2)))
    )
    with pytest.raises(StatedCamerasError, match="They are the scene's"):
        register_views(mixed, stated(), POINTLOOM)


def test_a_wrong_K_of_a_new_view_is_named() -> None:
    scene = align_predictions(stated(TRUTH[:4], TRUE_K, views=4), POINTLOOM)
    K = np.tile(TRUE_K, (NUM_VIEWS, 1, 1))
    K[5] = TRUE_K * [[8], [8], [1]]
    with pytest.raises(StatedCamerasError, match=r"the stated K of 5\.jpg"):
        register_views(scene, stated(K=K), POINTLOOM)


def test_intrinsics_are_those_of_the_photo_whatever_the_grid() -> None:
    def of_photos(K: np.ndarray) -> Predictions:
        given = stated(K=K)
        w, h = given.views[0].pixel_map.target_size
        larger = PixelMap((4 * w, 4 * h), 1, (0, 0, 4 * w, 4 * h), (w, h))
        return replace(given, views=tuple(replace(view, pixel_map=larger) for view in given.views))

    photo_K = TRUE_K * [[4], [4], [1]]
    photo_K[:2, 2] += 1.5  # pixel centres lie at integers
    assert said(of_photos(photo_K)) == ()
    text = refusal(of_photos(TRUE_K))
    assert "its focal is 0.25 times theirs" in text
    assert "It fits a picture of about 48x32 pixels" in text
    assert "State K in pixels of the 192x128 picture: [[200, 0, 97.5]" in text
