"""The demo's photo set: a coffee pot on a turntable before a loud, static room, with exact masks and
cameras.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from align.demo.render import Camera, Rendering, Studio, render_backdrop, render_object
from align.demo.room import PLATE_Z, furnish
from align.demo.shape import coffee_pot, surface_points
from align.demo.texture import mosaic
from align.export.cameras_json import PhotoCamera, write_cameras
from align.show.image_file import write_image
from masks.progress import Progress, silent
from pairs.views.cameras import Cameras


@dataclass(frozen=True, slots=True)
class TurntableOptions:
    """How the set is taken. Pixels of a photo are square."""

    num_views: int = 24
    """Photos of a full turn in equal steps: 24 are 15 degrees apart."""
    size: tuple[int, int] = (640, 480)
    """Width and height of a photo."""
    elevation_deg: float = 22.0
    """Height of the camera above the horizon of the object's centre."""
    distance: float = 5.0
    """From the camera to the object's centre, in scene units; the pot is two units high."""
    focal: float = 1.4
    """Focal length in widths of a photo."""
    noise: float = 1.5
    """Standard deviation of the sensor's noise, grey levels."""
    seed: int = 0
    """Of tiles, books, cloth and noise."""
    turned_over_deg: float = 0.0
    """Where not 0, a second full turn follows, as many photos again, with the object turned over by so much
    about its axis from handle to spout and laid on the table: 180 is upside down, 90 on its side."""

    @property
    def num_photos(self) -> int:
        """Photos of all turns."""
        return self.num_views * (2 if self.turned_over_deg else 1)


def render_turntable(
    folder: Path, options: TurntableOptions | None = None, progress: Progress = silent
) -> None:
    """Write images/000.png ..., masks/000.png ... (255 = object) and cameras.json, whose world is the
    object's frame.

    Files of these names are replaced. Raises `OutputError` when the folder cannot be written.
    """
    options = options or TurntableOptions()
    studio = build_studio(options)
    for k in range(options.num_photos):
        progress("render", k, options.num_photos)
        view = render_view(studio, options, k)
        write_image(folder / "images" / f"{k:03d}.png", view.image)
        write_image(folder / "masks" / f"{k:03d}.png", view.mask.astype(np.uint8) * 255)
    progress("render", options.num_photos, options.num_photos)
    cameras = turntable_cameras(options)
    write_cameras(
        folder / "cameras.json",
        [
            PhotoCamera(
                f"{k:03d}.png",
                *options.size,
                cameras.K[k],
                cameras.cam_from_world[k, :3, :3],
                cameras.cam_from_world[k, :3, 3],
            )
            for k in range(options.num_photos)
        ],
    )


def turntable_cameras(options: TurntableOptions) -> Cameras:
    """Return the exact cameras of the set; world = object frame, K in pixels of the photos."""
    camera = _camera(options)
    poses = [camera.cam_from_room @ _room_from_object(options, k) for k in range(options.num_photos)]
    return Cameras(np.tile(camera.K, (options.num_photos, 1, 1)), np.stack(poses))


def build_studio(options: TurntableOptions) -> Studio:
    """Make object, room and camera."""
    shape, camera = coffee_pot(), _camera(options)
    room = furnish(texels_seen=camera.K[0, 0] / (options.distance + 2.5), seed=options.seed)
    return Studio(shape, mosaic(shape, options.seed), camera, render_backdrop(camera, room))


def render_view(studio: Studio, options: TurntableOptions, k: int) -> Rendering:
    """Take photo number k."""
    return render_object(studio, _room_from_object(options, k), options.noise, options.seed * 1_000_003 + k)


def _room_from_object(options: TurntableOptions, k: int) -> np.ndarray:
    """Return the pose (4, 4) of the object in photo number k, turned counter-clockwise as seen from above."""
    angle = 2 * np.pi * k / options.num_views
    c, s = np.cos(angle), np.sin(angle)
    turned = np.array([[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    return turned if k < options.num_views else turned @ _turned_over(options.turned_over_deg)


@cache
def _turned_over(degrees: float) -> np.ndarray:
    """Return the pose (4, 4) of the object turned over about its own x axis, lying on the plate."""
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("x", degrees, degrees=True).as_matrix()
    pose[2, 3] = PLATE_Z - (surface_points(coffee_pot()) @ pose[2, :3]).min()
    return pose


def _camera(options: TurntableOptions) -> Camera:
    w, h = options.size
    elevation = np.deg2rad(options.elevation_deg)
    forward = np.array([0.0, np.cos(elevation), -np.sin(elevation)])
    right = np.array([1.0, 0.0, 0.0])
    cam_from_room = np.eye(4)
    cam_from_room[:3, :3] = np.stack([right, np.cross(forward, right), forward])
    # Aimed a little above the pot's middle, so that its foot keeps some distance from the lower edge.
    cam_from_room[:3, 3] = cam_from_room[:3, :3] @ (options.distance * forward - np.array([0.0, 0.0, 0.02]))
    focal = options.focal * w
    return Camera(
        w, h, np.array([[focal, 0, (w - 1) / 2], [0, focal, (h - 1) / 2], [0, 0, 1.0]]), cam_from_room
    )
