"""A scene's depth maps as files, with a JSON file that says what their numbers mean."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np

from align.export.depth.exr import exr_bytes, require_exr
from align.export.depth.upsample import upsampled_depth
from align.export.mask_files import ideal_mask, upright_mask
from align.export.originals import Originals
from align.export.pictures import ideal_picture, upright_map, upright_photo
from align.export.single_files import require_confident
from align.points import DEFAULT_MIN_CONF, sure_pixels
from align.scene import Scene
from masks.disk.whole_file import write_whole
from masks.errors import UserError
from masks.notice import Notice
from masks.progress import Progress

_LEVELS = 65535
_FILES = ("png", "npy", "exr")
_RESOLUTIONS = ("photo", "grid")
_UPSAMPLED = (
    "enlarged from the grid: planes of the four grid pixels around, weighted by nearness and by likeness of "
    "colour in the photo; nothing smaller than a grid pixel was measured"
)


@dataclass(frozen=True, slots=True)
class DepthFormat:
    """Depth along the optical axis, a file for every photo."""

    file: ClassVar[str | None] = None
    uses_photos: ClassVar[bool] = True
    depth_file: str = "png"
    """png: 16 bits, with a scale in depth.json; npy or exr: float32."""
    resolution: str = "photo"
    """photo: enlarged along the edges of the photo; grid: as measured."""
    undistorted: bool = False
    """At photo resolution: pixels of the undistorted pictures instead of the photos'."""
    min_conf: float = DEFAULT_MIN_CONF
    """Pixels with a lower confidence are unknown."""

    def __post_init__(self) -> None:
        for name, value, known in (
            ("depth_file", self.depth_file, _FILES),
            ("resolution", self.resolution, _RESOLUTIONS),
        ):
            if value not in known:
                raise UserError(f"`{name}={value}`: unknown. Choose one of {', '.join(known)}.")

    def write(
        self, scene: Scene, originals: Originals, folder: Path, progress: Progress
    ) -> tuple[Notice, ...]:
        """Write `depth/PHOTO.png` (or .npy, .exr) and `depth.json`."""
        require_confident(scene, self.min_conf)
        if self.depth_file == "exr":
            require_exr()
        scale = _scale(scene, self.min_conf)
        encode: Callable[[np.ndarray], bytes] = {
            "png": partial(_png_bytes, scale=scale),
            "npy": _npy_bytes,
            "exr": exr_bytes,
        }[self.depth_file]
        for k, view in enumerate(scene.views):
            progress("depth maps", k, len(scene.views))
            content = encode(_depth(scene, k, originals, self))
            write_whole(folder / "depth" / f"{view.name}.{self.depth_file}", content)
        progress("depth maps", len(scene.views), len(scene.views))
        write_whole(folder / "depth.json", _stated(scene, self, scale).encode())
        return ()


def _depth(scene: Scene, k: int, originals: Originals, options: DepthFormat) -> np.ndarray:
    """Return the depth map (H, W) float32 of a view, 0 where unknown, in the pixels that are asked for."""
    view, K = scene.views[k], scene.cameras.K[k]
    depth = np.where(sure_pixels(view, options.min_conf), view.depth, 0)
    if options.resolution == "grid":
        return depth
    if options.undistorted:
        photo, grid_from_photo = ideal_picture(view, originals), view.pixel_map.ideal()
    else:
        # z is the same number along a ray, wherever the lens shows it.
        photo, grid_from_photo = upright_photo(view, originals), upright_map(view)
    found = upsampled_depth(depth, K, view.image, photo, grid_from_photo)
    if originals.masks:
        # Finer than the grid's.
        mask = ideal_mask(view, originals) if options.undistorted else upright_mask(view, originals)
        found[~mask] = 0
    return found


def _scale(scene: Scene, min_conf: float) -> float:
    """Return the depth of one level of 16 bits: one for all photos, with room for planes that reach beyond
    the deepest pixel.
    """
    deepest = max(float(np.where(sure_pixels(v, min_conf), v.depth, 0).max()) for v in scene.views)
    return 1.05 * deepest / _LEVELS


def _stated(scene: Scene, options: DepthFormat, scale: float) -> str:
    """Return what the files hold, a line for every photo; cameras are those of the depth maps' own pixels."""
    photo = options.resolution == "photo"
    lenses = scene.lenses if photo and not options.undistorted else [None] * len(scene.views)
    found = scene.cameras if not photo else scene.at_ideal() if options.undistorted else scene.at_original()
    frames = []
    for view, K, pose, lens in zip(scene.views, found.K, found.cam_from_world, lenses):
        mapping = view.pixel_map
        sizes = {"grid": mapping.target_size, "ideal": mapping.ideal_size, "photo": mapping.upright_size}
        w, h = sizes["grid" if not photo else "ideal" if options.undistorted else "photo"]
        frames.append(
            {
                "file": view.name,
                "depth": f"depth/{view.name}.{options.depth_file}",
                "width": w,
                "height": h,
                "K": K.tolist(),
                "cam_from_world": pose.tolist(),
                **({} if lens is None else {"model": lens.model, "distortion": list(lens.coefficients)}),
            }
        )
    meaning = {
        "meaning": "z along the optical axis of the camera, in scene units; 0 = unknown",
        "scale": scale if options.depth_file == "png" else 1.0,
        "depth_of_value": "value * scale",
        "pixels": "centres at integers; the photo as viewers show it",
        "resolution": options.resolution,
        "undistorted": options.undistorted or not photo,
        "upsampling": _UPSAMPLED if photo else None,
    }
    head = json.dumps(meaning, indent=1, allow_nan=False)[:-2]
    rows = ",\n".join(json.dumps(frame, allow_nan=False) for frame in frames)
    return f'{head},\n "frames": [\n{rows}\n]}}\n'


def _png_bytes(depth: np.ndarray, scale: float) -> bytes:
    # A known depth never becomes the 0 of the unknown.
    levels = np.where(depth > 0, np.clip(np.rint(depth / scale), 1, _LEVELS), 0).astype(np.uint16)
    _, encoded = cv2.imencode(".png", levels)
    return encoded.tobytes()


def _npy_bytes(depth: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, depth.astype(np.float32))
    return stream.getvalue()
