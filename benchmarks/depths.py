"""What each source of depth is worth: errors against the truth, and time; as Markdown tables.

Simulated rings and networks of groups need the package `oracle` on the path; the demo's turntable, which is
photographed and reconstructed anew, does not:

    OMP_NUM_THREADS=1 PYTHONPATH=../shared python benchmarks/depths.py
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from simulated import Recipe, add_folder, simulated

from align.demo.turntable import TurntableOptions, build_studio, render_turntable, render_view
from align.depth_maps.source import Depths, DepthSource, Posed
from align.depth_maps.tsdf import PublishedTsdf
from align.global_alignment import align_predictions
from align.group_scene import group_scene
from align.pipeline import reconstruct
from align.presets import DEPTHS, PRESETS
from align.scene import Scene
from masks.mask import Mask
from masks.pixelmap import identity, to_source
from masks.progress import Progress
from pairs.prediction.predictions import GroupPrediction, Predictions
from pairs.views.cameras import Cameras
from pairs.views.grid import GridOptions
from pairs.views.load import LoadOptions
from pairs.views.view import View

PUBLISHED_SHARES = (0.005, 0.02)
"""Thresholds of the published refinement, which are in scene units, as shares of the median depth."""
_SIZE = (224, 160)
"""Width and height of the views of groups."""
_BLOCK = 8
"""Side, in pixels, of the blocks within which a surface's roughness is measured."""


@dataclass(slots=True)
class Timed:
    """A source of depth that remembers how long it took."""

    source: DepthSource
    seconds: float = 0.0

    def depths(self, posed: Posed, progress: Progress) -> Depths:
        """Return what the source does."""
        began = time.process_time()
        found = self.source.depths(posed, progress)
        self.seconds = time.process_time() - began
        return found


@dataclass(frozen=True, slots=True)
class Published:
    """The published refinement with a threshold relative to the scene."""

    share: float

    def depths(self, posed: Posed, progress: Progress) -> Depths:
        """Return the views refined as published."""
        depth = torch.cat([view.depth.flatten() for view in posed.dense])
        return PublishedTsdf(self.share * float(depth.nanmedian())).depths(posed, progress)


def cells(scene: Scene, truth: Sequence[np.ndarray]) -> list[str]:
    """Return what is printed of a scene whose views' true depths (H, W) are known, 0 off the object.

    Errors are relative to the true depth, the scene's scale apart; those above 5 % count 5 in the mean.
    """
    ratio = [
        np.where((true > 0) & (view.depth > 0), view.depth, np.nan) / true
        for view, true in zip(scene.views, truth)
    ]
    known = np.concatenate([each[np.isfinite(each)] for each in ratio])
    error = 100 * np.abs(known / np.median(known) - 1)
    pixels = sum((true > 0).sum() for true in truth)
    kept = sum(((view.conf > 0) & (true > 0)).sum() for view, true in zip(scene.views, truth))
    return [
        f"{np.median(error):.3f}",
        f"{np.minimum(error, 5).mean():.3f}",
        f"{100 * (error > 1).mean():.1f}",
        f"{np.nanmedian(np.concatenate([_roughness(each) for each in ratio])):.3f}",
        f"{100 * len(known) / pixels:.0f}",
        f"{100 * kept / pixels:.0f}",
    ]


def _roughness(ratio: np.ndarray) -> np.ndarray:
    """Return by how many percent pixels differ from the median of their block: what errors of cameras and of
    the scene's shape, which are smooth, hardly touch.
    """
    height, width = (side - side % _BLOCK for side in ratio.shape)
    blocks = ratio[:height, :width].reshape(height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK).swapaxes(1, 2)
    blocks = blocks.reshape(-1, _BLOCK * _BLOCK)
    whole = blocks[np.isfinite(blocks).all(1)]
    return 100 * np.abs(whole / np.median(whole, 1, keepdims=True) - 1).ravel()


def ring_rows(
    recipe: Recipe, preset: str, folder: Path, sources: Mapping[str, DepthSource | None]
) -> Iterator[list[str]]:
    """Yield a line a source of a simulated ring."""
    made = simulated(recipe, folder)
    truth = list(np.where(made.mask, made.depth, 0))
    for name, source in sources.items():
        timed = None if source is None else Timed(source)
        scene = align_predictions(made.predictions, replace(PRESETS[preset], depth=timed))
        yield [name, *cells(scene, truth), _seconds(timed)]


