"""Print one table: whole reconstructions of photo sets with true cameras, through the command line, focal unknown.

    python benchmarks/photo_sets.py SETS [SET[:masked|unmasked[:FIRST:STEP]] ...]

SETS is a folder of photo sets; a set is a folder with images/, perhaps masks/, and cameras.json. Without names, every set is reconstructed, with its
masks where it has some.
Seconds are CPU seconds of all processes; memory is the largest resident set of any one
process up to that row.
"""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from align.scene import load_scene


@dataclass(frozen=True)
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
    scene, result = folder / "scene", folder / "out.json"
    masks = str(root / "masks") if part.masked else "none"
    command = ["reconstruct", *map(str, images), "--masks", masks, "--out", str(scene)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([*_pointloom(), *command], capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    title = f"{part.name} {'masks' if part.masked else 'no masks'}" + (f" {part.first}::{part.step}" if part.step > 1 else "")
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    cost = f"{seconds:6.1f} s  {after.ru_maxrss / 1024:5.0f} MB"
    if done.returncode:
        message = re.search(r"pointloom: (.*)", done.stderr)
        return f"{title:36} exit {done.returncode}  {cost}  {message.group(1)[:90] if message else ''}"
    evaluate = ["evaluate", str(scene), "--cameras", str(root / "cameras.json"), "--json", str(result)]
    subprocess.run([*_pointloom(), *evaluate], check=True, capture_output=True)
    found = json.loads(result.read_text())
    rotation, kept = found["rotation_error_deg"], load_scene(scene).report.figures["refinement kept"]
    shares = f"{found['rra']['5']:5.1f} {found['rta']['5']:5.1f}  {rotation['median']:.3f} / {rotation['max']:.3f}"
    errors = f"{100 * found['ate']:5.2f} %  {100 * found['focal_error']:5.1f} %"
    return f"{title:36} {found['registered']:3}/{found['views']:<3} {shares}  {errors}  {cost}  {'refined' if kept else 'start kept'}"


def _pointloom() -> list[str]:
    return [sys.executable, "-m", "align.cli.main"]


def main() -> None:
    """Print the table, a row as soon as it is known."""
    data = Path(sys.argv[1])
    names = sys.argv[2:] or [path.parent.name for path in sorted(data.glob("*/cameras.json"))]
    print(f"{'set':36} placed  RRA@5 RTA@5  rotation med / max  ATE  focal  CPU and memory")
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            print(measure(parse(name, data), data, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
