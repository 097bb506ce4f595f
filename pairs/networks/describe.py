"""What network a checkpoint holds, in words."""

from __future__ import annotations

from pairs.networks.dust3r.checkpoint import Checkpoint, fit
from pairs.networks.dust3r.config import Mode, OutputModes, StackConfig
from pairs.networks.vggt.config import VggtConfig
from pairs.networks.weights import Fit, misfit


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