def group_rows(
    shape: str, num_views: int, seed: int, noise: str, sources: Mapping[str, DepthSource | None]
) -> Iterator[list[str]]:
    """Yield a line a source of what a simulated network says of a whole group."""
    import oracle

    made = oracle.make_scene(shape, views=num_views, layout="ring", size=_SIZE, backdrop="static", seed=seed)
    said = oracle.predict_group(made, noise=noise, seed=seed, masked=True)
    poses = np.tile(np.eye(4), (num_views, 1, 1))
    poses[:, :3] = said["w2c"]
    seen = [made.view(k) for k in range(num_views)]
    cameras = Cameras(said["K"], poses)
    # A group has a depth everywhere; confidence 1 tells where it is none.
    depth = tuple(np.where(view.mask, z, 1).astype(np.float32) for view, z in zip(seen, said["depth"]))
    conf = tuple(np.where(view.mask, c, 1).astype(np.float32) for view, c in zip(seen, said["depth_conf"]))
    views = tuple(
        View(f"{k:03d}", None, view.image, identity(_SIZE), Mask(view.mask, "oracle"), f"{k}")
        for k, view in enumerate(seen)
    )
    predictions = Predictions(
        views, (), lambda k: _no_pairs(), cameras, (), "network", GroupPrediction(cameras, depth, conf)
    )
    truth = [np.where(view.mask, view.depth, 0) for view in seen]
    for name, source in sources.items():
        if name != "matches":
            timed = None if source is None else Timed(source)
            yield [name, *cells(group_scene(predictions, timed), truth), _seconds(timed)]


def _no_pairs():
    raise ValueError("a group has no pairs")


def turntable_rows(folder: Path, sources: Mapping[str, DepthSource | None]) -> Iterator[list[str]]:
    """Yield a line a source of the demo's turntable, reconstructed by the classical backend."""
    options = TurntableOptions()
    render_turntable(folder, options)
    studio = build_studio(options)
    depths = [render_view(studio, options, k).depth for k in range(options.num_views)]
    load = LoadOptions(grid=GridOptions(longest=256))
    for name, source in sources.items():
        timed = None if source is None else Timed(source)
        preset = replace(PRESETS["pointloom"], depth=timed)
        scene = reconstruct(
            folder / "images", folder / "masks", preset=preset, load=load, store=folder / "store"
        )
        truth = [depth_on_grid(view.pixel_map, view.mask, depths[int(view.name[:3])]) for view in scene.views]
        yield [name, *cells(scene, truth), _seconds(timed)]


def depth_on_grid(pixel_map, mask: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Return a photo's depth at the places of a grid's pixels, between photo pixels by the mean of inverse
    depths, which is exact on a plane; 0 off the object.
    """
    height, width = mask.shape
    y, x = np.mgrid[:height, :width]
    xy = to_source(pixel_map, np.stack([x.ravel(), y.ravel()], 1).astype(float))
    left, top = np.clip(np.floor(xy).astype(int), 0, np.array(depth.shape[::-1]) - 2).T
    u, v = xy[:, 0] - left, xy[:, 1] - top
    near = 1 / depth  # 0 beside the object, where it is infinitely far
    a, b, c, d = (near[top + i, left + j] for i in (0, 1) for j in (0, 1))
    inside = (np.minimum(np.minimum(a, b), np.minimum(c, d)) > 0).reshape(height, width) & mask
    mean = (a * (1 - u) + b * u) * (1 - v) + (c * (1 - u) + d * u) * v
    return np.divide(1, mean.reshape(height, width), out=np.zeros((height, width)), where=inside)


def _seconds(timed: Timed | None) -> str:
    return "-" if timed is None else f"{timed.seconds:.2f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--published", action="store_true", help="the published refinement, too (minutes)")
    add_folder(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    published = {f"published, {100 * share:g} %": Published(share) for share in PUBLISHED_SHARES}
    print("| scene | depth | median % | mean % | > 1 % | rough % | has depth % | kept % | CPU s |")
    print("|" + " --- |" * 9)
    for seed in (0, 1):
        recipe = Recipe("vase", 16, seed, "ring")
        sources = DEPTHS | published if arguments.published and seed == 0 else DEPTHS
        for preset in ("pointloom", "mast3r"):
            _print(f"vase 16, seed {seed}, {preset}", ring_rows(recipe, preset, arguments.folder, sources))
    recipe = Recipe("vase", 8, 0, "complete")
    _print("vase 8, dense", ring_rows(recipe, "dense", arguments.folder, DEPTHS))
    recipe = Recipe("vase", 64, 0, "ring")
    _print("vase 64, pointloom", ring_rows(recipe, "pointloom", arguments.folder, DEPTHS))
    for shape, seed, noise in (("vase", 0, "default"), ("house", 1, "default"), ("vase", 0, "high")):
        _print(f"{shape} 16 as a group, {noise} noise", group_rows(shape, 16, seed, noise, DEPTHS))
    _print("demo turntable, classical", turntable_rows(arguments.folder / "turntable", DEPTHS))


def _print(title: str, rows: Iterator[list[str]]) -> None:
    for row in rows:
        print("| " + " | ".join([title, *row]) + " |", flush=True)


if __name__ == "__main__":
    main()
