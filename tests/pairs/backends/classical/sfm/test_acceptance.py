"""Whether a solved scene may be believed."""

from __future__ import annotations

import numpy as np
import pytest

from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.acceptance import Verdict, assess, mask_shares, reprojection_errors
from pairs.backends.classical.sfm.mapper import MapperModel
from pairs.views.cameras import Cameras

SIZE = (160, 120)


def turned(degrees: float) -> np.ndarray:
    """(4, 4) cam_from_world of a camera 5 units away that looks at the origin."""
    a = np.deg2rad(degrees)
    pose = np.eye(4)
    pose[:3, :3] = [[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]]
    pose[2, 3] = 5
    return pose


def scene(
    angles: list[float], focal: float = 200.0, size: float = 1.0
) -> tuple[MapperModel, list[np.ndarray]]:
    """A bar beside the axis, seen in full by every view; returns the model and the measured positions."""
    points = np.random.default_rng(0).uniform((0.2, -1, -0.2), (1, 1, 0.2), (80, 3)) * size
    K = np.tile(np.array([[focal, 0, 79.5], [0, focal, 59.5], [0, 0, 1]]), (len(angles), 1, 1))
    poses = np.stack([turned(angle) for angle in angles])
    in_cam = np.einsum("vij,nj->vni", poses[:, :3, :3], points) + poses[:, None, :3, 3]
    xy = [(p @ k.T)[:, :2] / p[:, 2:] for p, k in zip(in_cam, K)]
    by, point = np.divmod(np.arange(len(angles) * len(points)), len(points))
    model = MapperModel(
        tuple(range(len(angles))),
        Cameras(K, poses),
        points,
        point.astype(np.int32),
        by.astype(np.int32),
        point.astype(np.int32),
    )
    return model, xy


def silhouettes(xy: list[np.ndarray]) -> list[np.ndarray]:
    """The box around the object in each view."""
    masks = []
    for positions in xy:
        mask = np.zeros((SIZE[1], SIZE[0]), bool)
        (x0, y0), (x1, y1) = np.floor(positions.min(0)).astype(int), np.ceil(positions.max(0)).astype(int)
        mask[max(0, y0) : y1 + 1, max(0, x0) : x1 + 1] = True
        masks.append(mask)
    return masks


def test_a_right_scene_fills_its_silhouettes() -> None:
    model, xy = scene([0, 40, 80, 180])
    judged = assess(model, xy, silhouettes(xy), [False] * 4, SolveOptions())
    assert judged.verdict is Verdict.SURE
    np.testing.assert_allclose(mask_shares(model, silhouettes(xy)), 1.0)


def test_a_folded_scene_leaves_its_silhouettes() -> None:
    folded, _ = scene([0, 40, 80, 0])
    _, xy = scene([0, 40, 80, 180])
    shares = mask_shares(folded, silhouettes(xy))
    assert shares[:3].min() == 1.0
    assert shares[3] < 0.3
    judged = assess(folded, xy, silhouettes(xy), [False] * 4, SolveOptions())
    assert judged.verdict is Verdict.REJECTED
    assert judged.folded


def test_points_outside_the_picture_do_not_count() -> None:
    model, xy = scene([0, 10, 20], focal=600.0)
    assert (np.concatenate(xy) > SIZE).any()
    np.testing.assert_allclose(mask_shares(model, silhouettes(xy)), 1.0)


def test_a_view_without_a_mask_is_not_counted() -> None:
    model, xy = scene([0, 40, 80])
    masks = [*silhouettes(xy)[:2], None]
    assert np.isnan(mask_shares(model, masks)[2])
    assert assess(model, xy, masks, [False] * 3, SolveOptions()).verdict is Verdict.SURE


@pytest.mark.parametrize(("share", "verdict"), [(0.97, Verdict.DOUBTFUL), (0.90, Verdict.REJECTED)])
def test_between_the_two_levels_a_scene_is_doubtful(share: float, verdict: Verdict) -> None:
    model, xy = scene([0, 40, 80])
    masks = silhouettes(xy)
    order = np.argsort(xy[1][:, 1])
    # Cutting the lower end of one mask off, three pixels of slack below it, leaves the wanted share inside.
    masks[1][round(xy[1][order[int(share * 80)], 1]) - 3 :] = False
    assert assess(model, xy, masks, [False] * 3, SolveOptions()).verdict is verdict


def test_without_masks_a_healthy_scene_is_called_not_checked() -> None:
    model, xy = scene([0, 10, 20])
    assert assess(model, xy, [None] * 3, [False] * 3, SolveOptions()).verdict is Verdict.UNCHECKED
    np.testing.assert_allclose(reprojection_errors(model, xy), 0, atol=1e-9)
    shaken = [positions + 2 for positions in xy]
    assert assess(model, shaken, [None] * 3, [False] * 3, SolveOptions()).verdict is Verdict.REJECTED


def test_a_solved_focal_must_be_plausible_and_a_stated_one_need_not() -> None:
    model, xy = scene([0, 10, 20], focal=160 * 12.0, size=0.1)
    assert assess(model, xy, silhouettes(xy), [False] * 3, SolveOptions()).verdict is Verdict.REJECTED
    assert assess(model, xy, silhouettes(xy), [True] * 3, SolveOptions()).verdict is Verdict.SURE
