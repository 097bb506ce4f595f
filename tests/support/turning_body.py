"""Photos of an object that turned before a backdrop that stood still, and cameras that nobody has to solve:
what lies in a store counts as solved.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from ellipsoid_masks import BODY, around_origin, masks_of, pinholes
from PIL import Image
from table_scene import table_depth

from align.made_masks.mask_work import MaskOptions
from masks.lens import Lens
from masks.mask import Mask
from masks.notice import Notice
from masks.pixelmap import identity
from pairs.backends.classical.backend import Classical
from pairs.backends.classical.sfm.solve import KIND, SceneSolve, solve_to_arrays
from pairs.backends.classical.solve_scene import solve_key
from pairs.engines.processes import Processes
from pairs.prediction.store import PredictionStore
from pairs.views.cameras import Cameras, project
from pairs.views.view import View

VIEWS, STEP_DEG = 8, 12.0
SIZE = (200, 150)
CAMERAS = pinholes(around_origin(np.arange(VIEWS) * STEP_DEG), 280.0, SIZE)
MASKS = masks_of(CAMERAS, BODY, SIZE)


def folded_cameras() -> Cameras:
    """Return the cameras with half of them on the wrong side."""
    poses = CAMERAS.cam_from_world.copy()
    poses[VIEWS // 2 :] = poses[VIEWS // 2 :] @ np.diag([-1.0, -1.0, 1.0, 1.0])
    return Cameras(CAMERAS.K, poses)


def solve_of(
    cameras: Cameras = CAMERAS, lenses: tuple[Lens | None, ...] = (), notices: tuple[Notice, ...] = ()
) -> SceneSolve:
    """Return a solve with points all over the object, and some beside it, seen by all views."""
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.uniform(-0.3, 0.3, (200, 3)), [[1.2, 1.2, 0.0]] * 20])
    xy, _ = project(CAMERAS, points)
    number = np.tile(np.arange(len(points), dtype=np.int32), VIEWS)
    by = np.repeat(np.arange(VIEWS, dtype=np.int32), len(points))
    return SceneSolve(tuple(range(VIEWS)), cameras, points, number, by, xy.reshape(-1, 2), notices, lenses)


def options_with(store: PredictionStore) -> MaskOptions:
    """Return how masks are made with the finished steps of a store, and no other process."""
    return MaskOptions(backend=Classical(engine=Processes(1)), store=store.folder)


def solve_of_nothing(num_views: int) -> SceneSolve:
    """Return a solve whose cameras stand side by side, and whose one point says nothing of any object."""
    poses = np.tile(np.eye(4), (num_views, 1, 1))
    poses[:, 0, 3] = np.arange(num_views)
    cameras = Cameras(np.tile(CAMERAS.K[:1], (num_views, 1, 1)), poses)
    by = np.arange(num_views, dtype=np.int32)
    observed, xy = np.zeros(num_views, np.int32), np.full((num_views, 2), 5.0)
    return SceneSolve(tuple(range(num_views)), cameras, np.array([[0, 0, 9.0]]), observed, by, xy, ())


def put_solve(store: PredictionStore, views: Sequence[View], solve: SceneSolve) -> None:
    """Put the solve of views into a store, as finished."""
    store.put(KIND, solve_key(views, None, Classical().solve), solve_to_arrays(solve))


def blank_views(masks: Sequence[Mask] | None = None) -> tuple[View, ...]:
    """Return views of nothing, named as the photos of `write_photos`."""
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    own = masks or [None] * VIEWS
    return tuple(
        View(f"{k:02d}.png", None, image, identity(SIZE), own[k], str(k), photo_key=str(k))
        for k in range(VIEWS)
    )


def write_photos(folder: Path) -> list[Path]:
    """Write photos of the object, in warm colours that go through it in blocks, before blocks of all colours;
    their features are enough for cameras.
    """
    rng = np.random.default_rng(3)
    blocks = rng.uniform(40, 220, (SIZE[1] // 10, SIZE[0] // 10, 3)).astype(np.float32)
    backdrop = cv2.resize(blocks, SIZE, interpolation=cv2.INTER_NEAREST)
    solid = rng.uniform(0.35, 1.05, (40, 40, 40))
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for k, mask in enumerate(MASKS):
        depth = table_depth(CAMERAS, k, BODY, table=False, size=SIZE)[..., None]
        in_camera = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(CAMERAS.K[k]).T * depth
        pose = CAMERAS.cam_from_world[k]
        i, j, n = np.moveaxis(((in_camera - pose[:3, 3]) @ pose[:3, :3] + 1.2) / 2.4 * 40, -1, 0).astype(int)
        coat = np.array([235, 130, 50]) * solid[i % 40, j % 40, n % 40, None]
        photo = np.where(mask[..., None], coat, backdrop) + 1.5 * rng.standard_normal((*SIZE[::-1], 3))
        paths.append(folder / f"{k:02d}.png")
        Image.fromarray(np.clip(np.rint(photo), 0, 255).astype(np.uint8)).save(paths[-1])
    return paths
