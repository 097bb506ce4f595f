"""Turntables through the command line: whole solves with what they should reach, and bad inputs with what was
said. Rows of `benchmarks/turntables.py`.
"""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from align.evaluation.camera_errors import Evaluation, evaluate
from align.export.cameras_json import PhotoCamera, read_cameras
from align.scene_folder import load_scene

Row = tuple[str, str, str]
"""What was done, what came out, what should."""
_GREY = 128
_SAID = ("turntable", "silhouettes")


@dataclass(frozen=True, slots=True)
class Photos:
    """Photos with masks and true cameras, in the order in which they are given."""

    images: tuple[Path, ...]
    masks: tuple[np.ndarray, ...]  # (H, W) bool; none: without masks
    cameras: tuple[PhotoCamera, ...]

    def ordered(self, order: Sequence[int]) -> Photos:
        """Return some of the photos, in another order; a number twice is a photo that was given twice."""
        masks = tuple(self.masks[k] for k in order) if self.masks else ()
        return Photos(tuple(self.images[k] for k in order), masks, tuple(self.cameras[k] for k in order))


def photos_of(root: Path, every: int = 1, first: int = 0) -> Photos:
    """Read a photo set, or every so many-th photo of it."""
    images = sorted((root / "images").iterdir())[first::every]
    by_name = {Path(camera.file).name: camera for camera in read_cameras(root / "cameras.json")}
    masks = ()
    if (root / "masks").is_dir():
        read = [cv2.imread(str(root / "masks" / f"{path.name}.png"), cv2.IMREAD_GRAYSCALE) for path in images]
        masks = tuple(mask > 127 for mask in read)
    return Photos(tuple(images), masks, tuple(by_name[path.name] for path in images))


