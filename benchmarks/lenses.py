"""Print how well lens and principal point are found, beside the floors: photo sets as they are, and with
their key points moved exactly through a known lens; as a Markdown table.

    PYTHONPATH=../shared python benchmarks/lenses.py ../shared/data [--rows fountain,demo] [--store FOLDER]

Needs the package `oracle` on the path. The lens acts about the true principal point, on key points and on the
masks of the working pictures; matches stay as they are, so photos need not be rendered again. A row is one
scene solve of the embedded backend, without depth and aligner, its focal unknown. Errors: rotation in degrees
(median / max), places (ATE) and focal in percent. Features and matches are kept in the store's folder.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from oracle.metrics import pose_metrics

from align.demo import render_turntable
from align.export.cameras_json import PhotoCamera, read_cameras
from masks.lens import Lens, Undistortion, distort, normalised, pixels_of, remap_to_photo
from masks.pixelmap import intrinsics_to_target
from masks.progress import silent
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.solve import SceneSolve
from pairs.backends.classical.sfm.working_image import working_map
from pairs.backends.classical.solve_scene import MatchedViews, matched_views, scene_of
from pairs.backends.work import Work
from pairs.engines.processes import Processes
from pairs.prediction.store import PredictionStore
from pairs.views.load import load_views
from pairs.views.view import View


@dataclass(frozen=True, slots=True)
class Row:
    """A set, what is put on it, and what must come out."""

    photos: str
    """Name of the set, and :2 for every second photo."""
    put_on: str = ""
    lens: Lens | None = None
    shifted: float = 0.0
    """The frame moves down by this share of its height."""
    state: str = "no lens"
    floors: tuple[float, float, float] = (np.inf, np.inf, np.inf)
    """Largest rotation error (median, max) in degrees, and ATE in percent."""
    focal: float = np.inf
    """Largest error of the focal in percent."""
    k1: float = np.inf
    """Largest error of k1."""


def k1(value: float) -> Lens:
    """Return a lens of one coefficient."""
    return Lens("SIMPLE_RADIAL", (value,))


ROWS = (
    Row("demo"),
    Row("oxford_dino"),
    Row("dinoSparseRing"),
    Row("templeSparseRing", state="no lens, centre", floors=(0.25, 0.55, 0.30)),
    Row("fountain-P11", state="no lens, centre", floors=(0.11, 0.18, 0.09)),
    Row("fox:2", state="no lens, centre", floors=(0.08, 0.25, 0.16)),
    Row(
        "fountain-P11", "barrel 3 %, shifted", k1(-0.067), 0.03, "k1, centre", (0.20, 0.32, 0.09), 0.3, 0.003
    ),
    Row("fountain-P11", "barrel 8 %", k1(-0.179), 0.0, "k1, centre", (0.20, 0.32, 0.09)),
    Row("fountain-P11", "k1 -0.3", k1(-0.3), 0.0, "k1, centre", (0.10, 0.16, 0.10), k1=0.004),
    Row("fountain-P11", "k1 0.3", k1(0.3), 0.0, "k1, centre", (0.10, 0.16, 0.10), k1=0.004),
    Row(
        "fountain-P11",
        "k1 -0.2, k2 0.15",
        Lens("RADIAL", (-0.2, 0.15)),
        0.0,
        "k1 k2, centre",
        (0.20, 0.32, 0.09),
    ),
    Row(
        "fox:2",
        "k1 0.058, k2 -0.081",
        Lens("RADIAL", (0.058, -0.081)),
        0.0,
        "k1 k2, centre",
        (0.09, 0.20, 0.20),
    ),
    Row("demo", "barrel 3 %", k1(-0.151)),
    Row("demo", "barrel 8 %", k1(-0.401), 0.0, "k1", (0.075, 0.15, 0.12), 0.8),
    Row("demo", "pincushion 8 %", k1(0.401), 0.0, "k1", (0.075, 0.15, 0.12), 0.8),
    Row("demo", "shifted", None, 0.03, "no lens", (0.95, 1.05, 0.115)),
    Row("templeSparseRing", "barrel 3 %", k1(-0.433)),
    Row("templeSparseRing", "barrel 8 %", k1(-1.156), 0.0, "no lens", (0.67, 1.59, 0.51)),
    Row("templeSparseRing", "pincushion 8 %", k1(1.156), 0.0, "k1, centre", (0.25, 0.65, 0.40)),
    Row("oxford_dino", "barrel 8 %", k1(-3.35), 0.0, "k1", (0.47, 0.95, 0.70)),
    Row("oxford_dino", "pincushion 8 %", k1(3.35), 0.0, "k1, centre", (0.20, 0.75, 0.55)),
    Row("oxford_dino", "shifted", None, 0.03),
)


def put_on(matched: MatchedViews, row: Row, K_true: dict[str, np.ndarray], longest: int) -> MatchedViews:
    """Return the views as a camera with the row's lens and frame would have seen them."""
    xy, masks = [], []
    for view, points, mask in zip(matched.views, matched.xy, matched.masks):
        K = intrinsics_to_target(working_map(view, longest), K_true[view.name])
        w, h = working_map(view, longest).target_size
        down = row.shifted * h
        moved = points.astype(np.float64)
        if row.lens is not None:
            moved = pixels_of(K, distort(row.lens, normalised(K, moved)))
            frame = Undistortion(row.lens, tuple(tuple(r) for r in K.tolist()), (w, h), (0, 0))
            mask = None if mask is None else remap_to_photo(frame, (w, h), mask)
        xy.append((moved + np.array([0, down])).astype(np.float32))
        masks.append(None if mask is None else shifted(mask, down))
    return replace(matched, xy=tuple(xy), masks=tuple(masks))


