"""Print one table: whole reconstructions of photo sets with true cameras, through the command line, focal
unknown.

    python benchmarks/photo_sets.py SETS [SET[:masked|unmasked[:FIRST:STEP]] ...]

SETS is a folder of photo sets; a set is a folder with images/, perhaps masks/, and cameras.json. Without
names, every set is reconstructed, with its masks where it has some. The start is the backend's own cameras,
before the aligner: errors of rotation (degrees, median / max) and place (ATE) stand first for it, then for
the result. Seconds are CPU seconds of all processes; memory is the largest resident set of any one process up
to that row.
"""

from __future__ import annotations

import re
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from align.evaluation.camera_errors import Evaluation, evaluate
from align.export.cameras_json import read_cameras
from align.scene import Scene
from align.scene_folder import load_scene
from masks.files import list_photos
from masks.progress import silent
from pairs.backends.registry import make_backend
from pairs.prediction.store import PredictionStore
from pairs.views.cameras import Cameras
from pairs.views.load import load_views


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a photo set."""

    name: str
    masked: bool
    first: int = 0
    step: int = 1


def parse(text: str, data: Path) -> Part:
    """Return the part that SET[:masked|unmasked[:FIRST:STEP]] names."""
    name, *more = text.split(":")
    masked = more[0] == "masked" if more else (data / name / "masks").is_dir()
    return Part(name, masked, *(int(number) for number in more[1:3]))


def measure(part: Part, data: Path, folder: Path) -> str:
    """Reconstruct, evaluate, and return a row of the table."""
    root = data / part.name
    images = sorted((root / "images").iterdir())[part.first :: part.step]
    scene = folder / "scene"
    masks = str(root / "masks") if part.masked else "none"
    command = ["reconstruct", *map(str, images), "--masks", masks, "--out", str(scene)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([*_pointloom(), *command], capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    title = f"{part.name} {'masks' if part.masked else 'no masks'}" + (
        f" {part.first}::{part.step}" if part.step > 1 else ""
    )
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    cost = f"{seconds:6.1f} s  {after.ru_maxrss / 1024:5.0f} MB"
    if done.returncode:
        message = re.search(r"pointloom: (.*)", done.stderr)
        return f"{title:36} exit {done.returncode}  {cost}  {message.group(1)[:90] if message else ''}"
    found, truth = load_scene(scene), read_cameras(root / "cameras.json")
    begun = evaluate(start_of(found, images, Path(masks) if part.masked else None, scene / "store"), truth)
    ended = evaluate(found, truth)
    shares = f"{ended.registered:3}/{ended.views:<3} {ended.rra['5']:5.1f} {ended.rta['5']:5.1f}"
    focal = f"{100 * (ended.focal_error or 0):5.1f} %"
    return f"{title:36} {shares}  {_places(begun)}  {_places(ended)}  {focal}  {cost}"


def start_of(scene: Scene, images: list[Path], masks: Path | None, store: Path) -> Scene:
    """Return the scene with the cameras that the backend handed to the aligner, asked of it again: all its
    steps are in the store.
    """
    views, _ = load_views(list_photos(images), masks or "none")
    predictions = make_backend("classical").predict(views, None, PredictionStore(store), silent)
    cameras, position = predictions.cameras, {view.name: k for k, view in enumerate(predictions.views)}
    if cameras is None:
        raise TypeError("the backend has no cameras of its own: nothing to compare with")
    chosen = np.array([position[view.name] for view in scene.views])
    return replace(scene, cameras=Cameras(cameras.K[chosen], cameras.cam_from_world[chosen]))


def _places(found: Evaluation) -> str:
    rotation = found.rotation_error_deg
    return f"{rotation['median']:.3f} / {rotation['max']:.3f} {100 * (found.ate or 0):5.2f} %"


def _pointloom() -> list[str]:
    return [sys.executable, "-m", "align.cli.main"]


def main() -> None:
    """Print the table, a row as soon as it is known."""
    data = Path(sys.argv[1])
    names = sys.argv[2:] or [path.parent.name for path in sorted(data.glob("*/cameras.json"))]
    print(
        f"{'set':36} placed  RRA@5 RTA@5  start: rotation, ATE   end: rotation, ATE     focal   CPU and "
        "memory"
    )
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            print(measure(parse(name, data), data, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
