"""pointloom info: what is installed, or what a scene holds."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import torch
import tyro

from align.cli.console import print_result
from align.scene import Scene, load_scene
from pairs.registry import backend_names

_SHOWN = ("torch", "numpy", "opencv-python-headless", "pycolmap", "trimesh", "pillow-heif")


@dataclass(frozen=True)
class Info:
    """Show versions and backends, or, given a scene, what it holds and everything its report says."""

    scene: Annotated[Path | None, tyro.conf.Positional] = None
    """Folder of a scene."""

    def run(self) -> None:
        """Print the facts."""
        print_result(_installation() if self.scene is None else describe(load_scene(self.scene)))


def _installation() -> str:
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    lines = [
        f"pointloom {version('pointloom')}, Python {platform.python_version()}, {platform.system()} {platform.machine()}",
        f"processors {os.cpu_count()}, accelerator {gpu}",
        f"backends   {', '.join(backend_names())}",
    ]
    return "\n".join([*lines, *(f"{name:<24}{_version(name)}" for name in _SHOWN)])


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def describe(scene: Scene) -> str:
    """Return what a scene holds: views, cameras, pairs, and the report."""
    found = scene.at_original()
    lines = [f"{len(scene.views)} of {len(scene.inputs)} views placed, {len(scene.edges)} pairs"]
    for view, K, centre in zip(scene.views, found.K, found.centres):
        w, h = view.pixel_map.upright_size
        place = ", ".join(f"{c:.3f}" for c in centre)
        lines.append(f"  {view.name:<24}{w}x{h}  focal {K[0, 0]:.1f} px  centre ({place})")
    lines += [f"{name}: {value}" for name, value in scene.report.figures.items()]
    lines += [f"{n.level.value}: {n.subject}: {n.text}" for n in scene.report.notices]
    return "\n".join(lines)
