"""A thing on a disc with marks that turns with it: photos, silhouettes and cameras, exact."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from ellipsoid_masks import around_origin, masks_of, pinholes
from PIL import Image
from table_scene import TABLE_Z
from turning_body import put_solve

from align.made_masks.placed_pictures import PlacedPictures
from masks.image_file import ImageFacts
from masks.making.evidence import Evidence
from masks.making.pictures import working_map
from masks.pixelmap import identity
from pairs.backends.classical.sfm.solve import SceneSolve
from pairs.prediction.store import PredictionStore
from pairs.views.cameras import Cameras, project
from pairs.views.load import load_views

SIZE = (240, 180)
VIEWS = 12
THING = ((0.05, 0.0, 0.1), (0.3, 0.4, 0.55))
"""Stands on the disc, and hides its own lower end."""
DISC = 0.9
"""Its radius."""


@dataclass(frozen=True, slots=True)
class MarkedStand:
    """Twelve photos of a full turn in the frame of the thing."""

    cameras: Cameras
    photos: list[np.ndarray]
    things: list[np.ndarray]  # (H, W) bool: the thing alone
    moving: list[np.ndarray]  # (H, W) bool: with the disc
    points: np.ndarray  # (N, 3) on both

    @property
    def evidence(self) -> Evidence:
        """What photos before a backdrop that stands still say."""
        return Evidence(tuple(np.where(m, 4.0, -3.0).astype(np.float32) for m in self.moving), "a test")

    @property
    def facts(self) -> list[ImageFacts]:
        return [ImageFacts(Path(f"{k}.jpg"), SIZE, 1, False, {}) for k in range(VIEWS)]

    @property
    def placed(self) -> PlacedPictures:
        maps = tuple(working_map(fact).upright() for fact in self.facts)
        return PlacedPictures(tuple(range(VIEWS)), maps, (identity(SIZE),) * VIEWS, self.cameras)

    def put(self, folder: Path, store: PredictionStore) -> list[Path]:
        """Write the photos, and put their cameras into a store, as solved."""
        folder.mkdir()
        paths = [folder / f"{k:02d}.png" for k in range(VIEWS)]
        for path, photo in zip(paths, self.photos):
            Image.fromarray(photo).save(path)
        xy, _ = project(self.cameras, self.points)
        number = np.tile(np.arange(len(self.points), dtype=np.int32), VIEWS)
        by = np.repeat(np.arange(VIEWS, dtype=np.int32), len(self.points))
        solve = SceneSolve(tuple(range(VIEWS)), self.cameras, self.points, number, by, xy.reshape(-1, 2), ())
        put_solve(store, load_views(paths, "none")[0], solve)
        return paths


def marked_stand(thick: float = 0.0) -> MarkedStand:
    """Return the set; the disc's side is as marked where it is thick (shares of the distance, 4)."""
    cameras = pinholes(around_origin(np.arange(VIEWS) * 360.0 / VIEWS), 336.0, SIZE)
    rng = np.random.default_rng(1)
    blocks = rng.uniform(40, 220, (SIZE[1] // 10, SIZE[0] // 10, 3))
    photos, things, moving = [], [], []
    for k in range(VIEWS):
        thing = masks_of(Cameras(cameras.K[k : k + 1], cameras.cam_from_world[k : k + 1]), (THING,), SIZE)[0]
        R = cameras.cam_from_world[k, :3, :3]
        y, x = np.mgrid[: SIZE[1], : SIZE[0]]
        rays = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(cameras.K[k]).T @ R
        low = np.zeros(SIZE[::-1], bool)
        disc, places = np.zeros(SIZE[::-1], bool), np.zeros((*SIZE[::-1], 3))
        for z in np.linspace(TABLE_Z - 4 * thick, TABLE_Z, 9 if thick else 1):
            reach = (z - cameras.centres[k, 2]) / rays[..., 2]
            met = cameras.centres[k] + reach[..., None] * rays
            on = (reach > 0) & (np.hypot(met[..., 0], met[..., 1]) < DISC)
            disc, places = disc | on, np.where(on[..., None], met, places)
            low |= on & (z < TABLE_Z)
            low &= ~(on & (z == TABLE_Z))
        photo = cv2.resize(blocks, SIZE, interpolation=cv2.INTER_NEAREST)
        photo[disc] = _marks(places[disc], low[disc])
        coat = rng.uniform(0.5, 1.2, (SIZE[1] // 5, SIZE[0] // 5, 1)) * (60.0, 90.0, 190.0)
        photo[thing] = cv2.resize(coat, SIZE, interpolation=cv2.INTER_NEAREST)[thing]
        photos.append(np.clip(photo + rng.normal(0, 1.5, photo.shape), 0, 255).astype(np.uint8))
        things.append(thing)
        moving.append(thing | disc)
    return MarkedStand(cameras, photos, things, moving, _points(rng))


def _marks(places: np.ndarray, on_side: np.ndarray) -> np.ndarray:
    """Return colours (N, 3): sectors of two rings, all different, and the other way round on the side."""
    code = np.random.default_rng(5).random((2, 24)) > 0.5
    sector = (np.arctan2(places[:, 1], places[:, 0]) / (2 * np.pi) * 24).astype(int) % 24
    marked = code[(np.hypot(places[:, 0], places[:, 1]) > 0.65).astype(int), sector]
    return np.where((marked ^ on_side)[:, None], (200.0, 190.0, 60.0), (70.0, 70.0, 70.0))


def _points(rng: np.random.Generator) -> np.ndarray:
    directions = rng.normal(size=(400, 3))
    thing = np.array(THING[0]) + np.array(THING[1]) * directions / np.linalg.norm(directions, axis=1)[:, None]
    angle, radius = rng.uniform(0, 2 * np.pi, 150), rng.uniform(0.5, DISC, 150)
    disc = np.stack([radius * np.cos(angle), radius * np.sin(angle), np.full(150, TABLE_Z)], axis=1)
    return np.concatenate([thing[thing[:, 2] > TABLE_Z], disc]) + rng.normal(0, 0.002, (1, 3))
