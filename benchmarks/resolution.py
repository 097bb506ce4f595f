"""What finer depth maps cost and give: neighbouring photos of the demo's turntable at 2000 x 1500, 10 degrees
apart, reconstructed with its masks through the command line; as a Markdown table.

    python benchmarks/resolution.py --longest 512,768,1024,1600 --options "--crop off;--crop on"

Errors are relative to the true depth, the scene's scale apart, where a neighbour confirms it (covered).
CPU seconds are those of all processes, with features and cameras already in the store; memory is that of the
largest process.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from depths import depth_on_grid
from memory import in_a_fresh_process

from align.demo.turntable import TurntableOptions, build_studio, render_view
from align.scene import Scene
from align.scene_folder import load_scene
from align.show.image_file import write_image

_OPTIONS = TurntableOptions(num_views=36, size=(2000, 1500))
_SURE = 3.0
"""Confidence from which a pixel counts as confirmed."""


def make(folder: Path, count: int) -> None:
    """Write images/, masks/ and the true depths 000.npy ... of the first photos of the turntable."""
    studio = build_studio(_OPTIONS)
    for k in range(count):
        view = render_view(studio, _OPTIONS, k)
        write_image(folder / "images" / f"{k:03d}.png", view.image)
        write_image(folder / "masks" / f"{k:03d}.png", view.mask.astype(np.uint8) * 255)
        np.save(folder / f"{k:03d}.npy", view.depth)


def cost(command: Sequence[str]) -> tuple[float, float]:
    """Run a command to its end; return its CPU seconds and the memory of its largest process in MB."""
    subprocess.run(command, check=True, capture_output=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def cells(scene: Scene, folder: Path) -> list[str]:
    """Return what is printed of a scene: object pixels, errors, and how much of the object is covered."""
    truth = [
        depth_on_grid(view.pixel_map, view.mask, np.load(folder / f"{view.name[:3]}.npy"))
        for view in scene.views
    ]
    known = [(true > 0) & (view.depth > 0) & (view.conf > 1) for view, true in zip(scene.views, truth)]
    ratio = np.concatenate([view.depth[at] / true[at] for view, true, at in zip(scene.views, truth, known)])
    error = 100 * np.abs(ratio / np.median(ratio) - 1)
    pixels = sum(int((true > 0).sum()) for true in truth)
    sure = sum(int((at & (view.conf >= _SURE)).sum()) for view, at in zip(scene.views, known))
    return [
        f"{pixels / 1e6:.2f} M",
        f"{np.median(error):.3f} / {np.percentile(error, 90):.3f} %",
        f"{100 * (error > 1).mean():.2f} %",
        f"{100 * len(ratio) / pixels:.0f} %; {100 * sure / pixels:.0f} %",
    ]


def main() -> None:
    """Print the table, a row as soon as it is known."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--longest", default="512,768,1024,1600")
    parser.add_argument("--options", default="--crop off;--crop on", help="a row for each, apart by ;")
    parser.add_argument("--views", type=int, default=8)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "pointloom_resolution")
    arguments = parser.parse_args()
    folder = arguments.folder
    if not (folder / "images").is_dir():
        make(folder, arguments.views)
    print("| setting | object pixels | CPU s | MB | median / 90 % | above 1 % | covered; sure |")
    print("|" + " --- |" * 7)
    for longest in arguments.longest.split(","):
        for options in arguments.options.split(";"):
            with tempfile.TemporaryDirectory() as out:
                command = [sys.executable, "-m", "align.cli.main", "reconstruct", str(folder / "images")]
                command += ["--masks", str(folder / "masks"), "--out", out, "--store", str(folder / "store")]
                command += ["--longest", longest, *options.split()]
                seconds, memory = in_a_fresh_process(cost, command)
                first, *others = cells(load_scene(Path(out)), folder)
            row = [f"{longest} {options}", first, f"{seconds:.1f}", f"{memory:.0f}", *others]
            print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
