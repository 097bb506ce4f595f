"""The aligner's solvers side by side on simulated predictions with known truth: accuracy, CPU seconds of one
thread, memory, as Markdown tables.

Needs the package `oracle` on the path, which renders exact scenes and simulates a pair network's errors;
scenes are made once and kept:

    OMP_NUM_THREADS=1 PYTHONPATH=../shared python benchmarks/aligner.py --shapes vase,house --views 8,16
    --seeds 0,1

Every solver runs in a process of its own, from gathered predictions to cameras and depths; reading them is
not counted. Least squares are run three times and the fastest counts. `~`: some iterations of each stage were
measured, and the whole schedule is told at their pace. The pixel loss is the reference's fine one, with
whatever cameras and depths the solver found. MB: most memory beyond what the predictions take.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from memory import in_a_fresh_process
from oracle.metrics import pose_metrics
from simulated import Recipe, add_folder, simulated
from solvers import SOLVERS, Cost, Pace, measure, true_share

_COMPLETE_UP_TO = 16
"""Views: beyond, all pairs are more than anybody predicts."""
_WHOLE_UP_TO = 16
"""Views: beyond, the plain descent is run in part unless asked for."""


def recipes(arguments: argparse.Namespace) -> Iterator[Recipe]:
    """Yield the scenes: complete graphs of few views, and rings of more than few."""
    for num_views in map(int, arguments.views.split(",")):
        for graph in ("complete", "ring"):
            if (num_views > _COMPLETE_UP_TO) if graph == "complete" else (num_views <= 8):
                continue
            for shape in arguments.shapes.split(","):
                for seed in map(int, arguments.seeds.split(",")):
                    yield Recipe(shape, num_views, seed, graph, arguments.noise)


def solver_table(arguments: argparse.Namespace) -> None:
    """Print a row for each scene and solver."""
    columns = (
        "scene | solver | CPU s | steps | ms a step | pixel loss | rotation deg med / max | RRA@5 | RTA@5 "
        "| ATE % | focal % | depth % | MB "
        "| times faster | memory"
    )
    print(f"| {columns} |\n|{' --- |' * (columns.count('|') + 1)}")
    for recipe in recipes(arguments):
        plain: Cost | None = None
        for solver in arguments.solvers.split(";") if arguments.solvers else SOLVERS:
            in_part = recipe.num_views > _WHOLE_UP_TO and not arguments.whole
            cost = in_its_own_process(
                recipe, solver, arguments.folder, Pace(arguments.plain_steps if in_part else None)
            )
            plain = plain or cost
            print(solver_row(recipe, solver, cost, plain, arguments.folder), flush=True)


def solver_row(recipe: Recipe, solver: str, cost: Cost, plain: Cost, folder: Path) -> str:
    """Return one line; of a descent that was run in part, only what it costs."""
    cells = [
        f"{recipe.shape} {recipe.num_views} {recipe.graph}, seed {recipe.seed}",
        solver,
        f"{'' if cost.whole else '~'}{cost.seconds:.2f}",
        " + ".join(str(stage.steps) for stage in cost.stages),
        " / ".join(f"{1e3 * stage.seconds / stage.steps:.2f}" for stage in cost.stages),
        *(accuracy(recipe, cost, folder) if cost.whole else ["-"] * 7),
        f"{cost.peak_mb:.0f}",
        f"{plain.seconds / cost.seconds:.1f}",
        f"{cost.peak_mb / plain.peak_mb:.2f}",
    ]
    return "| " + " | ".join(cells) + " |"


def accuracy(recipe: Recipe, cost: Cost, folder: Path) -> list[str]:
    """Return what of a row the truth is needed for."""
    scene, solved = simulated(recipe, folder), cost.solved
    found = pose_metrics(solved.cam_from_world, scene.cam_from_world)
    return [
        f"{solved.pixel_loss:.4f}",
        f"{found['rotation_deg']['median']:.2f} / {found['rotation_deg']['max']:.2f}",
        f"{found['rra'][5]:.0f}",
        f"{found['rta'][5]:.0f}",
        f"{100 * found['ate']:.2f}",
        f"{100 * (sorted(solved.K[:, 0, 0])[len(solved.K) // 2] / scene.focal - 1):+.2f}",
        f"{100 * true_share(scene, solved):.2f}",
    ]


def scaling_table(arguments: argparse.Namespace) -> None:
    """Print how the default solver's cost grows along rings of ever more views."""
    columns = (
        "views | pairs | observations | read and canonical s | aligned s | steps | ms a step | us a step "
        "and pair | us a step and 1000 observations "
        "| us a pair, all | MB"
    )
    print(f"\n| {columns} |\n|{' --- |' * (columns.count('|') + 1)}")
    for num_views in map(int, arguments.scaling.split(",")):
        recipe = Recipe(arguments.shapes.split(",")[0], num_views, 0, "ring", arguments.noise)
        cost = in_its_own_process(recipe, "default", arguments.folder, Pace(repeats=5))
        (stage,) = cost.stages
        step = stage.seconds / stage.steps
        cells = [
            (
                f"{num_views} | {cost.num_pairs} | {cost.num_observations} | {cost.gather_seconds:.2f} | "
                f"{cost.seconds:.3f} | {stage.steps}"
            ),
            (
                f"{1e3 * step:.2f} | {1e6 * step / cost.num_pairs:.0f} | "
                f"{1e9 * step / cost.num_observations:.0f}"
            ),
            f"{1e6 * cost.seconds / cost.num_pairs:.0f} | {cost.peak_mb:.0f}",
        ]
        print("| " + " | ".join(cells) + " |", flush=True)


def in_its_own_process(recipe: Recipe, solver: str, folder: Path, pace: Pace) -> Cost:
    """Return what a solver costs in a fresh process, the scene made before."""
    simulated(recipe, folder)
    return in_a_fresh_process(measure, recipe, solver, folder, pace)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shapes", default="vase")
    parser.add_argument(
        "--views",
        default="8,16,32,64,128",
        help="for the solvers; complete graphs to 16, rings of window 3 beyond 8",
    )
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--noise", default="default")
    parser.add_argument(
        "--solvers",
        help=f"separated by semicolons, the first is compared with; default: {'; '.join(SOLVERS)}",
    )
    parser.add_argument("--scaling", default="8,16,32,64,128", help="numbers of views of the second table")
    parser.add_argument(
        "--plain-steps",
        type=int,
        default=30,
        help="iterations of each stage of the loop over pairs beyond 16 views (~: extrapolated)",
    )
    parser.add_argument("--whole", action="store_true", help="run the loop over pairs to its end everywhere")
    add_folder(parser)
    arguments = parser.parse_args()
    if arguments.views:
        solver_table(arguments)
    if arguments.scaling:
        scaling_table(arguments)


if __name__ == "__main__":
    main()
