"""Trajectories and masks as other programs read them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from plane_scene import plane_scene
from scipy.spatial.transform import Rotation
from stored_scene import small_scene

from align.export.export_scene import export_scene
from align.export.mask_files import MasksFormat
from masks.lens import Lens


def test_a_trajectory_holds_the_poses_of_the_cameras_in_the_world(tmp_path: Path) -> None:
    scene = plane_scene()
    export_scene(scene, tmp_path / "t.txt", "tum")
    table = np.loadtxt(tmp_path / "t.txt")
    # The second of three photos has no place.
    np.testing.assert_array_equal(table[:, 0], [0, 2])
    np.testing.assert_allclose(table[:, 1:4], scene.cameras.centres, atol=1e-12)
    found = Rotation.from_quat(table[:, 4:]).as_matrix()
    np.testing.assert_allclose(found, scene.cameras.world_from_cam[:, :3, :3], atol=1e-12)
    names = [line[2:] for line in (tmp_path / "t.txt").read_text().splitlines()[1:] if line.startswith("#")]
    assert names == ["0.jpg", "1.jpg"]


def test_masks_have_the_size_of_the_upright_photo_and_the_object_of_the_grid(tmp_path: Path) -> None:
    scene = small_scene()
    (notice,) = export_scene(scene, tmp_path / "out", "masks")
    assert "`masks`" in notice.text
    for view in scene.views:
        picture = Image.open(tmp_path / "out" / "masks" / f"{view.name}.png")
        assert (picture.mode, picture.size) == ("L", view.pixel_map.upright_size)
        levels = np.asarray(picture)
        assert set(np.unique(levels)) == {0, 255}
        # The grid shows the photo but its last row, at half the size.
        share = (levels[:16] > 0).reshape(8, 2, 12, 2).mean((1, 3))
        assert ((share >= 0.5) == view.mask).mean() > 0.9


def test_masks_of_the_photos_come_through_as_they_are(tmp_path: Path) -> None:
    scene = plane_scene(Lens("RADIAL", (-0.1, 0.0)))
    (tmp_path / "photos").mkdir()
    mask = np.zeros((113, 150), np.uint8)
    mask[20:90, 31:101] = 255
    for view in scene.views:
        Image.fromarray(np.full((113, 150, 3), 90, np.uint8)).save(tmp_path / "photos" / view.name)
        Image.fromarray(mask).save(tmp_path / "photos" / f"{view.name}.png")
    export_scene(scene, tmp_path / "out", "masks", tmp_path / "photos")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out" / "masks" / "0.jpg.png")), mask)
    export_scene(scene, tmp_path / "flat", {"masks": MasksFormat(undistorted=True)}, tmp_path / "photos")
    flat = Image.open(tmp_path / "flat" / "masks" / "0.jpg.png")
    assert flat.size == scene.views[0].pixel_map.ideal_size
    assert (np.asarray(flat) > 0).sum() > (mask > 0).sum()
