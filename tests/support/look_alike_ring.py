"""A masked ring about an object of which one side looks like another, so that features fold the scene."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from ellipsoid_masks import BODY, SIZE, masks_of, turntable
from scipy.spatial.transform import Rotation

from masks.mask import Mask
from masks.pixelmap import identity
from pairs.backends.classical.sfm.matching import Pair
from pairs.backends.classical.solve_scene import MatchedViews
from pairs.views.cameras import Cameras
from pairs.views.view import View

NUM_VIEWS = 16
CAMERAS = turntable(NUM_VIEWS, 360 / NUM_VIEWS)
BLOCK = np.arange(5, 11)
"""Views that see the side that looks like another."""
_NOISE_PX = 0.2
_NEAR, _NEXT = 3, 2
"""Views match up to so many steps away, across the rim of the block fewer."""
_FEW = 25


def folded(
    cameras: Cameras, block: np.ndarray, turn_deg: float, scale: float = 1.02, shift: float = 0.2
) -> Cameras:
    """Return the cameras with a block turned about the z axis, scaled and shifted."""
    turn = Rotation.from_euler("z", turn_deg, degrees=True).as_matrix()
    poses = cameras.cam_from_world.copy()
    centres = scale * cameras.centres[block] @ turn.T + shift * np.array([0.6, -0.5, 0.6])
    poses[block, :3, :3] = poses[block, :3, :3] @ turn.T
    poses[block, :3, 3] = -np.einsum("vij,vj->vi", poses[block, :3, :3], centres)
    return Cameras(cameras.K, poses)


def look_alike_ring(seed: int = 0) -> MatchedViews:
    """Return 16 views with stated intrinsics. Key points of the block's views show two things: the side that
    is there, and another one as if the block stood half a turn away. Matches across the block's rim are few,
    so the mapper believes the latter.
    """
    rng = np.random.default_rng(seed)
    points, normals = _surface(rng)
    true, wrong = (_seen(cameras, points, normals, rng) for cameras in (CAMERAS, folded(CAMERAS, BLOCK, 180)))
    xy, first = [], {}
    for view in range(NUM_VIEWS):
        parts = [np.stack(list(true[view].values()))]
        if view in BLOCK:
            first[view] = len(parts[0])
            parts.append(np.stack(list(wrong[view].values())))
        xy.append(np.concatenate(parts).astype(np.float32))
    matches: dict[Pair, np.ndarray] = {}
    for a, b in combinations(range(NUM_VIEWS), 2):
        inside = (a in BLOCK) + (b in BLOCK)
        steps = _steps(a, b)
        if inside == 1 and steps <= _NEXT:
            matches[a, b] = _common(true[a], true[b])[:_FEW]
        elif inside != 1 and steps <= _NEAR:
            matches[a, b] = _common(true[a], true[b])
        elif inside == 1 and _steps(a, b + NUM_VIEWS // 2) <= _NEAR:
            block_first = a in BLOCK
            found = _common(wrong[a] if block_first else true[a], true[b] if block_first else wrong[b])
            found[:, 0 if block_first else 1] += first[a if block_first else b]
            matches[a, b] = found
    blank = np.zeros((*SIZE[::-1], 3), np.uint8)
    masks = masks_of(CAMERAS, BODY)
    views = tuple(
        View(f"{k:02d}.png", None, blank, identity(SIZE), Mask(mask, "drawn"), str(k), K=K, camera="one")
        for k, (mask, K) in enumerate(zip(masks, CAMERAS.K))
    )
    return MatchedViews(views, tuple(xy), tuple(masks), matches)


def _surface(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return points (N, 3) all over the object, and normals (N, 3)."""
    points, normals = [], []
    for k, (centre, half) in enumerate(BODY):
        direction = rng.normal(size=(150, 3))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        own = np.array(centre) + direction * half
        others = [other for j, other in enumerate(BODY) if j != k]
        free = np.all([(((own - c) / h) ** 2).sum(1) > 1 for c, h in others], axis=0)
        normal = direction / half
        points.append(own[free])
        normals.append((normal / np.linalg.norm(normal, axis=1, keepdims=True))[free])
    return np.concatenate(points), np.concatenate(normals)


def _seen(
    cameras: Cameras, points: np.ndarray, normals: np.ndarray, rng: np.random.Generator
) -> list[dict[int, np.ndarray]]:
    """Return for every view the key points (2,) of the surface points that face it."""
    found = []
    for K, pose, centre in zip(cameras.K, cameras.cam_from_world, cameras.centres):
        towards = centre - points
        facing = (normals * towards).sum(1) > 0.3 * np.linalg.norm(towards, axis=1)
        pixels = (points @ pose[:3, :3].T + pose[:3, 3]) @ K.T
        at = pixels[:, :2] / pixels[:, 2:] + _NOISE_PX * rng.normal(size=(len(points), 2))
        found.append({int(k): at[k] for k in np.flatnonzero(facing)})
    return found


def _common(a: dict[int, np.ndarray], b: dict[int, np.ndarray]) -> np.ndarray:
    """Return matches (M, 2): places in the order of both."""
    place_a, place_b = ({k: n for n, k in enumerate(each)} for each in (a, b))
    return np.array([(place_a[k], place_b[k]) for k in place_a if k in place_b], np.int32).reshape(-1, 2)


def _steps(a: int, b: int) -> int:
    apart = abs(a - b) % NUM_VIEWS
    return min(apart, NUM_VIEWS - apart)
