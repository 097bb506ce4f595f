"""The default preset on many simulated scenes: what is beyond the limits, and what it says of scenes that it
must not believe; as Markdown tables.

Needs the package `oracle` on the path; scenes are made once and kept:

    OMP_NUM_THREADS=1 PYTHONPATH=../shared python benchmarks/accuracy.py --views 8,16,32,64 --seeds 0,1
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from oracle.metrics import pose_metrics
from simulated import Recipe, Simulated, add_folder, simulated

from align.global_alignment import align_predictions
from align.presets import POINTLOOM
from align.scene import Scene
from masks.notice import Level

SHAPES = "vase,blob,house,mug,superquadric"
FEW = 8
"""Views: a ring of so few has wide steps, and wider limits."""


def figures(scene: Scene, truth: Simulated) -> dict[str, float]:
    """Return what is compared with the limits: degrees and percent."""
    found = pose_metrics(scene.cameras.cam_from_world, truth.cam_from_world)
    ratio = np.concatenate(
        [
            (view.depth / true)[mask & (view.depth > 0)]
            for view, true, mask in zip(scene.views, truth.depth, truth.mask)
        ]
    )
    return {
        "RRA@5": found["rra"][5],
        "RTA@5": found["rta"][5],
        "rotation median": found["rotation_deg"]["median"],
        "rotation max": found["rotation_deg"]["max"],
        "ATE": 100 * found["ate"],
        "focal": 100 * (float(np.median(scene.cameras.K[:, 0, 0])) / truth.focal - 1),
        "depth": 100 * float(np.median(abs(ratio / np.median(ratio) - 1))),
    }


def beyond(found: dict[str, float], num_views: int) -> list[str]:
    """Return the names of the figures that are beyond their limits."""
    most = {
        "rotation median": 0.35 if num_views <= FEW else 0.30,
        "rotation max": 0.95,
        "ATE": 0.7 if num_views <= FEW else 0.5,
        "depth": 0.3,
    }
    failed = [name for name in ("RRA@5", "RTA@5") if found[name] < 100]
    return failed + [name for name, limit in most.items() if found[name] > limit]


def row(recipe: Recipe, folder: Path) -> tuple[str, bool]:
    """Return one line of the table, and whether all is within the limits."""
    truth = simulated(recipe, folder)
    began = time.process_time()
    scene = align_predictions(truth.predictions, POINTLOOM)
    seconds = time.process_time() - began
    if len(scene.views) < recipe.num_views:
        return f"| {_title(recipe)} | {len(scene.views)} of {recipe.num_views} views |", False
    found = figures(scene, truth)
    failed = beyond(found, recipe.num_views)
    warnings = [
        f"{notice.subject}: {notice.text}"
        for notice in scene.report.notices
        if notice.level is not Level.INFO
    ]
    cells = [
        _title(recipe),
        f"{found['rotation median']:.2f} / {found['rotation max']:.2f}",
        *(f"{found[name]:.0f}" for name in ("RRA@5", "RTA@5")),
        f"{found['ATE']:.2f}",
        f"{found['focal']:+.2f}",
        f"{found['depth']:.2f}",
        str(scene.report.figures["steps"]),
        f"{scene.report.figures['share within 2 px']:.2f}",
        f"{seconds:.1f}",
        ", ".join(failed) or "-",
        _shortened(warnings),
    ]
    return "| " + " | ".join(cells) + " |", not failed


def doubts(recipe: Recipe, folder: Path) -> str:
    """Return one line of the table of scenes that must be doubted."""
    truth = simulated(recipe, folder)
    scene = align_predictions(truth.predictions, POINTLOOM)
    whole = len(scene.views) == recipe.num_views
    found = figures(scene, truth) if whole else {}
    rotation = (
        f"{found['rotation median']:.2f} / {found['rotation max']:.2f}"
        if whole
        else f"{len(scene.views)} views"
    )
    warnings = [
        f"{notice.subject}: {notice.text}"
        for notice in scene.report.notices
        if notice.level is not Level.INFO
    ]
    return f"| {_title(recipe)} | {rotation} | {_shortened(warnings, 240)} |"


def _title(recipe: Recipe) -> str:
    unmasked = "" if recipe.masked else ", unmasked"
    return f"{recipe.shape} {recipe.num_views} {recipe.graph}, seed {recipe.seed}{unmasked}"


def _shortened(warnings: Sequence[str], length: int = 90) -> str:
    joined = " ; ".join(warnings)
    return joined if len(joined) <= length else joined[:length] + "..."


def main() -> None:
    """Print both tables; the exit code is 1 when a scene is beyond the limits."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shapes", default=SHAPES)
    parser.add_argument("--views", default="8,16,32,64", help="8: complete graph; more: rings of window 3")
    parser.add_argument("--seeds", default="0,1")
    parser.add_argument("--noise", default="default")
    parser.add_argument(
        "--doubtful",
        default="8,16",
        help="views of the scenes that must be doubted: look-alike sides, and no masks",
    )
    add_folder(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(
        "| scene | rotation deg med / max | RRA@5 | RTA@5 | ATE % | focal % | depth % | steps | in 2 px | "
        "CPU s | beyond the limits | said |"
    )
    print("|" + " --- |" * 12)
    good = []
    for num_views in [int(number) for number in arguments.views.split(",") if number]:
        for shape in arguments.shapes.split(","):
            for seed in map(int, arguments.seeds.split(",")):
                line, within = row(
                    Recipe(
                        shape, num_views, seed, "complete" if num_views <= FEW else "ring", arguments.noise
                    ),
                    arguments.folder,
                )
                good.append(within)
                print(line, flush=True)
    print(
        f"\n{sum(good)} of {len(good)} scenes within the limits.\n\n| scene | rotation deg med / max | "
        "said |\n| --- | --- | --- |"
    )
    for num_views in [int(number) for number in arguments.doubtful.split(",") if number]:
        for shape, masked in (
            ("symmetric", True),
            *((shape, False) for shape in arguments.shapes.split(",")),
        ):
            recipe = Recipe(
                shape,
                num_views,
                0,
                "complete" if num_views <= FEW or shape == "symmetric" else "ring",
                arguments.noise,
                masked,
            )
            print(doubts(recipe, arguments.folder), flush=True)
    raise SystemExit(not all(good))


if __name__ == "__main__":
    main()
