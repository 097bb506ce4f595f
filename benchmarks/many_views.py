"""How cost grows with the number of views: CPU seconds of each stage and memory, as Markdown tables.

Alignment runs on simulated rings of window 3, each in a process of its own. Making them needs the package
`oracle` on the path; they are made once and kept. Choosing pairs runs on evenly spaced photos of a folder.

    export OMP_NUM_THREADS=1
    PYTHONPATH=../shared python benchmarks/many_views.py --views 64,128,256,512 --clean 16,32,64,all
    python benchmarks/many_views.py --views "" --photos images --masks masks --counts 18,36,72

Cleaned views: the share of the points right within 1 % that keep their confidence, and of those wrong by more
than 5 %, after the whole scene was brought to the true scale.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from memory import in_a_fresh_process
from simulated import Recipe, Simulated, add_folder, simulated

from align.bundle.bundle_alignment import bundle_align
from align.bundle.options import BundleOptions
from align.depth_maps.clean import clean
from align.depth_maps.dense_view import DenseView
from align.global_alignment import align_predictions
from align.measurements.gather import gather
from align.measurements.known_cameras import Known
from align.presets import POINTLOOM
from align.scene_folder import save_scene
from masks.progress import silent
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.candidates import promising_pairs
from pairs.backends.classical.sfm.features import Features, features_of
from pairs.backends.precomputed import read_predictions
from pairs.views.load import load_views

_RIGHT, _WRONG = 0.01, 0.05


@dataclass(frozen=True, slots=True)
class Cost:
    """What the alignment of one set of predictions took."""

    seconds: dict[str, float]
    """CPU seconds by stage, in order."""
    held_mb: float
    """Largest resident memory before anything was read: the program itself."""
    peak_mb: float


class StageClock:
    """Collects the CPU seconds between the first reports of stages; a `Progress`."""

    def __init__(self) -> None:
        # What the process has spent up to here went into starting it.
        self.seconds = {"program": time.process_time()}
        self._stage, self._began = "", time.process_time()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Charge the time since the last stage began to it when another one begins."""
        if stage == self._stage:
            return
        now = time.process_time()
        if self._stage:
            self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + now - self._began
        self._stage, self._began = stage, now


def measure(predictions: Path) -> Cost:
    """Align a folder of predictions as the command line does. Meant for a process of its own."""
    torch.set_num_threads(1)
    clock, held = StageClock(), _peak_mb()
    clock("reading views", 0, 1)
    scene = align_predictions(read_predictions(predictions), POINTLOOM, clock)
    clock("saving", 0, 1)
    with tempfile.TemporaryDirectory() as folder:
        save_scene(scene, Path(folder))
    clock("", 0, 1)
    return Cost(clock.seconds, held, _peak_mb())


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def stage_table(num_views: Sequence[int], folder: Path) -> None:
    """Print a row for each number of views."""
    for row, count in enumerate(num_views):
        recipe = Recipe("vase", count, 0, "ring")
        simulated(recipe, folder)
        cost = in_its_own_process(folder / recipe.name)
        if row == 0:
            _print_head(["views", *cost.seconds, "all", "peak MB", "MB a view"])
        total, a_view = sum(cost.seconds.values()), (cost.peak_mb - cost.held_mb) / count
        stages = [f"{seconds:.1f}" for seconds in cost.seconds.values()]
        _print_row([str(count), *stages, f"{total:.1f}", f"{cost.peak_mb:.0f}", f"{a_view:.1f}"])


def in_its_own_process(predictions: Path) -> Cost:
    """Return what alignment costs in a fresh process."""
    return in_a_fresh_process(measure, predictions)


@dataclass(frozen=True, slots=True)
class Uncleaned:
    """An aligned ring before cleaning, and how far each of its points is off."""

    dense: tuple[DenseView, ...]
    K: torch.Tensor  # (V, 3, 3)
    cam_from_world: torch.Tensor  # (V, 4, 4)
    error: np.ndarray  # (V, H, W), share of the true depth; NaN without a point


