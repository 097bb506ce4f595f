"""nerfstudio's transforms.json, which instant-ngp, Brush and the importers of Blender read as well
(docs/exports.md).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from align.export.exchange.picture_files import picture_names, require_photos, write_photos
from align.export.exchange.point_file import write_points
from align.export.exchange.scene_model import HALF, WrittenCameras, thinned_cloud, written_cameras
from align.export.mask_files import masks_say_something, write_masks
from align.export.originals import Originals
from align.points import DEFAULT_MIN_CONF
from align.scene import Scene
from masks.disk.whole_file import write_whole
from masks.errors import UserError
from masks.lens import Lens
from masks.notice import Notice
from masks.progress import Progress

_MOST_POINTS = 100_000
_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
"""OpenCV camera axes from OpenGL's, x right, y up, z backwards; and back."""


@dataclass(frozen=True, slots=True)
class NerfstudioFormat:
    """`transforms.json`, `images`, `masks`, `points3D.ply`."""

    file: ClassVar[str | None] = None
    uses_photos: ClassVar[bool] = True
    undistorted: bool = False
    """Ideal pictures in place of the photos and their lenses."""
    min_conf: float = DEFAULT_MIN_CONF
    """Points with a lower confidence are left out."""

    def write(
        self, scene: Scene, originals: Originals, folder: Path, progress: Progress
    ) -> tuple[Notice, ...]:
        """Write everything; the photos are needed."""
        require_photos(scene, originals, "nerfstudio")
        write_photos(scene, originals, folder / "images", self.undistorted)
        masks: tuple[str, ...] = ()
        if masks_say_something(scene, originals, self.undistorted):
            names = picture_names(scene)
            masks = write_masks(scene, originals, folder / "masks", self.undistorted, names)
        cloud = thinned_cloud(scene, self.min_conf, _MOST_POINTS)
        write_points(folder / "points3D.ply", cloud.points, cloud.colours)
        document = transforms(scene, self.undistorted, masks, "points3D.ply")
        write_transforms(folder / "transforms.json", document)
        return ()


def transforms(scene: Scene, undistorted: bool, masks: Sequence[str], points: str) -> dict[str, Any]:
    """Return the document; `masks` are the names of all views' masks, or none.

    Intrinsics stand at the top where all photos are of one camera, else in every frame: what stands at the
    top silences the frames. `applied_scale` is never written: the loader scales points alone by it.
    """
    written = written_cameras(scene, undistorted)
    one = len(written.firsts) == 1
    document: dict[str, Any] = {"camera_model": "OPENCV"}
    if one:
        document |= _intrinsics(written, 0, scene.views[0].name)
    document |= {
        "orientation_override": "none",
        # Absent, the loader may take that of its own converter.
        "applied_transform": np.eye(4)[:3].tolist(),
        "ply_file_path": points,
        "frames": [],
    }
    for k, name in enumerate(picture_names(scene)):
        frame: dict[str, Any] = {"file_path": f"images/{name}"}
        if masks:
            frame["mask_path"] = f"masks/{masks[k]}"
        if not one:
            frame |= _intrinsics(written, k, scene.views[k].name)
        frame["transform_matrix"] = (written.cameras.world_from_cam[k] @ _OPENGL).tolist()
        document["frames"].append(frame)
    return document


def write_transforms(path: Path, document: dict[str, Any]) -> None:
    """Write the document; numbers come back bit for bit."""
    write_whole(path, (json.dumps(document, indent=1, allow_nan=False) + "\n").encode())


def _intrinsics(written: WrittenCameras, k: int, name: str) -> dict[str, float]:
    """Return what the format says of a view's camera."""
    K, (w, h) = written.cameras.K[k], written.sizes[k]
    fl_x, fl_y = float(K[0, 0]), float(K[1, 1])
    return {
        "w": w,
        "h": h,
        "fl_x": fl_x,
        "fl_y": fl_y,
        "cx": float(K[0, 2]) + HALF,
        "cy": float(K[1, 2]) + HALF,
        # In these very operations: an importer of Blender compares its own result bit by bit.
        "camera_angle_x": math.atan(w / (fl_x * 2)) * 2,
        "camera_angle_y": math.atan(h / (fl_y * 2)) * 2,
        **_distortion(written.lenses[k], name),
    }


def _distortion(lens: Lens | None, name: str) -> dict[str, float]:
    """Return the coefficients. Raises `UserError` for those that the format has no place for."""
    k1, k2, p1, p2, k3, *denominator = (0.0,) * 8 if lens is None else lens.opencv.tolist()
    if any(denominator):
        raise UserError(
            f"{name}: the lens's coefficients k4 to k6 have no place in transforms.json. Use `undistorted`."
        )
    return {"k1": k1, "k2": k2, **({"k3": k3} if k3 else {}), "p1": p1, "p2": p2}
