"""What reading photos and masks takes: one line for masks alone and one for the whole reading.

    python benchmarks/reading.py --count 60 --size 8000x6000

The files are made in a temporary folder and deleted afterwards; each line is measured
in a process of its own.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from memory import in_a_fresh_process, memory_mb

from masks.given.look import PhotoShape
from masks.load import Polarity, load_masks
from pairs.views.load import load_views


def make(folder: Path, count: int, size: tuple[int, int]) -> None:
    """Write images/00.jpg ... and masks/00.png ...: an ellipse that moves from photo to photo."""
    (folder / "images").mkdir()
    (folder / "masks").mkdir()
    w, h = size
    coarse = np.random.default_rng(0).integers(0, 255, (h // 100, w // 100, 3), np.uint8)
    photo = cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR)
    for k in range(count):
        mask = np.zeros((h, w), np.uint8)
        cv2.ellipse(mask, (w // 2 + 10 * k, h // 2), (3 * w // 8, h // 3), 0, 0, 360, 255, -1)
        cv2.imwrite(str(folder / "masks" / f"{k:02d}.png"), mask)
        photo[0, 0] = k, 0, 0
        cv2.imwrite(str(folder / "images" / f"{k:02d}.jpg"), photo)


def masks_alone(folder: Path, size: tuple[int, int]) -> tuple[float, float, float]:
    """Return CPU seconds, and the largest resident memory before and after the masks were read, in MB."""
    paths = sorted((folder / "masks").iterdir())
    began, before = time.process_time(), memory_mb("VmHWM")
    kept = load_masks(paths, [PhotoShape(path.name, size, 1) for path in paths], Polarity.AUTO)
    assert len(kept[0]) == len(paths)
    return time.process_time() - began, before, memory_mb("VmHWM")


def whole_reading(folder: Path, size: tuple[int, int]) -> tuple[float, float, float]:
    """Return the same of photos and masks read to views."""
    began, before = time.process_time(), memory_mb("VmHWM")
    kept = load_views(folder / "images", folder / "masks")
    assert kept[0][0].photo_size == size
    return time.process_time() - began, before, memory_mb("VmHWM")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--size", default="8000x6000", help="WIDTHxHEIGHT")
    arguments = parser.parse_args()
    width, height = (int(side) for side in arguments.size.split("x"))
    # A worker for every core would read nothing faster here.
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), arguments.count, (width, height))
        print(f"| {arguments.count} files of {arguments.size} | CPU s | MB before | MB at most |")
        print("| --- | --- | --- | --- |")
        for name, measure in (("masks", masks_alone), ("photos and masks", whole_reading)):
            seconds, before, peak = in_a_fresh_process(measure, Path(folder), (width, height))
            print(f"| {name} | {seconds:.1f} | {before:.0f} | {peak:.0f} |", flush=True)


if __name__ == "__main__":
    main()
