"""Scenes with known truth and what a pair network would say of them, kept on disk as folders of predictions.

Making them needs the package `oracle` on the path, which renders exact scenes and simulates a network's
errors; reading them again does not.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from masks.mask import Mask
from masks.pixelmap import identity
from pairs.backends.precomputed import read_predictions, write_predictions
from pairs.prediction.predictions import Matches, PairEntry, PairPrediction, Predictions
from pairs.views.view import View

WINDOW = 3
"""In a ring, each view is paired with so many next ones."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is simulated: a ring of views about an object that turns before a backdrop that stands still."""

    shape: str
    num_views: int
    seed: int
    graph: Literal["complete", "ring"] = "complete"
    noise: str = "default"
    masked: bool = True
    size: tuple[int, int] = (224, 160)
    """Width and height of the views."""

    @property
    def name(self) -> str:
        """Name of the folder."""
        masked = "masked" if self.masked else "unmasked"
        size = "x".join(map(str, self.size))
        return f"{self.shape}-{self.num_views}-{self.graph}-seed{self.seed}-{self.noise}-{masked}-{size}"


@dataclass(frozen=True, slots=True)
class Simulated:
    """What a network says of a scene, and the truth."""

    predictions: Predictions
    cam_from_world: np.ndarray  # (V, 4, 4)
    focal: float
    depth: np.ndarray  # (V, H, W)
    mask: np.ndarray  # (V, H, W) bool


def add_folder(parser: argparse.ArgumentParser) -> None:
    """Let a benchmark's command line say where simulated scenes are kept."""
    default = Path(tempfile.gettempdir()) / "pointloom_simulated"
    parser.add_argument("--folder", type=Path, default=default, help="where scenes are kept")


def simulated(recipe: Recipe, folder: Path) -> Simulated:
    """Return the scene of a recipe from below `folder`, where it is made first unless it is there."""
    place = folder / recipe.name
    if not (place / "truth.npz").is_file():
        _make(recipe, place)
    with np.load(place / "truth.npz") as truth:
        return Simulated(
            read_predictions(place),
            truth["cam_from_world"],
            float(truth["focal"]),
            truth["depth"],
            truth["mask"],
        )


def _make(recipe: Recipe, place: Path) -> None:
    """Write predictions and, last of all, the truth: a folder that has it is whole."""
    import oracle

    scene = oracle.make_scene(
        recipe.shape,
        views=recipe.num_views,
        layout="ring",
        size=recipe.size,
        backdrop="static",
        seed=recipe.seed,
    )
    edges = tuple(
        oracle.scene_graph(recipe.num_views, "window" if recipe.graph == "ring" else "complete", WINDOW)
    )
    seen = [scene.view(k) for k in range(recipe.num_views)]
    views = tuple(
        View(
            f"{k:03d}",
            None,
            view.image,
            identity(recipe.size),
            Mask(view.mask, "oracle") if recipe.masked else None,
            f"{k}",
            camera="one",
        )
        for k, view in enumerate(seen)
    )

    @cache
    def load(edge: int) -> PairEntry:
        said = oracle.predict_pair(scene, *edges[edge], noise=recipe.noise, seed=recipe.seed)
        return PairEntry(
            ab=PairPrediction(said["pts_ii"], said["pts_ji"], said["conf_ii"], said["conf_ji"]),
            ba=PairPrediction(said["pts_jj"], said["pts_ij"], said["conf_jj"], said["conf_ij"]),
            matches=Matches(said["xy_i"], said["xy_j"], said["match_conf"]),
        )

    write_predictions(Predictions(views, edges, load, None, ()), place)
    true, K = oracle.true_poses(scene)
    poses = np.tile(np.eye(4), (recipe.num_views, 1, 1))
    poses[:, :3] = true[:, :3]
    depth, mask = (np.stack([getattr(view, name) for view in seen]) for name in ("depth", "mask"))
    np.savez_compressed(
        place / "truth.npz", cam_from_world=poses, focal=K[0, 0, 0], depth=depth.astype(np.float32), mask=mask
    )
