"""The command line `pointloom reconstruct` on photos of the rendered turntable."""

from __future__ import annotations

from pathlib import Path


def reconstruct_arguments(turntable: Path, out: Path, *more: str | Path, count: int = 6) -> list[str]:
    """Return the arguments for the first `count` photos, with masks, on the processor."""
    images = [str(turntable / "images" / f"{k:03d}.png") for k in range(count)]
    where = ["--masks", str(turntable / "masks"), "--out", str(out), "--device", "cpu"]
    return ["reconstruct", *images, *where, *map(str, more)]