def uncleaned(scene: Simulated) -> Uncleaned:
    """Align the predictions of a scene whose truth is known."""
    measurements = gather(scene.predictions, BundleOptions().reading, silent)
    aligned = bundle_align(measurements, BundleOptions(), Known(), silent)
    cameras = (torch.from_numpy(each) for each in (aligned.cameras.K, aligned.cameras.cam_from_world))
    height, width = scene.depth.shape[1:]
    ratio = np.stack([view.depth.numpy()[:height, :width] for view in aligned.dense]) / scene.depth
    return Uncleaned(aligned.dense, *cameras, error=abs(ratio / np.nanmedian(ratio[scene.mask]) - 1))


def cleaned_cells(found: Uncleaned, most_views: int | None) -> list[str]:
    """Return what cleaning takes and keeps when views are compared with so many others."""
    began = time.process_time()
    cleaned = clean(
        found.dense, found.K, found.cam_from_world, replace(POINTLOOM.clean, most_views=most_views)
    )
    seconds = time.process_time() - began
    height, width = found.error.shape[1:]
    kept = np.stack([view.conf.numpy()[:height, :width] > 0 for view in cleaned])
    of_kinds = [kept[found.error < _RIGHT], kept[found.error > _WRONG]]
    return [f"{seconds:.1f}", *(f"{100 * of.mean():.1f}" if len(of) else "-" for of in of_kinds)]


def cleaning_table(num_views: Sequence[int], most_views: Sequence[int | None], folder: Path) -> None:
    """Print a row for each ring and each limit of what a view is compared with."""
    _print_head(["views", "compared with", "CPU s", f"right kept % (< {_RIGHT:.0%})", "wrong kept % (> 5 %)"])
    for count in num_views:
        found = uncleaned(simulated(Recipe("vase", count, 0, "ring"), folder))
        for most in most_views:
            _print_row([str(count), "all" if most is None else str(most), *cleaned_cells(found, most)])


def pair_cells(features: Sequence[Features], masked: bool) -> list[str]:
    """Return how many pairs are chosen, how many were tried for that, and what it takes; then how many there
    are, and what trying them all takes.
    """
    chosen, tried, seconds = _choose(features, masked, SolveOptions())
    # With as many partners as there are views, no pair is left out beforehand.
    _, every, most_seconds = _choose(features, masked, SolveOptions(partners=len(features)))
    return [*map(str, (len(features), chosen, tried)), f"{seconds:.2f}", str(every), f"{most_seconds:.2f}"]


def _choose(features: Sequence[Features], masked: bool, options: SolveOptions) -> tuple[int, int, float]:
    totals = [0]
    began = time.process_time()
    chosen = promising_pairs(features, masked, options, lambda done, total: totals.append(total))
    return len(chosen), totals[-1], time.process_time() - began


def pair_table(photos: Path, masks: Path | None, counts: Sequence[int]) -> None:
    """Print a row for each number of photos, evenly spaced among those of a folder; finding their features is
    not counted.
    """
    torch.set_num_threads(1)
    views, _ = load_views(photos, masks or "none")
    features = [features_of(view, SolveOptions()) for view in views]
    _print_head(["photos", "chosen", "tried", "CPU s", "all pairs", "CPU s if all were tried"])
    for count in counts:
        spaced = np.linspace(0, len(features), count, endpoint=False).astype(int)
        _print_row(pair_cells([features[k] for k in spaced], masks is not None))


def _print_head(columns: Sequence[str]) -> None:
    print()
    _print_row(columns)
    print("|" + " --- |" * len(columns))


def _print_row(cells: Sequence[str]) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    """Print the tables that are asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--views", default="64,128,256,512", help="numbers of views of the rings")
    parser.add_argument("--clean", default="", help="numbers of views compared with, or all: what they do")
    parser.add_argument("--photos", type=Path, help="folder of photos of a whole turn")
    parser.add_argument("--masks", type=Path, help="folder of their masks")
    parser.add_argument("--counts", default="18,36,72", help="numbers of photos")
    add_folder(parser)
    arguments = parser.parse_args()
    num_views = _numbers(arguments.views)
    if num_views:
        stage_table(num_views, arguments.folder)
    if arguments.clean:
        limits = [None if limit == "all" else int(limit) for limit in arguments.clean.split(",")]
        cleaning_table(num_views, limits, arguments.folder)
    if arguments.photos:
        pair_table(arguments.photos, arguments.masks, _numbers(arguments.counts))


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",") if number]


if __name__ == "__main__":
    main()
