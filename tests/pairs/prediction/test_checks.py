"""What is asked of predictions before they are aligned, and the words for what is wrong with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_predictions import predictions

from masks.errors import FormatError, GraphError
from pairs.prediction.checks import fault_of_K, fault_of_pose, require_fitting, require_sound
from pairs.prediction.predictions import Matches
from pairs.views.cameras import Cameras

SIZE = (48, 32)
K = np.array([[50.0, 0, 24], [0, 52, 16], [0, 0, 1]])


def changed(row: int, column: int, value: float, matrix: np.ndarray = K) -> np.ndarray:
    other = matrix.copy()
    other[row, column] = value
    return other


def test_sound_predictions_pass():
    found = predictions()
    require_sound(found)
    for k, (a, b) in enumerate(found.edges):
        require_fitting(found.load(k), found.views[a], found.views[b])


@pytest.mark.parametrize(
    ("stated", "says"),
    [
        (K, None),
        (changed(0, 1, 1e-6), None),  # what is left of rounding
        (changed(0, 2, -1e4), None),  # of a cut picture
        (changed(0, 0, -50), "negative numbers on its diagonal"),
        (K.T, "transposed"),
        (changed(1, 1, 0), "positive focals"),
        (changed(0, 0, np.nan), "finite"),
        (changed(1, 2, np.inf), "finite"),
        (changed(2, 0, 1e-9), "last row"),
        (changed(0, 1, 0.1), "skew"),
        (changed(1, 0, -0.1), "skew"),
        (changed(0, 0, 1e5), "a focal of 100000 pixels cannot be on 48x32"),
        (changed(1, 1, 1e-2), "a focal of 0.01 pixels cannot be"),
    ],
)
def test_intrinsics_that_cannot_be(stated, says):
    fault = fault_of_K(stated, SIZE)
    assert fault is None if says is None else says in fault


@pytest.mark.parametrize(
    ("pose", "good"),
    [
        (np.eye(4), True),
        (changed(0, 3, 1e9, np.eye(4)), True),
        (np.diag([-1.0, -1, 1, 1]), True),
        (np.diag([-1.0, 1, 1, 1]), False),  # a mirror
        (np.diag([2.0, 2, 2, 1]), False),
        (changed(3, 3, 2, np.eye(4)), False),
        (changed(3, 0, 1, np.eye(4)), False),
        (changed(0, 3, np.nan, np.eye(4)), False),
        (changed(0, 0, np.inf, np.eye(4)), False),
    ],
)
def test_a_pose_is_a_rigid_motion(pose, good):
    assert (fault_of_pose(pose) is None) == good


@pytest.mark.parametrize(
    ("stated", "says"),
    [
        ({"K": -np.eye(3)}, "1.jpg: K has negative"),
        ({"cam_from_world": 2 * np.eye(4)}, "1.jpg: cam_from_world"),
    ],
)
def test_a_view_is_named_with_what_was_stated_of_it(stated, says):
    found = predictions()
    views = (found.views[0], replace(found.views[1], **stated), *found.views[2:])
    with pytest.raises(FormatError, match=says):
        require_sound(replace(found, views=views))


def test_two_views_of_one_name_are_refused():
    found = predictions()
    with pytest.raises(FormatError, match=r"0\.jpg: two views"):
        require_sound(replace(found, views=(found.views[0], found.views[0], *found.views[2:])))


@pytest.mark.parametrize(
    ("edges", "says"),
    [
        (((0, 0),), r"\(0, 0\) does not name two"),
        (((0, 99),), r"\(0, 99\) does not name two"),
        (((-1, 0),), r"\(-1, 0\) does not name two"),
        (((0, 1), (1, 0)), r"1\.jpg and 0\.jpg: the pair is there twice"),
    ],
)
def test_pairs_name_two_views_once(edges, says):
    with pytest.raises(GraphError, match=says):
        require_sound(replace(predictions(), edges=edges))


def test_cameras_are_one_a_view_and_finite():
    found = predictions()
    num = len(found.views)
    sound = Cameras(np.tile(K, (num, 1, 1)), np.tile(np.eye(4), (num, 1, 1)))
    require_sound(replace(found, cameras=sound))
    poses = sound.cam_from_world.copy()
    poses[0, 0, 3] = np.nan
    for cameras in (Cameras(sound.K[1:], sound.cam_from_world[1:]), Cameras(sound.K, poses)):
        with pytest.raises(FormatError, match=f"cameras are not {num} finite ones"):
            require_sound(replace(found, cameras=cameras))


def test_a_pointmap_lies_on_its_views_grid():
    found = predictions()
    a, b = (found.views[view] for view in found.edges[0])
    entry = found.load(0)
    assert entry.ba is not None
    cut = replace(entry.ba, b_in_a=entry.ba.b_in_a[:-1], b_conf=entry.ba.b_conf[:-1])
    w, h = a.pixel_map.target_size
    says = f"{a.name} and {b.name}: a pointmap of {a.name} is {w}x{h - 1}, but its grid {w}x{h}"
    with pytest.raises(FormatError, match=says):
        require_fitting(replace(entry, ba=cut), a, b)


@pytest.mark.parametrize(
    ("side", "place", "good"),
    [
        ("a", (-0.5, -0.5), True),  # the grid's outer corner: pixel centres lie at integers
        ("a", (-0.6, 3.0), False),
        ("b", (3.0, np.nan), False),
        ("b", (3.0, np.inf), False),
        ("b", ("w", 3.0), False),
        ("a", (3.0, "h"), False),
    ],
)
def test_matches_lie_on_the_grids(side, place, good):
    found = predictions()
    a, b = (found.views[view] for view in found.edges[0])
    w, h = a.pixel_map.target_size
    at = [{"w": w - 0.4, "h": h - 0.4}.get(value, value) for value in place]
    xy = {"a": np.array([[1.0, 1]]), "b": np.array([[1.0, 1]])} | {side: np.array([at])}
    entry = replace(found.load(0), matches=Matches(xy["a"], xy["b"], np.ones(1)))
    if good:
        require_fitting(entry, a, b)
        return
    name = {"a": a, "b": b}[side].name
    with pytest.raises(FormatError, match=rf"matches leave the {w}x{h} grid of {name}"):
        require_fitting(entry, a, b)


@pytest.mark.parametrize("conf", [0.0, -1.0, np.nan, np.inf])
def test_matches_have_positive_confidence(conf):
    found = predictions()
    a, b = (found.views[view] for view in found.edges[0])
    entry = replace(found.load(0), matches=Matches(np.ones((1, 2)), np.ones((1, 2)), np.array([conf])))
    with pytest.raises(FormatError, match="confidences that are not positive"):
        require_fitting(entry, a, b)
