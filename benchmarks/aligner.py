"""The default aligner on simulated predictions with known truth: accuracy and CPU-seconds of one thread, as a Markdown table.

Needs the package `oracle` on the path, which renders exact scenes and simulates a pair network's errors:

    OMP_NUM_THREADS=1 PYTHONPATH=../shared python benchmarks/aligner.py --shapes vase,house --views 8,16 --seeds 0,1
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from functools import cache

import numpy as np
import oracle
import torch
from oracle.metrics import pose_metrics

from align.sparse.averaging import averaged_start
from align.sparse.edge_quality import triangles_of
from align.sparse.gather import Gathered, Reading, gather, principal_point
from align.sparse.gauss_newton import BlockSolution, GaussNewton, gauss_newton_align, middle_depths
from align.sparse.measured_pairs import measure_pairs
from masks.mask import Mask
from masks.pixelmap import PixelMap
from pairs.backend import silent
from pairs.prediction import Matches, PairEntry, PairPrediction, Predictions
from pairs.views import View

SIZE = (224, 160)


@dataclass(frozen=True, slots=True)
class Simulated:
    """A scene, what a network says of it, and the true cameras."""

    scene: oracle.Scene
    predictions: Predictions
    cam_from_world: np.ndarray  # (V, 4, 4)
    focal: float


def simulate(shape: str, num_views: int, seed: int, noise: str) -> Simulated:
    """Return a ring of views on a static backdrop, masked by hand: all pairs up to 8 views, else each view with its next three."""
    scene = oracle.make_scene(shape, views=num_views, layout="ring", size=SIZE, backdrop="static", seed=seed)
    edges = tuple(oracle.scene_graph(num_views, *(("complete", 3) if num_views <= 8 else ("window", 3))))
    pixel_map = PixelMap(SIZE, 1, (0, 0, *SIZE), SIZE)
    views = []
    for k in range(num_views):
        seen = scene.view(k)
        views.append(View(f"{k:03d}", None, seen.image, pixel_map, Mask(seen.mask, "oracle"), f"{k}", camera="one"))

    @cache
    def load(edge: int) -> PairEntry:
        said = oracle.predict_pair(scene, *edges[edge], noise=noise, seed=seed)
        return PairEntry(
            ab=PairPrediction(said["pts_ii"], said["pts_ji"], said["conf_ii"], said["conf_ji"]),
            ba=PairPrediction(said["pts_jj"], said["pts_ij"], said["conf_jj"], said["conf_ij"]),
            matches=Matches(said["xy_i"], said["xy_j"], said["match_conf"]),
        )

    true, K = oracle.true_poses(scene)
    poses = np.tile(np.eye(4), (num_views, 1, 1))
    poses[:, :3] = true[:, :3]
    return Simulated(scene, Predictions(tuple(views), edges, load, None, ()), poses, float(K[0, 0, 0]))


def start_poses(gathered: Gathered) -> np.ndarray:
    """Return the poses (V, 4, 4) from the pairs alone, before the refinement."""
    centres = torch.stack([principal_point(view, gathered.predictions, k) for k, view in enumerate(gathered.predictions.views)])
    pairs = measure_pairs(gathered, middle_depths(gathered.views), centres)
    start = averaged_start(pairs, triangles_of(pairs, len(gathered.views)), len(gathered.views))
    poses = np.tile(np.eye(4), (len(gathered.views), 1, 1))
    poses[:, :3, :3], poses[:, :3, 3] = start.R_cam_from_world, start.t_cam_from_world
    return poses


def depth_error(simulated: Simulated, gathered: Gathered, solution: BlockSolution) -> float:
    """Return the median relative error of depth over all object pixels, after one scale."""
    found, true = [], []
    for k, view in enumerate(gathered.views):
        blocks = np.kron(solution.log_offset[k], np.ones((view.subsample, view.subsample)))
        depth = view.depth.numpy() * np.exp(solution.log_size[k] + blocks)
        seen = simulated.scene.view(k)
        usable = seen.mask & np.isfinite(depth)
        found.append(depth[usable])
        true.append(seen.depth[usable])
    ratio = np.concatenate(found) / np.concatenate(true)
    return float(np.median(abs(ratio / np.median(ratio) - 1)))


def row(simulated: Simulated, name: str) -> str:
    """Return one line of the table."""
    gathered = gather(simulated.predictions, Reading(), silent)
    began = time.process_time()
    start = start_poses(gathered)
    middle = time.process_time()
    solution = gauss_newton_align(gathered, GaussNewton())
    ended = time.process_time()
    before, after = (pose_metrics(poses, simulated.cam_from_world) for poses in (start, solution.cam_from_world))
    figures = solution.figures
    cells = [
        name,
        _degrees(before),
        _degrees(after),
        f"{after['rra'][5]:.0f}",
        f"{after['rta'][5]:.0f}",
        f"{100 * after['ate']:.2f}",
        f"{100 * (solution.K[0, 0, 0] / simulated.focal - 1):+.2f}",
        f"{100 * depth_error(simulated, gathered, solution):.2f}",
        str(figures["steps"]),
        f"{figures['share within 2 px']:.2f}",
        # The alignment makes its own start again: that is taken off.
        f"{middle - began:.2f} + {ended - middle - (middle - began):.2f}",
    ]
    return "| " + " | ".join(cells) + " |"


def _degrees(figures: dict) -> str:
    return f"{figures['rotation_deg']['median']:.2f} / {figures['rotation_deg']['max']:.2f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", default="vase,house,mug,blob,superquadric")
    parser.add_argument("--views", default="8,16")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--noise", default="default")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| scene | start: rotation deg med / max | rotation deg med / max | RRA@5 | RTA@5 | ATE % | focal % | depth % | steps | in 2 px | CPU s |")
    print("|" + " --- |" * 11)
    for num_views in map(int, arguments.views.split(",")):
        for shape in arguments.shapes.split(","):
            for seed in map(int, arguments.seeds.split(",")):
                simulated = simulate(shape, num_views, seed, arguments.noise)
                print(row(simulated, f"{shape} {num_views}, seed {seed}"), flush=True)


if __name__ == "__main__":
    main()
