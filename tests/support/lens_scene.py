"""A scene with lenses, made by hand: photos through two cameras, one with its principal point off the middle,
some turned by their EXIF, and all that is known of them exactly.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from align.scene import Report, Scene, SceneView, TrackedPoints
from masks.lens import Lens, distort, ideal_frame, pixels_of, remap_to_photo, shown_by_photo
from masks.pixelmap import PixelMap, image_to_target, intrinsics_to_target, to_target
from pairs.views.cameras import Cameras

LENSES = {
    "PINHOLE": None,
    "SIMPLE_RADIAL": Lens("SIMPLE_RADIAL", (-0.12,)),
    "RADIAL": Lens("RADIAL", (-0.1, 0.04)),
    "OPENCV": Lens("OPENCV", (0.08, -0.03, 0.002, -0.003)),
    "FULL_OPENCV": Lens("FULL_OPENCV", (-0.1, 0.02, 0.001, -0.002, 0.003, 0.01, -0.004, 0.002)),
}
POINTS = np.random.default_rng(5).uniform((-0.5, -0.4, -0.2), (0.5, 0.4, 0.2), (60, 3))


def upright_K(camera: int) -> np.ndarray:
    """Return the intrinsics of the upright photos of camera 0 or 1."""
    return np.array(
        [[[300.0, 0, 158.3], [0, 300.0, 121.9], [0, 0, 1]], [[260.0, 0, 119.5], [0, 260.0, 159.5], [0, 0, 1]]]
    )[camera]


def lens_scene(folder: Path, lens: Lens | None, names: tuple[str, ...] | None = None) -> Scene:
    """Return a scene of four photos, written into `folder`: 0 and 1 of a lying camera 320 x 240 with the
    lens, 2 and 3 of an upright one 240 x 320 without, stored lying with EXIF turn 6.

    The photos are black but for a white block, where the object is.
    """
    names = names or ("a 0.jpg", "b1.png", "ü2.jpg", "d3.jpg")
    views, Ks = [], []
    poses = np.tile(np.eye(4), (4, 1, 1))
    for k, angle in enumerate(np.radians([-15, -5, 5, 15])):
        poses[k, :3, :3] = [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
        poses[k, :3, 3] = (0, 0, 2)
    for k, name in enumerate(names):
        view, K = _view(folder, name, k, lens if k < 2 else None)
        views.append(view)
        Ks.append(K)
    scene = Scene(tuple(views), Cameras(np.stack(Ks), poses), names, ((0, 1), (1, 2), (2, 3)), Report())
    return replace(scene, tracks=_tracks(scene))


def true_pixels(scene: Scene, lens: Lens | None, k: int, points: np.ndarray) -> np.ndarray:
    """Return where the upright photo k shows world points (N, 3), by the plain formula."""
    at = points @ scene.cameras.cam_from_world[k, :3, :3].T + scene.cameras.cam_from_world[k, :3, 3]
    xy = at[:, :2] / at[:, 2:]
    return pixels_of(upright_K(k // 2), xy if lens is None or k >= 2 else distort(lens, xy))


def _view(folder: Path, name: str, k: int, lens: Lens | None) -> tuple[SceneView, np.ndarray]:
    camera = k // 2
    w, h = (320, 240) if camera == 0 else (240, 320)
    K = upright_K(camera)
    frame = None if lens is None else ideal_frame(lens, K, (w, h))
    ideal_w, ideal_h = (w, h) if frame is None else frame.ideal_size
    mask = np.zeros((ideal_h, ideal_w), bool)
    mask[80:160, 90:190] = True
    photo_mask = mask if frame is None else remap_to_photo(frame, (w, h), mask)
    photo = np.where(photo_mask[..., None], np.uint8(230), np.uint8(20)).repeat(3, 2)
    stored, orientation = (photo, 1) if camera == 0 else (np.rot90(photo, 1), 6)
    exif = Image.Exif()
    exif[274] = orientation
    folder.mkdir(parents=True, exist_ok=True)
    options = {"quality": 98} if name.endswith("jpg") else {}
    Image.fromarray(np.ascontiguousarray(stored)).save(folder / name, exif=exif, **options)
    # Cropped, shrunk and padded: everything that a grid may be.
    pixel_map = PixelMap(
        (320, 240), orientation, (10, 12, 200, 200), (100, 100), (2, 0, 2, 0), undistortion=frame
    )
    ideal = pixel_map.ideal()
    held = image_to_target(ideal, mask)
    if frame is not None:
        held &= image_to_target(ideal, shown_by_photo(frame, (w, h)))
    depth = np.where(held, 2, 0).astype(np.float32)
    image = image_to_target(ideal, np.where(mask[..., None], np.uint8(230), np.uint8(20)).repeat(3, 2))
    view = SceneView(name, f"camera {camera}", pixel_map, depth, depth, image, held)
    return view, intrinsics_to_target(ideal, K if frame is None else frame.K_ideal)


def _tracks(scene: Scene) -> TrackedPoints:
    rows = []
    for k, view in enumerate(scene.views):
        frame = view.pixel_map.undistortion
        at = POINTS @ scene.cameras.cam_from_world[k, :3, :3].T + scene.cameras.cam_from_world[k, :3, 3]
        K = upright_K(k // 2) if frame is None else frame.K_ideal
        rows.append(to_target(view.pixel_map.ideal(), pixels_of(K, at[:, :2] / at[:, 2:])))
    count = len(POINTS)
    return TrackedPoints(
        POINTS,
        np.repeat(np.arange(4, dtype=np.int32), count),
        np.tile(np.arange(count, dtype=np.int32), 4),
        np.concatenate(rows),
    )
