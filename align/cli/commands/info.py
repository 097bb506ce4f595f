"""pointloom info: what is installed, what a scene holds, or what network a checkpoint is."""

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
from align.cli.wording import in_options
from align.objects.turntable import turntable_of, turntable_table
from align.scene import Scene
from align.scene_folder import load_scene
from pairs.backends.registry import backend_names
from pairs.networks.describe import describe_checkpoint, describe_vggt
from pairs.networks.dust3r.checkpoint import is_checkpoint, read_checkpoint
from pairs.networks.vggt.load import inspect_vggt, is_vggt

_SHOWN = ("torch", "numpy", "opencv-python-headless", "pycolmap", "trimesh", "pillow-heif")


@dataclass(frozen=True)
class Info:
    """Show versions and backends; given a scene, what it holds and everything its report says; given a
    checkpoint, which network it is.
    """

    path: Annotated[Path | None, tyro.conf.arg(metavar="SCENE|CHECKPOINT"), tyro.conf.Positional] = None
    """Folder of a scene, a .pth file of DUSt3R or MASt3R, a .pt or .safetensors file of VGGT, or a folder
    with config.json and model.safetensors."""

    def run(self) -> None:
        """Print the facts."""
        if self.path is None:
            print_result(_installation())
        elif is_vggt(self.path):
            print_result(describe_vggt(*inspect_vggt(self.path)))
        elif is_checkpoint(self.path):
            print_result(describe_checkpoint(read_checkpoint(self.path)))
        else:
            print_result(describe(load_scene(self.path)))


def _installation() -> str:
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    lines = [
        (
            f"pointloom {version('pointloom')}, Python {platform.python_version()}, {platform.system()} "
            f"{platform.machine()}"
        ),
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
    lines += [turntable_table(turntable_of(scene))]
    lines += [f"{name}: {value}" for name, value in scene.report.figures.items() if name != "turntable"]
    lines += [in_options(f"{n.level.value}: {n.subject}: {n.text}") for n in scene.report.notices]
    return "\n".join(lines)
