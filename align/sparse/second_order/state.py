"""What damped least squares move in the sparse problem: cameras and depths as they stand in the world.

The chain of poses along a tree is only one way to write them down; the losses do not know it
(docs/sparse_alignment.md, "Camera parametrisation").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from align.rotations import rotation_of
from align.sparse.camera_chain import CameraChain, Parameters, Placement, place


@dataclass(frozen=True, slots=True)
class SparseState:
    """All unknowns: V views of C cameras, with A anchors."""

    R_world_from_cam: np.ndarray  # (V, 3, 3)
    centre: np.ndarray  # (V, 3), world
    depth_scale: np.ndarray  # (V,), world
    shape: np.ndarray  # (A,)
    """Depth of every anchor over its view's scale."""
    log_focal: np.ndarray  # (C,), pixels
    principal_point: np.ndarray  # (C, 2), principal point over the image size


@dataclass(frozen=True, slots=True)
class Constants:
    """What a state is relative to."""

    camera: np.ndarray  # (V,) int
    size: np.ndarray  # (V, 2), (width, height)
    base_focal: np.ndarray  # (V,)
    pivot_depth: np.ndarray  # (V,)
    """Least depth scale of every view: the reference divides all scales by the smallest."""
    log_focal_limits: np.ndarray  # (2, V), infinite where there are none
    log_focal_range: np.ndarray  # (2, C), beyond which no view of a camera feels its focal
    anchor_view: np.ndarray  # (A,) int
    root: int


@dataclass(frozen=True, slots=True)
class ViewIntrinsics:
    """What the intrinsics and scales of a state mean for every view."""

    focal: np.ndarray  # (V,), pixels, within the limits
    centre: np.ndarray  # (V, 2), principal point, pixels
    size: np.ndarray  # (V, 2)
    focal_ratio: np.ndarray  # (V,), base focal over focal: how much of the canonical relief is left
    scale: np.ndarray  # (V,), depth scale
    focal_felt: np.ndarray  # (V,), 0 where a limit cuts the camera's focal, else 1


def constants_of(chain: CameraChain) -> Constants:
    """Return what of a chain does not depend on its tree."""
    camera, anchor_view = chain.camera.numpy(), chain.anchor_view.numpy()
    size, base_focal, pivot_depth = (
        each.double().numpy() for each in (chain.size, chain.base_focal, chain.pivot_depth)
    )
    limits = np.tile([[-np.inf], [np.inf]], len(camera))
    if chain.focal_limits is not None:
        limits = chain.focal_limits.double().log().numpy()
    reach = np.tile([[np.inf], [-np.inf]], int(camera.max()) + 1)
    np.minimum.at(reach[0], camera, limits[0])
    np.maximum.at(reach[1], camera, limits[1])
    return Constants(camera, size, base_focal, pivot_depth, limits, reach, anchor_view, chain.tree.root)


def state_of(parameters: Parameters, chain: CameraChain, constants: Constants) -> SparseState:
    """Return the state in which everything stands as the parameters place it."""
    placed = place(parameters, chain)
    tensors = (
        placed.R_world_from_cam,
        placed.centre,
        placed.depth_scale,
        placed.depth_shape,
        parameters.log_focal,
        parameters.principal_point,
    )
    R, centre, scale, shape, log_focal, principal_point = (each.detach().double().numpy() for each in tensors)
    return SparseState(
        R, centre, scale, shape, np.clip(log_focal, *constants.log_focal_range), principal_point
    )


def placement_of(state: SparseState, chain: CameraChain) -> Placement:
    """Return the state as the rest of the aligner knows it, in the dtype and on the device of the chain."""
    R, centre, scale, shape, log_focal, principal_point = (
        torch.from_numpy(each).to(chain.pivot_depth)
        for each in (
            state.R_world_from_cam,
            state.centre,
            state.depth_scale,
            state.shape,
            state.log_focal,
            state.principal_point,
        )
    )
    focal = log_focal.exp()[chain.camera]
    if chain.focal_limits is not None:
        focal = focal.clamp(chain.focal_limits[0], chain.focal_limits[1])
    K = torch.eye(3).to(focal).repeat(len(focal), 1, 1)
    K[:, 0, 0] = K[:, 1, 1] = focal
    K[:, :2, 2] = principal_point[chain.camera] * chain.size
    return Placement(K, R, centre, scale, shape, chain.anchor_view)