def solve(photos: Photos, *options: str, blank: bool = False) -> str:
    """Reconstruct, and return what came out and what was said of the turntable, as words."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        named = _written(photos, root, blank)
        masks = str(root / "masks") if photos.masks else "none"
        command = [sys.executable, "-m", "align.cli.main", "reconstruct", str(root / "images")]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [*command, "--masks", masks, "--out", str(root / "scene"), *options],
            capture_output=True,
            text=True,
            check=False,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        if done.returncode:
            message = re.search(r"pointloom: (.*)", done.stderr)
            text = message.group(1) if message else done.stderr[-200:]
            return f"exit {done.returncode}, {seconds:.0f} s: {text}"
        found = evaluate(load_scene(root / "scene"), named)
        notices = json.loads((root / "scene" / "scene.json").read_text())["report"]["notices"]
        return f"{_in_words(found)}, {seconds:.0f} s{_told(notices)}"


def _written(photos: Photos, root: Path, blank: bool) -> list[PhotoCamera]:
    """Write photos and masks under names in their order, and return the cameras by these names."""
    (root / "images").mkdir()
    (root / "masks").mkdir()
    named = []
    for k, (path, camera) in enumerate(zip(photos.images, photos.cameras)):
        name = f"{k:02d}.png" if blank else f"{k:02d}{path.suffix}"
        if blank:
            image = cv2.imread(str(path))
            image[photos.masks[k]] = _GREY
            cv2.imwrite(str(root / "images" / name), image)
        else:
            (root / "images" / name).symlink_to(path.resolve())
        if photos.masks:
            cv2.imwrite(str(root / "masks" / f"{name}.png"), photos.masks[k].astype(np.uint8) * 255)
        named.append(replace(camera, file=name))
    return named


def _in_words(found: Evaluation) -> str:
    rotation, ate, focal = found.rotation_error_deg, found.ate, found.focal_error
    median, largest = rotation["median"], rotation["max"]
    errors = "" if median is None or largest is None else f", rot {median:.3f} / {largest:.3f}"
    places = "" if ate is None else f", ATE {100 * ate:.2f} %"
    focals = "" if focal is None else f", f {100 * focal:.1f} %"
    return f"{found.registered} of {found.views}, RRA@5 {found.rra['5']:.0f}{errors}{places}{focals}"


def _told(notices: Sequence[dict[str, str]]) -> str:
    """Return the warnings about turntable and outlines, and which views were left out."""
    words = [f"{n['subject']}: {n['text'][:90]}" for n in notices if n["level"] == "warning"]
    words = [text for text in words if text.startswith(_SAID)]
    gone = [n["subject"] for n in notices if n["level"] == "left out"]
    return "".join(f" | {text}" for text in [*words, *([f"left out: {', '.join(gone)}"] if gone else [])])


def solves(data: Path) -> Iterator[Row]:
    """Whole solves of photo sets, the dear ones last."""
    plaster, dino = data / "dinoSparseRing", data / "oxford_dino"
    yield (
        "dinoSparseRing",
        solve(photos_of(plaster)),
        "16 of 16, RRA@5 100, rot 0.35 / 0.80, ATE 0.6 %",
    )
    blank = solve(photos_of(plaster), "--turntable", "23.48", blank=True)
    yield "the same of one grey, 23.48", blank, "16 of 16, rot 0.30 / 0.40"
    for first in range(3):
        shown = solve(photos_of(dino, 3, first))
        yield f"oxford_dino {first}::3", shown, "12 of 12, RRA@5 100, rot 0.45 / 0.70, f 5 %"
    yield "oxford_dino ::4, 40", solve(photos_of(dino, 4), "--turntable", "40"), "9 of 9, right"
    yield "oxford_dino ::6, 60", solve(photos_of(dino, 6), "--turntable", "60"), "refused, or rot 0.5 / 0.8"
    for name, wanted in (
        ("templeSparseRing", "16 of 16, rot 0.18"),
        ("fountain-P11", "11 of 11, rot 0.08, no turntable"),
        ("oxford_dino", "36 of 36, rot 0.34 / 0.50"),
        ("fox", "50 of 50, rot 0.17 / 0.37, no turntable"),
    ):
        yield name, solve(photos_of(data / name)), wanted


def bad_inputs(data: Path, faults: Callable[[np.ndarray, bool], np.ndarray]) -> Iterator[Row]:
    """Every third photo of oxford_dino, `--turntable 30`, with something wrong: what was said. `faults` cuts
    a mask's foot, or puts a table in its place.
    """
    photos = photos_of(data / "oxford_dino", 3)
    order = list(range(12))
    shuffled = [int(k) for k in np.random.default_rng(0).permutation(12)]
    ordered = {
        "two exchanged": [0, 1, 2, 3, 5, 4, *order[6:]],
        "one doubled": [0, 1, 2, 3, 3, *order[4:]],
        "one missing": [0, 1, 2, 3, *order[5:]],
        "reversed half-way": [*order[:6], *order[:5:-1]],
        "shuffled": shuffled,
    }
    right = "right, or said"
    yield "nothing wrong", solve(photos, "--turntable", "30"), "12 of 12"
    for title, chosen in ordered.items():
        yield title, solve(photos.ordered(chosen), "--turntable", "30"), right
    yield "step of 20", solve(photos, "--turntable", "20"), right
    for title, table in (("foot cut", False), ("table added", True)):
        spoilt = replace(photos, masks=tuple(faults(mask, table) for mask in photos.masks))
        yield title, solve(spoilt, "--turntable", "30"), right
    # One outline for all photos is what a body of revolution has.
    turned = replace(photos, masks=(_turned(photos.masks[0]),) * 12)
    yield "body of revolution", solve(turned, "--turntable", "30", blank=True), "refused by name"


def _turned(mask: np.ndarray) -> np.ndarray:
    """Return a silhouette that is the same left and right of the middle of the photo."""
    half = mask.sum(1) // 2
    middle = mask.shape[1] // 2
    return np.abs(np.arange(mask.shape[1]) - middle)[None] < half[:, None]