def shifted(mask: np.ndarray, down: float) -> np.ndarray:
    """Return a mask moved down, to whole pixels."""
    move = np.array([[1, 0, 0], [0, 1, round(down)]], np.float64)
    return cv2.warpAffine(mask.astype(np.uint8), move, mask.shape[::-1], flags=cv2.INTER_NEAREST) > 0


def lens_of(solve: SceneSolve) -> Lens | None:
    """Return the lens of the first placed view."""
    return solve.lenses[0] if solve.lenses else None


def state_of(solve: SceneSolve, views: tuple[View, ...]) -> str:
    """Return what was freed of the first placed view."""
    lens, K = lens_of(solve), solve.cameras.K[0]
    size = views[solve.placed[0]].photo_size
    middle = np.allclose(K[:2, 2], (np.array(size) - 1) / 2, atol=1e-6)
    name = "no lens" if lens is None else ("k1", "k1 k2")[len(lens.coefficients) - 1]
    return name if middle else f"{name}, centre"


def line_of(
    row: Row, solve: SceneSolve, views: tuple[View, ...], truth: dict[str, PhotoCamera]
) -> tuple[str, bool]:
    """Return one line of the table without its cost, and whether all is within the floors."""
    names = [views[k].name for k in solve.placed]
    true = np.stack([truth[name].cam_from_world for name in names])
    found = pose_metrics(solve.cameras.cam_from_world, true)
    median, largest = (found["rotation_deg"][which] for which in ("median", "max"))
    ate = 100 * found["ate"]
    K_true = truth[names[0]].K
    focal = 100 * (solve.cameras.K[0, 0, 0] / ((K_true[0, 0] + K_true[1, 1]) / 2) - 1)
    state, lens = state_of(solve, views), lens_of(solve)
    down = row.shifted * truth[names[0]].height
    off_centre = np.linalg.norm(solve.cameras.K[0, :2, 2] - K_true[:2, 2] - (0, down))
    within = [
        median <= row.floors[0],
        largest <= row.floors[1],
        ate <= row.floors[2],
        abs(focal) <= row.focal,
    ]
    if row.lens is not None and np.isfinite(row.k1):
        within.append(lens is not None and abs(lens.coefficients[0] - row.lens.coefficients[0]) <= row.k1)
    good = all(within) and state == row.state
    floors = " / ".join(f"{floor:g}" for floor in row.floors)
    cells = [
        row.photos,
        row.put_on or "as it is",
        f"{len(solve.placed)}/{len(views)}",
        f"{state}{'' if state == row.state else f' (not {row.state})'}",
        f"{median:.3f} / {largest:.3f}",
        f"{ate:.3f}",
        f"{focal:+.2f}",
        floors,
        f"{off_centre:.1f}",
        "-" if lens is None else " ".join(f"{value:.4f}" for value in lens.coefficients),
        str(len(solve.observed_xy)),
        "yes" if good else "NO",
    ]
    return "| " + " | ".join(cells) + " |", good


def measured(row: Row, data: Path, store_of: Callable[[str], Path], *, words: bool) -> bool:
    """Print one line, and return whether it is within the floors."""
    name, _, step = row.photos.partition(":")
    folder = data / name
    if name == "demo":
        folder = store_of("demo") / "photos"
        if not (folder / "cameras.json").exists():
            render_turntable(folder)
    photos = sorted((folder / "images").iterdir())[:: int(step or 1)]
    masks = folder / "masks"
    views, _ = load_views(photos, masks if masks.is_dir() else "none")
    truth = {camera.file: camera for camera in read_cameras(folder / "cameras.json")}
    options = SolveOptions()
    with Processes(1).start() as workers:
        work = Work(PredictionStore(store_of(name)), workers, silent)
        matched = matched_views(views, work, options)
        K_true = {file: camera.K for file, camera in truth.items()}
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        solve = scene_of(put_on(matched, row, K_true, options.working_longest), None, work, options)
        seconds = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    line, good = line_of(row, solve, views, truth)
    print(f"{line} {seconds:.1f} |", flush=True)
    if words:
        for notice in solve.notices:
            print(f"    {notice.subject}: {notice.text}", flush=True)
    return good


def main() -> None:
    """Print the table; the exit code is 1 when a row is beyond its floors."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder of photo sets with images/ and cameras.json")
    parser.add_argument("--rows", default="", help="only sets whose name begins so; comma between")
    parser.add_argument("--only", default="", help="only rows whose lens is called so; 'as it is' for none")
    parser.add_argument(
        "--store",
        default=str(Path(tempfile.gettempdir()) / "pointloom_lenses" / "{}"),
        help="folder where features and matches are kept; {} is the set's name",
    )
    parser.add_argument("--words", action="store_true", help="print what the report says as well")
    arguments = parser.parse_args()
    wanted = tuple(name for name in arguments.rows.split(",") if name) or ("",)
    head = [
        "set", "lens put on", "placed", "chosen", "rotation", "ATE", "focal", "floors", "c off px", "k1 k2",
        "observations", "within", "mapper and fits CPU s",
    ]  # fmt: skip
    print("| " + " | ".join(head) + " |\n|" + " --- |" * len(head))
    good = [
        measured(row, arguments.data, lambda name: Path(arguments.store.format(name)), words=arguments.words)
        for row in ROWS
        if row.photos.startswith(wanted) and arguments.only in ("", row.put_on or "as it is")
    ]
    raise SystemExit(not all(good))


if __name__ == "__main__":
    main()
