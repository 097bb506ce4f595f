"""Scale by a known length, by the camera's height, and by markers that turn with the object."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from cylinder_on_turntable import TILTED, turntable

from align.objects.frame import object_frame
from align.objects.markers import MarkerKind, parse_marker, scale_by_markers
from align.objects.placed import placed_scene
from align.objects.scale import KnownLength, PhotoPoint, parse_length, scale_by_camera_height, scale_by_length
from align.scene import Report, Scene, SceneView
from masks.errors import ReconstructionError, UserError
from masks.pixelmap import identity
from pairs.views.cameras import Cameras, project


def test_a_length_across_the_cylinder_gives_its_unit() -> None:
    scene = placed_scene(turntable(elevation_deg=0.0), TILTED, 0.3)
    # In the picture's middle row the cylinder's front is 3.5 away: radius 0.5 is there at 60 * 0.5 / 3.5 px.
    known = KnownLength(PhotoPoint("0.png", (23.5, 17.5)), PhotoPoint("6.png", (23.5, 17.5)), 0.08)
    np.testing.assert_allclose(scale_by_length(scene, known), 0.08 / (2 * 0.5 * 0.3), rtol=0.01)


def test_the_text_of_a_length_may_hold_names_with_signs() -> None:
    known = parse_length("a-1@b.jpg@120,80.5-c-2.jpg@410,95=0.12")
    assert known == KnownLength(
        PhotoPoint("a-1@b.jpg", (120.0, 80.5)), PhotoPoint("c-2.jpg", (410.0, 95.0)), 0.12
    )


@pytest.mark.parametrize("text", ["0.12", "a.jpg@1,2-b.jpg@3,4", "a.jpg@1,2-b.jpg@3,4=0", "a.jpg-b.jpg=1"])
def test_what_states_no_length_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="PHOTO@X,Y"):
        parse_length(text)


@pytest.mark.parametrize(
    ("point", "said"), [(PhotoPoint("z.png", (1, 1)), "no photo"), (PhotoPoint("0.png", (1, 1)), "no depth")]
)
def test_points_that_show_nothing_are_named(point: PhotoPoint, said: str) -> None:
    with pytest.raises(UserError, match=said):
        scale_by_length(turntable(), KnownLength(point, PhotoPoint("0.png", (23, 17)), 1.0))


def test_the_cameras_height_gives_the_unit() -> None:
    scene = placed_scene(turntable(), TILTED, 3.0)
    height = 0.5 + 4 * np.sin(np.deg2rad(20))
    np.testing.assert_allclose(scale_by_camera_height(scene, object_frame(scene), height), 1 / 3.0, rtol=0.03)


# Corners of a marker of side 0.6 on the table z = 0, in the order of OpenCV.
CORNERS = np.array([[-0.3, 0.3, 0], [0.3, 0.3, 0], [0.3, -0.3, 0], [-0.3, -0.3, 0]])


SIZE = (320, 240)


def with_marker(folder: Path, turns: bool) -> tuple[Scene, dict[str, Path]]:
    """Write photos of a marker that turns with the object or stands still; return scene and photos."""
    marker = cv2.aruco.generateImageMarker(
        cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h11), 7, 400
    )
    sheet = np.full((600, 600), 255, np.uint8)
    sheet[100:500, 100:500] = marker
    corners_px = np.array([[99.5, 99.5], [499.5, 99.5], [499.5, 499.5], [99.5, 499.5]], np.float32)
    ring = turntable(count=6, elevation_deg=50.0, step_deg=20.0)
    K = np.array([[400.0, 0, 159.5], [0, 400, 119.5], [0, 0, 1]])
    cameras = Cameras(np.tile(K, (6, 1, 1)), ring.cameras.cam_from_world)
    shown, _ = project(cameras, CORNERS)
    views, photos = [], {}
    for k in range(6):
        H = cv2.getPerspectiveTransform(corners_px, shown[k if turns else 0].astype(np.float32))
        grey = cv2.warpPerspective(sheet, H, SIZE, flags=cv2.INTER_AREA, borderValue=128)
        photos[f"{k}.png"] = folder / f"{k}.png"
        cv2.imwrite(str(photos[f"{k}.png"]), grey)
        empty = np.zeros(SIZE[::-1], np.float32)
        image = np.zeros((*empty.shape, 3), np.uint8)
        views.append(SceneView(f"{k}.png", "c", identity(SIZE), empty, empty, image, empty > 0))
    return Scene(tuple(views), cameras, tuple(photos), (), Report()), photos


def test_a_marker_gives_the_unit(tmp_path: Path) -> None:
    scene, photos = with_marker(tmp_path, turns=True)
    scale, notices = scale_by_markers(placed_scene(scene, TILTED, 4.0), photos, MarkerKind("36h11", 0.05))
    np.testing.assert_allclose(scale, 0.05 / (0.6 * 4.0), rtol=0.02)
    assert any("px wide" in notice.text for notice in notices)


def test_a_marker_that_stands_still_is_named(tmp_path: Path) -> None:
    scene, photos = with_marker(tmp_path, turns=False)
    with pytest.raises(ReconstructionError, match="none moves with the object"):
        scale_by_markers(scene, photos, MarkerKind("36h11", 0.05))


def test_a_family_that_is_not_there_is_named(tmp_path: Path) -> None:
    scene, photos = with_marker(tmp_path, turns=True)
    with pytest.raises(ReconstructionError, match="0 markers 5x5"):
        scale_by_markers(scene, photos, MarkerKind("5x5", 0.05))


@pytest.mark.parametrize("text", ["36h11", "36h11:-1", "qr:0.05", "36h11:nan", ":"])
def test_what_names_no_marker_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="FAMILY:SIDE"):
        parse_marker(text)
