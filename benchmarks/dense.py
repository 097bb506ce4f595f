"""The dense aligner's solvers side by side on simulated predictions with known truth, as a Markdown table.

Needs the package `oracle` on the path, which renders exact scenes and simulates a pair network's errors;
scenes are made once and kept:

    OMP_NUM_THREADS=1 PYTHONPATH=../shared python benchmarks/dense.py --views 8 --size 512x384

Every solver runs in a process of its own, on one thread, from the same start, the spanning tree. `plain` is
the loop over pairs as one would write it down, its gradients by autograd. CPU seconds begin when predictions
are read and the start is there. MiB are the most resident while it worked, and how much of that is neither
libraries nor code: the loop holds the predictions, the others read them from disk, points into half
precision.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from dense_solvers import SOLVERS, Cost, measure
from memory import in_a_fresh_process
from oracle.metrics import pose_metrics
from simulated import Recipe, add_folder, simulated

from align.dense.options import DenseOptions


def rows(arguments: argparse.Namespace) -> Iterator[str]:
    """Yield a line for each scene and solver."""
    width, height = map(int, arguments.size.split("x"))
    options = DenseOptions(num_iterations=arguments.iterations)
    for num_views in map(int, arguments.views.split(",")):
        graph = "complete" if num_views <= arguments.complete else "ring"
        for masked in (False, True):
            recipe = Recipe(arguments.shape, num_views, 0, graph, masked=masked, size=(width, height))
            first = None
            for solver in arguments.solvers.split(","):
                count = arguments.plain_iterations if solver == "plain" else arguments.iterations
                cost = in_its_own_process(
                    recipe, solver, replace(options, num_iterations=count), arguments.folder
                )
                first = first or cost
                yield _row(recipe, solver, cost, first, arguments.folder)


def _row(recipe: Recipe, solver: str, cost: Cost, first: Cost, folder: Path) -> str:
    scene = simulated(recipe, folder)
    found = pose_metrics(np.linalg.inv(cost.world_from_cam), scene.cam_from_world)
    descends = solver != "least-squares"
    each, first_each = (one.seconds / one.iterations for one in (cost, first))
    cells = [
        f"{recipe.shape} {recipe.num_views} {recipe.graph}, {'masked' if recipe.masked else 'unmasked'}",
        solver,
        f"{cost.iterations}" if descends else "-",
        f"{each:.3f}" if descends else "-",
        f"{first_each / each:.1f}" if descends else "-",
        f"{cost.seconds:.1f}",
        f"{cost.loss:.5f}",
        f"{cost.peak_mb:.0f}",
        f"{cost.peak_mb - cost.libraries_mb:.0f}",
        f"{found['rotation_deg']['median']:.2f} / {found['rotation_deg']['max']:.2f}",
        f"{found['rra'][5]:.0f}",
        f"{100 * found['ate']:.2f}",
        f"{100 * (np.median(cost.focal) / scene.focal - 1):+.2f}",
    ]
    return "| " + " | ".join(cells) + " |"


def in_its_own_process(recipe: Recipe, solver: str, options: DenseOptions, folder: Path) -> Cost:
    """Return what a solver costs in a fresh process, the scene made before."""
    simulated(recipe, folder)
    return in_a_fresh_process(measure, recipe, solver, options, folder)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", default="vase")
    parser.add_argument("--views", default="8")
    parser.add_argument("--complete", type=int, default=8, help="views; beyond, rings of window 3")
    parser.add_argument("--size", default="512x384")
    parser.add_argument("--iterations", type=int, default=300)
    parser.add_argument("--plain-iterations", type=int, default=300, help="of the loop over pairs")
    parser.add_argument("--solvers", default=",".join(SOLVERS), help="the first is compared with")
    add_folder(parser)
    arguments = parser.parse_args()
    columns = (
        "scene | solver | iterations | CPU s an iteration | times faster | CPU s | loss | peak MiB "
        "| beyond libraries | rotation deg med / max | RRA@5 | ATE % | focal %"
    )
    print(f"| {columns} |\n|{' --- |' * (columns.count('|') + 1)}")
    for row in rows(arguments):
        print(row, flush=True)


if __name__ == "__main__":
    main()
