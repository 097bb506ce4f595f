"""What surrounds VGGT: images, pose encodings, points of depth, chosen frames, figures of poses, COLMAP
models.
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from golden_case import Case
from torch import Tensor

from align.evaluation.pose_auc import pair_errors_deg, pose_auc
from align.export.colmap import TrackedModel
from align.export.tracked_model import (
    FoundTracks,
    ModelOptions,
    at_photo_size,
    consistent_tracks,
    tracked_model,
)
from golden_kinds import vggt_check
from masks.errors import ReconstructionError
from pairs.backends.vggt.images import (
    SquareFrame,
    VggtGrid,
    common_size,
    opaque,
    photo_on_grid,
    square_image,
    stacked,
    vggt_map,
)
from pairs.backends.vggt.query_frames import choose_frames, swapped_to_front
from pairs.networks.vggt.camera_head import decode_cameras, encode_cameras
from pairs.prediction.from_group import pointmap
from pairs.views.cameras import Cameras, project

FAMILY = "vggt"
check = vggt_check.check


def preprocess(case: Case) -> dict[str, Tensor]:
    mode, size = case.options["mode"], case.description["config"]["target_size"]
    photos = [opaque(picture.numpy()) for _, picture in sorted(case.inputs.items())]
    found = {}
    if mode == "square":
        images, frames = zip(*(square_image(photo, size) for photo in photos), strict=True)
        found["coords"] = torch.tensor([(f.left, f.top, f.right, f.bottom, *f.photo_size) for f in frames])
    else:
        sizes = [(photo.shape[1], photo.shape[0]) for photo in photos]
        maps = common_size([vggt_map("photo", at, 1, VggtGrid(mode, size)) for at in sizes])
        images = [photo_on_grid(photo, pixel_map) for photo, pixel_map in zip(photos, maps)]
        assert all(image.shape[1::-1] == pixel_map.target_size for image, pixel_map in zip(images, maps))
    tensor = stacked(images)
    levels = (tensor * 255).round().byte()
    assert [hashlib.sha256(image.contiguous().numpy()).hexdigest() for image in levels] == case.options[
        "sha256_u8"
    ]
    rows, columns = (
        slice(*(int(part) if part else None for part in case.options["sample"][axis].split(":")))
        for axis in ("rows", "columns")
    )
    found |= {
        "sample_u8": levels[:, :, rows, columns],
        "shape": torch.tensor(tensor.shape),
        "mean": tensor.mean((2, 3)),
    }
    return found


def pose_encoding(case: Case) -> dict[str, Tensor]:
    size = tuple(case.options["image_size_hw"])
    if case.options["direction"] == "encode":
        return {"pose_encoding": encode_cameras(case.inputs["extrinsics"], case.inputs["intrinsics"], size)}
    poses, K = decode_cameras(case.inputs["pose_encoding"], size)
    return {"extrinsics": poses, "intrinsics": K}


def _cameras(case: Case) -> Cameras:
    poses = case.inputs["extrinsics"].double().numpy()
    cam_from_world = np.tile(np.eye(4), (len(poses), 1, 1))
    cam_from_world[:, :3] = poses
    return Cameras(case.inputs["intrinsics"].double().numpy(), cam_from_world)


def unproject(case: Case) -> dict[str, Tensor]:
    cameras, depth = _cameras(case), case.inputs["depth"][..., 0].numpy()
    world_from_cam = cameras.world_from_cam
    in_camera = np.stack([pointmap(each, K) for each, K in zip(depth, cameras.K)])
    in_world = np.stack([pointmap(each, K, pose) for each, K, pose in zip(depth, cameras.K, world_from_cam)])
    pixels, points = project(cameras, case.inputs["points"].double().numpy())
    found = {"world_points": in_world, "cam_points": in_camera, "valid": depth > 1e-8}
    found |= {"cam_to_world": world_from_cam, "cam_to_world_torch": world_from_cam}
    found |= {"project_uv": pixels, "project_cam": points.transpose(0, 2, 1)}
    return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in found.items()}


def frame_selection(case: Case) -> dict[str, Tensor]:
    features = case.inputs["features"].numpy()
    chosen = choose_frames(features, case.description["config"]["num_samples"])
    order = swapped_to_front(min(2, len(features) - 1), len(features))
    return {"first": torch.tensor(chosen[:1]), "selected": torch.tensor(chosen), "swap_order": order}


def pose_metrics(case: Case) -> dict[str, Tensor]:
    rotation, translation = pair_errors_deg(case.inputs["pred"].numpy(), case.inputs["gt"].numpy())
    found = {"rotation_deg": torch.from_numpy(rotation), "translation_deg": torch.from_numpy(translation)}
    return found | {
        f"auc_{t}": torch.tensor([pose_auc(rotation, translation, t)])
        for t in case.description["config"]["thresholds"]
    }


def colmap_export(case: Case) -> dict[str, Tensor]:
    config, data, cameras = case.description["config"], case.inputs, _cameras(case)
    tracks = FoundTracks(
        data["points3d"].double().numpy(), data["tracks"].double().numpy(), data["masks"].numpy()
    )
    options = ModelOptions(
        camera=config["camera_type"],
        shared=config["shared_camera"],
        most_error_px=config["max_reproj_error"],
        least_seen=config["min_inlier_per_frame"],
        farthest=config["max_points3D_val"],
    )
    try:
        model = tracked_model(tracks, cameras, (config["image_size"],) * 2, options)
    except ReconstructionError:
        return {"built": torch.tensor([0])}
    frames = [
        SquareFrame(*row[:4], photo_size=(int(row[4]), int(row[5])))
        for row in data["original_coords"].tolist()
    ]
    after = at_photo_size(model, frames, case.options["img_size"])
    found = {
        "valid_points": consistent_tracks(tracks, cameras, options.most_error_px).sum(0) >= 2,
        "before_camera_ids": np.arange(len(model.params)) + 1,
        "before_image_camera_ids": model.camera_of_image + 1,
        "before_obs_image_point": np.stack([model.image, model.point], -1) + 1,
        "before_points_xyz": model.points,
        "before_track_lengths": model.track_lengths,
    }
    found |= _model_arrays("before", model) | _model_arrays("after", after)
    return {name: torch.from_numpy(value) for name, value in found.items()} | {"built": torch.tensor([1])}


def _model_arrays(when: str, model: TrackedModel) -> dict[str, np.ndarray]:
    return {
        f"{when}_camera_params": model.params,
        f"{when}_camera_wh": model.size,
        f"{when}_obs_xy": model.xy,
    }


HANDLERS = {
    "preprocess": preprocess,
    "pose_encoding": pose_encoding,
    "unproject": unproject,
    "frame_selection": frame_selection,
    "pose_metrics": pose_metrics,
    "colmap_export": colmap_export,
}