def view_intrinsics(state: SparseState, constants: Constants) -> ViewIntrinsics:
    """Return what intrinsics and scales mean for every view."""
    raw = state.log_focal[constants.camera]
    focal = np.exp(np.clip(raw, *constants.log_focal_limits))
    felt = ((raw >= constants.log_focal_limits[0]) & (raw <= constants.log_focal_limits[1])).astype(float)
    return ViewIntrinsics(
        focal,
        state.principal_point[constants.camera] * constants.size,
        constants.size,
        constants.base_focal / focal,
        state.depth_scale,
        felt,
    )


def pivots(intrinsics: ViewIntrinsics) -> np.ndarray:
    """Return the pivots (V, 3) in the camera frames: behind the image's centre, at the depth scale."""
    ray = (intrinsics.size / 2 - intrinsics.centre) / intrinsics.focal[:, None]
    return np.concatenate([ray, np.ones_like(ray[:, :1])], 1) * intrinsics.scale[:, None]


def shared_columns(constants: Constants) -> np.ndarray:
    """Return where the unknowns of every view (V, 10) are: pose 6, log scale 1, log focal 1, principal point
    2.

    A pose's step turns the view about its pivot and shifts the pivot, both in the camera's axes; a scale's
    grows it about the pivot. About the camera's centre, turn, shift and scale would be nearly the same thing
    to a small object. Views of one camera share the last three.
    """
    num_views, num_cameras = len(constants.camera), constants.log_focal_range.shape[1]
    view, camera = np.arange(num_views)[:, None], constants.camera[:, None]
    focal = 7 * num_views + camera
    centre = 7 * num_views + num_cameras + 2 * camera + np.arange(2)
    return np.concatenate([6 * view + np.arange(6), 6 * num_views + view, focal, centre], 1)


def stepped(state: SparseState, constants: Constants, step: np.ndarray, bounded: bool) -> SparseState:
    """Return the state after a step of the shared unknowns (N,); anchors keep their shapes.

    Where scales are `bounded` none falls below its least, and one ends there: the world is scaled about the
    root's centre. Whatever has a step of 0 stays to the bit.
    """
    n, num_cameras = len(state.depth_scale), len(state.log_focal)
    pose, grown = step[: 6 * n].reshape(n, 6), step[6 * n : 7 * n]
    scale = state.depth_scale * np.exp(grown)
    if bounded:
        scale = np.maximum(scale, constants.pivot_depth)
    pivot = pivots(view_intrinsics(state, constants))
    # The inverse of the left perturbation of cam_from_world, from the right.
    turned = state.R_world_from_cam @ rotation_of(-pose[:, :3])
    shifted = pivot * (scale / state.depth_scale)[:, None] + pose[:, 3:]
    moves = pose.any(1) | (scale != state.depth_scale)
    R = np.where(moves[:, None, None], turned, state.R_world_from_cam)
    centre = np.where(
        moves[:, None],
        state.centre + rotated(state.R_world_from_cam, pivot) - rotated(turned, shifted),
        state.centre,
    )
    # The reference divides all scales by the smallest: the same world, written with the smallest as 1.
    least = float((scale / constants.pivot_depth).min())
    if bounded and least > 1:
        scale, centre = scale / least, centre[constants.root] + (centre - centre[constants.root]) / least
    log_focal = np.clip(state.log_focal + step[7 * n : 7 * n + num_cameras], *constants.log_focal_range)
    principal_point = state.principal_point + step[7 * n + num_cameras :].reshape(num_cameras, 2)
    return SparseState(R, centre, scale, state.shape, log_focal, principal_point)


def rotated(R: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return points (V, 3) turned by R (V, 3, 3), one each."""
    return (R @ points[..., None])[..., 0]
