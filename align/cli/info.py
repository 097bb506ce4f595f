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
from align.scene import Scene
from align.scene_folder import load_scene
from pairs.backends.registry import backend_names
from pairs.networks.dust3r.checkpoint import Checkpoint, fit, is_checkpoint, read_checkpoint
from pairs.networks.dust3r.config import Mode, OutputModes, StackConfig
from pairs.networks.vggt.config import VggtConfig
from pairs.networks.vggt.load import inspect_vggt, is_vggt
from pairs.networks.weights import Fit, misfit

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
    lines += [f"{name}: {value}" for name, value in scene.report.figures.items()]
    lines += [f"{n.level.value}: {n.subject}: {n.text}" for n in scene.report.notices]
    return "\n".join(lines)


def describe_checkpoint(checkpoint: Checkpoint) -> str:
    """Return which network a checkpoint is, its sizes and heads, and whether its tensors fit."""
    config, found = checkpoint.config, fit(checkpoint)
    h, w = config.image_size
    widths = config.dpt
    dpt = (
        ""
        if widths is None
        else (
            f", DPT of {' '.join(map(str, widths.layers))} channels, fused {widths.features}, last "
            f"{widths.last}"
        )
    )
    lines = [
        (
            f"{'MASt3R' if config.kind == 'mast3r' else 'DUSt3R'}, {found.parameters:,} parameters "
            f"({4e-9 * found.parameters:.2f} GB in float32)"
        ),
        f"encoder    {_stack(config.encoder)}",
        f"decoders   2 x {_stack(config.decoder)}",
        f"images     trained at {w}x{h}, patches of {config.patch_size} pixels",
        f"head       {config.head}{dpt}",
        f"outputs    {_outputs(config.outputs)}",
        f"weights    {len(checkpoint.state)} tensors: "
        + ("they fit the network" if found.good else "THEY DO NOT FIT THE NETWORK"),
    ]
    return "\n".join([*lines, *([f"           {misfit(found)}"] if misfit(found) else [])])


def describe_vggt(config: VggtConfig, found: Fit) -> str:
    """Return the sizes and heads of a checkpoint of VGGT, and whether its tensors fit."""
    aggregator = config.aggregator
    heads = [name for name in ("camera", "depth", "points", "track") if getattr(config, name) is not None]
    lines = [
        f"VGGT, {found.parameters:,} parameters ({4e-9 * found.parameters:.2f} GB in float32)",
        (
            f"aggregator {aggregator.depth} frame and {aggregator.depth} global blocks of {aggregator.dim} "
            f"channels, heads: {aggregator.heads}"
        ),
        f"heads      {', '.join(heads)}",
        "weights    " + ("they fit the network" if found.good else "THEY DO NOT FIT THE NETWORK"),
    ]
    return "\n".join([*lines, *([f"           {misfit(found)}"] if misfit(found) else [])])


def _stack(stack: StackConfig) -> str:
    return f"{stack.depth} blocks of {stack.dim} channels, heads: {stack.heads}"


def _outputs(modes: OutputModes) -> str:
    parts = [f"points ({modes.depth[0]})"]
    if modes.conf is not None:
        parts.append(f"confidence ({_mode(modes.conf)})")
    if modes.desc_dim:
        own = (
            f"confidence ({_mode(modes.desc_conf)})"
            if modes.desc_conf is not None
            else "the points' confidence"
        )
        parts.append(f"descriptors of {modes.desc_dim} channels with {own}")
    return ", ".join(parts)


def _mode(mode: Mode) -> str:
    name, least, greatest = mode
    return f"{name}, {least:g} to {greatest:g}"
