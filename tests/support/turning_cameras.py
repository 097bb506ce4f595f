"""Cameras on circles with exact truth."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from pairs.rings.ring import axis_poses


def looking_at_axis(tilt_deg: float, roll_deg: float = 0.0, pan_deg: float = 0.0) -> np.ndarray:
    """Return `cam_from_axis` (3, 3) of a camera at azimuth 0 that looks at the axis from `tilt` above."""
    level = np.array([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]])  # x right = +y, y down = -z, z forward = -x
    # The camera looks down by the tilt: it turns about its own x axis.
    down = Rotation.from_euler("x", tilt_deg, degrees=True).as_matrix()
    turn = Rotation.from_euler("zy", [roll_deg, pan_deg], degrees=True).as_matrix()
    return turn @ down @ level


def on_a_ring(
    azimuth_deg: np.ndarray, tilt_deg: float = 20.0, roll_deg: float = 0.0, radius: float = 4.0
) -> np.ndarray:
    """Return poses (n, 4, 4) about the z axis of the world, in the plane z = 0."""
    return axis_poses(looking_at_axis(tilt_deg, roll_deg), radius, np.deg2rad(azimuth_deg))


def seen_from_above(azimuth_deg: float) -> np.ndarray:
    """Return the pose (4, 4) of a camera that looks at the origin from 6 away and 25 degrees above."""
    a, tilt = np.deg2rad(azimuth_deg), np.deg2rad(25)
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    pose = np.eye(4)
    pose[:3, :3] = about_x @ about_y
    pose[2, 3] = 6
    return pose


def moved(cam_from_world: np.ndarray, seed: int, scale: float = 3.0) -> np.ndarray:
    """Return the same cameras in another world: turned, shifted and scaled at random."""
    rng = np.random.default_rng(seed)
    other_from_world = np.eye(4)
    other_from_world[:3, :3] = Rotation.random(random_state=seed).as_matrix()
    other_from_world[:3, 3] = rng.normal(size=3)
    poses = cam_from_world @ np.linalg.inv(other_from_world)
    poses[:, :3, 3] *= scale
    return poses


def shaken(cam_from_world: np.ndarray, sigma_deg: float, sigma_place: float, seed: int) -> np.ndarray:
    """Return poses with noise: degrees about every axis, and units of the world along every axis."""
    rng = np.random.default_rng(seed)
    poses = cam_from_world.copy()
    turn = Rotation.from_rotvec(np.deg2rad(sigma_deg) * rng.normal(size=(len(poses), 3))).as_matrix()
    centres = -np.einsum("vji,vj->vi", poses[:, :3, :3], poses[:, :3, 3])
    centres += sigma_place * rng.normal(size=centres.shape)
    poses[:, :3, :3] = turn @ poses[:, :3, :3]
    poses[:, :3, 3] = -np.einsum("vij,vj->vi", poses[:, :3, :3], centres)
    return poses
