"""nerfstudio's transforms.json, and those of NeRF's rendered scenes, as imported cameras.

nerfstudio's loader takes every intrinsic from the file where it stands there, and only else from the frame;
where the file states any coefficient of the lens, it ignores those of the frames. So does this reader, and
says where they differ. Its pixel centres are COLMAP's, its camera axes OpenGL's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from align.imports.coefficients import lens_of
from masks.errors import FormatError, ImageError
from masks.files import PICTURE_SUFFIXES
from masks.image_file import probe_image
from masks.lens import Lens
from masks.notice import Notice, first_few, info, warning
from masks.reading import read_json, shown
from pairs.prediction.checks import fault_of_pose
from pairs.views.imported_camera import ImportedCamera, ImportedCameras

_HALF = 0.5
"""Its first pixel centre; ours is 0."""
_OPENCV_FROM_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
_PERSPECTIVE = ("PERSPECTIVE", "SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV")
_OF_LENS = ("k1", "k2", "k3", "p1", "p2", "distortion_params")
"""Any of them in the file makes nerfstudio ignore those of the frames; k4 alone does not."""
_INTRINSICS = ("fl_x", "fl_y", "cx", "cy", "w", "h", "camera_angle_x", "camera_angle_y")
_MOST_SIDE = 1_000_000


def read_nerfstudio(path: Path) -> ImportedCameras:
    """Return the cameras of a transforms.json, posed in the world of its frames.

    Raises `FormatError` naming the frame and what it lacks.
    """
    document = read_json(path, "Give a transforms.json of nerfstudio.")
    frames = document.get("frames") if isinstance(document, dict) else None
    if not isinstance(frames, list) or not frames:
        raise FormatError(f"{path}: frames is {shown(frames)}. Give a transforms.json with its frames.")
    model = document.get("camera_model", "PERSPECTIVE")
    if model not in _PERSPECTIVE:
        raise FormatError(
            f"{path}: camera_model is {shown(model)}. Undistort the photos first; known are "
            f"{', '.join(_PERSPECTIVE[1:])}."
        )
    cameras = [_camera(path, document, frame, k) for k, frame in enumerate(frames)]
    return ImportedCameras(
        str(path), "transforms.json", tuple(cameras), _notices(path, document, frames, cameras)
    )


def _camera(path: Path, document: Mapping[str, Any], frame: object, index: int) -> ImportedCamera:
    where = f"{path}: frame {index}"
    if not isinstance(frame, dict):
        raise FormatError(f"{where} is {shown(frame)}. Each frame is an object with file_path.")
    name = frame.get("file_path")
    if not isinstance(name, str) or not name.strip("./"):
        raise FormatError(f"{where}: file_path is {shown(name)}. Give the photo's file.")
    where = f"{where} ({name[-80:]})"
    values = {key: holder[key] for holder in (frame, document) for key in _INTRINSICS if key in holder}
    size = _size(path, values, name, where)
    K = _intrinsics(values, size, where)
    holder = document if any(key in document for key in _OF_LENS) else frame
    return ImportedCamera(name, size, K, _lens(holder, where), _pose(frame, where), where)


def _size(path: Path, values: Mapping[str, Any], name: str, where: str) -> tuple[int, int]:
    """Return the (width, height) of a frame; of its photo, where the file lies beside and nothing is
    stated, as in NeRF's rendered scenes.
    """
    if "w" in values and "h" in values:
        size = tuple(_number(values, key, where) for key in ("w", "h"))
        if not all(side == int(side) and 0 < side <= _MOST_SIDE for side in size):
            raise FormatError(f"{where}: w and h are {size[0]:g} and {size[1]:g}. Give whole pixels.")
        return int(size[0]), int(size[1])
    folder = path.parent.resolve()
    for suffix in ("", *PICTURE_SUFFIXES):
        photo = (folder / f"{name}{suffix}").resolve()
        # What lies elsewhere is not looked at, whatever the file says.
        if photo.is_relative_to(folder) and photo.is_file():
            try:
                return probe_image(photo).size
            except ImageError as error:
                raise FormatError(f"{where}: states no w and h, and {error}") from error
    raise FormatError(
        f"{where}: states no w and h, and its photo is not beside the file. Add w and h, the photos' width "
        "and height."
    )


def _intrinsics(values: Mapping[str, Any], size: tuple[int, int], where: str) -> np.ndarray:
    """Return K (3, 3), pixel centres at integers."""
    focals = []
    for focal, angle, side in (("fl_x", "camera_angle_x", size[0]), ("fl_y", "camera_angle_y", size[1])):
        if focal in values:
            focals.append(_number(values, focal, where))
        elif angle in values:
            radians = _number(values, angle, where)
            if not 0 < radians < math.pi:
                raise FormatError(f"{where}: {angle} is {radians:g}. Give radians between 0 and pi.")
            focals.append(side / 2 / math.tan(radians / 2))
    if not focals:
        raise FormatError(
            f"{where}: states no focal length. Add fl_x and fl_y in pixels, or camera_angle_x, to the file "
            "or to every frame."
        )
    if ("fl_x" in values or "fl_y" in values) and not ("cx" in values and "cy" in values):
        raise FormatError(f"{where}: states a focal length without cx and cy. Add the principal point.")
    # One of the two alone, as in NeRF's rendered scenes, means square pixels.
    fx, fy = focals[0], focals[-1]
    if not min(fx, fy) > 0:
        raise FormatError(f"{where}: fl_x and fl_y are {fx:g} and {fy:g}. Give pixels above 0.")
    cx, cy = (
        _number(values, key, where) if key in values else side / 2 for key, side in zip(("cx", "cy"), size)
    )
    return np.array([[fx, 0, cx - _HALF], [0, fy, cy - _HALF], [0, 0, 1]])


def _lens(holder: Mapping[str, Any], where: str) -> Lens | None:
    if "distortion_params" in holder:
        stated = holder["distortion_params"]
        if not isinstance(stated, list) or len(stated) != 6:
            raise FormatError(f"{where}: distortion_params is {shown(stated)}. Give k1 k2 k3 k4 p1 p2.")
        holder = dict(zip(("k1", "k2", "k3", "k4", "p1", "p2"), stated))
    k1, k2, k3, k4, p1, p2 = (
        _number(holder, key, where) if key in holder else 0.0 for key in ("k1", "k2", "k3", "k4", "p1", "p2")
    )
    if k4 != 0:
        raise FormatError(
            f"{where}: k4 is {k4:g}, which only fisheyes have. Undistort the photos first, or set it to 0."
        )
    return lens_of((k1, k2, p1, p2, k3), where)


def _pose(frame: Mapping[str, Any], where: str) -> np.ndarray | None:
    """Return cam_from_world (4, 4) in OpenCV axes; none where the frame has no pose."""
    if "transform_matrix" not in frame:
        return None
    try:
        world_from_cam = np.array(frame["transform_matrix"], np.float64)
    except (TypeError, ValueError, RecursionError, OverflowError):
        world_from_cam = np.empty(0)
    if world_from_cam.shape == (3, 4):
        world_from_cam = np.vstack([world_from_cam, [0, 0, 0, 1]])
    if world_from_cam.shape != (4, 4):
        raise FormatError(f"{where}: transform_matrix does not hold 4x4 numbers. Write them, row by row.")
    if fault := fault_of_pose(world_from_cam):
        raise FormatError(f"{where}: {fault.replace('cam_from_world', 'transform_matrix')}")
    return _OPENCV_FROM_OPENGL @ np.linalg.inv(world_from_cam)


def _number(values: Mapping[str, Any], key: str, where: str) -> float:
    value = values[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise FormatError(f"{where}: {key} is {shown(value)}. Give a finite number.")
    return float(value)


def _notices(
    path: Path, document: Mapping[str, Any], frames: list[Any], cameras: list[ImportedCamera]
) -> tuple[Notice, ...]:
    notices = []
    shared = {key for key in (*_INTRINSICS, *_OF_LENS) if key in document}
    of_lens = bool(shared & set(_OF_LENS))
    unheard = [
        camera.file
        for camera, frame in zip(cameras, frames)
        if any(key in frame and frame[key] != document[key] for key in shared)
        or (of_lens and any(key in frame and key not in document for key in _OF_LENS))
    ]
    if unheard:
        notices.append(
            warning(
                path.name,
                f"intrinsics stand in the file and differ in the frames of {first_few(unheard)}: the file's "
                "are taken, as nerfstudio does. Remove either.",
            )
        )
    if "applied_transform" in document:
        text = "poses are in the world of the frames: applied_transform is left alone."
        notices.append(info(path.name, text))
    return tuple(notices)
