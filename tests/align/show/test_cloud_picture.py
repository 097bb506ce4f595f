"""Pictures of clouds show what is nearest, without holes, from the right sides."""

from __future__ import annotations

import numpy as np
from camera_ring import ring
from scipy.spatial.transform import Rotation

from align.export.gltf.frustum import DrawnCameras
from align.points import PointCloud
from align.show.cloud_picture import draw_cloud, four_sides, four_sides_with_cameras

SIZE = (64, 48)
K = np.array([[60.0, 0, 31.5], [0, 60, 23.5], [0, 0, 1]])
RED, BLUE = (220, 0, 0), (0, 0, 220)


def wall(depth: float, half: float, colour: tuple[int, int, int], count: int = 3000) -> PointCloud:
    xy = np.random.default_rng(0).uniform(-half, half, (count, 2))
    return PointCloud(
        np.column_stack([xy, np.full(count, depth)]), np.tile(np.array(colour, np.uint8), (count, 1))
    )


def joined(*clouds: PointCloud) -> PointCloud:
    return PointCloud(np.concatenate([c.points for c in clouds]), np.concatenate([c.colours for c in clouds]))


def test_the_nearer_wall_hides_the_farther() -> None:
    near, far = wall(2.0, 0.4, RED), wall(4.0, 0.8, BLUE)
    picture = draw_cloud(joined(far, near), np.eye(4), K, SIZE)
    np.testing.assert_array_equal(picture[24, 32], draw_cloud(joined(near, far), np.eye(4), K, SIZE)[24, 32])
    assert picture[24, 32, 0] > 150
    assert picture[24, 32, 2] < 30


def test_a_dense_wall_has_no_holes() -> None:
    picture = draw_cloud(wall(2.0, 0.5, RED), np.eye(4), K, SIZE, background=(0, 255, 0))
    inside = picture[23 - 10 : 24 + 10, 31 - 10 : 32 + 10]
    assert (inside[..., 1] == 0).all()
    assert (picture[:4] == (0, 255, 0)).all()


def test_points_behind_the_camera_do_not_show() -> None:
    assert (draw_cloud(wall(-2.0, 0.5, RED), np.eye(4), K, SIZE) == 255).all()


def test_a_point_is_drawn_where_the_camera_projects_it() -> None:
    point = np.array([[0.5, -0.3, 3.0]])
    picture = draw_cloud(PointCloud(point, np.zeros((1, 3), np.uint8)), np.eye(4), K, SIZE)
    darkness = 255 - picture[..., 0].astype(float)
    row, column = np.indices(darkness.shape)
    centre = np.array([(column * darkness).sum(), (row * darkness).sum()]) / darkness.sum()
    np.testing.assert_allclose(centre, [31.5 + 10, 23.5 - 6], atol=0.5)


def test_the_first_side_is_what_the_first_camera_saw() -> None:
    dot = PointCloud(
        np.random.default_rng(0).normal([1.0, 0, 0], 0.05, (400, 3)),
        np.tile(np.array(RED, np.uint8), (400, 1)),
    )
    rest = PointCloud(
        np.random.default_rng(1).normal([-1.0, 0, 0], 0.05, (400, 3)),
        np.tile(np.array(BLUE, np.uint8), (400, 1)),
    )
    pictures = four_sides(joined(dot, rest), (96, 96), ring(8, np.eye(3), K))
    reds = [(p[..., 0].astype(int) - p[..., 2] > 60).sum() for p in pictures]
    assert reds[0] > reds[2]  # the red blob is before the blue one, and larger
    assert reds[0] > 0


def test_four_sides_keep_the_cloud_in_the_picture() -> None:
    ball = Rotation.random(4000, random_state=0).apply([1.0, 0, 0]) * 7 + [100, -50, 3]
    outlier = np.array([[1e4, 0, 0]])
    cloud = PointCloud(np.concatenate([ball, outlier]), np.full((4001, 3), 90, np.uint8))
    for picture in four_sides(cloud, SIZE, ring(8, np.eye(3), K)):
        ink = (picture < 200).any(axis=2)
        assert not ink[0].any()
        assert not ink[-1].any()
        assert 30 < ink.any(axis=1).sum() < 48


def test_cameras_are_drawn_in_their_colours() -> None:
    cloud = wall(0.0, 0.3, (128, 128, 128))
    cameras = ring(3, np.eye(3), K)
    pictures = four_sides_with_cameras(cloud, (240, 180), DrawnCameras(cameras, (SIZE,) * 3, camera_size=1.0))
    for picture in pictures:
        for wanted in ((255, 0, 0), (0, 0, 255), (0, 255, 0)):
            distance = np.abs(picture.astype(int) - wanted).sum(axis=2)
            assert (distance < 200).any()


def test_an_empty_cloud_gives_empty_pictures() -> None:
    empty = PointCloud(np.zeros((0, 3)), np.zeros((0, 3), np.uint8))
    assert all((picture == 255).all() and picture.shape == (48, 64, 3) for picture in four_sides(empty, SIZE))
    assert (draw_cloud(empty, np.eye(4), K, SIZE) == 255).all()


def test_equal_clouds_give_equal_pictures() -> None:
    first, second = (four_sides(wall(1.0, 0.5, RED), SIZE) for _ in range(2))
    np.testing.assert_array_equal(first, second)
